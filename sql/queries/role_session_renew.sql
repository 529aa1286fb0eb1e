-- A role still lets a job in: its open sessions go on. Says whether any of this lease was revoked.
-- Safe to repeat.
-- $1 job text   $2 end text   $3 lease epoch int8   $4 seconds int8
-- Returns 1 row: revoked bool.
WITH renewed AS (
    UPDATE role_session SET expires_at = clock_timestamp() + make_interval(secs => $4::int8)
     WHERE job = $1 AND end_name = $2 AND closed_at IS NULL
       AND expires_at < clock_timestamp() + make_interval(secs => $4::int8 / 2)
)
SELECT EXISTS (SELECT 1 FROM role_session
                WHERE job = $1 AND end_name = $2 AND lease_epoch = $3::int8 AND closed_reason = 'revoked')
