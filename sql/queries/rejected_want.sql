-- Ask for a replay of what is on record, in its order: all that was not asked for yet, or the ids named.
-- Repeated, it finds what is wanted already and leaves it.
-- $1 job text   $2 ids text[] or null
-- Returns 1 row: how many int8.
WITH chosen AS (
    SELECT id, nextval('rejected_replay') AS replay
      FROM (SELECT id FROM rejected_command
             WHERE job = $1 AND sealed IS NOT NULL AND status <> 'wanted'
               AND CASE WHEN $2::text[] IS NULL THEN status = 'recorded' ELSE id = ANY ($2::text[]::int8[]) END
             ORDER BY id) s
), wanted AS (
    UPDATE rejected_command r
       SET status = 'wanted', replay = c.replay, detail = NULL, replayed_at = NULL
      FROM chosen c
     WHERE r.id = c.id
    RETURNING r.replay
), told AS (
    UPDATE job SET wanted = wanted || jsonb_build_object('replay', (SELECT max(replay) FROM wanted))
     WHERE id = $1 AND EXISTS (SELECT 1 FROM wanted)
    RETURNING pg_notify('kf_job', id)
)
SELECT (SELECT count(*) FROM wanted), (SELECT count(*) FROM told)
