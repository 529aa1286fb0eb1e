-- Close open sessions, with a word on both sides' audit. Safe to repeat.
-- $1 role text or null for any   $2 job text or null for any   $3 actor text   $4 reason text
-- Returns a row per session closed: job.
WITH closed AS (
    UPDATE role_session SET closed_at = clock_timestamp(), closed_reason = $4
     WHERE closed_at IS NULL AND ($1::text IS NULL OR role = $1) AND ($2::text IS NULL OR job = $2)
    RETURNING *
), told AS (
    INSERT INTO audit (account, actor, action, kind, object, after)
    SELECT DISTINCT side.account, $3::text, 'roles.session.closed', 'roles', c.role,
           jsonb_build_object('job', c.job, 'end', c.end_name, 'instance', c.instance,
                              'account', c.account, 'reason', $4::text)
      FROM closed c, LATERAL (SELECT c.owner AS account UNION SELECT c.account) side
)
SELECT job FROM closed
