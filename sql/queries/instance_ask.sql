-- Ask a worker to look at a server, or to try new credentials. Repeated while that is open, it does
-- nothing.
-- $1 account text   $2 id text   $3 version int8   $4 work text   $5 sealed bytea   $6 endpoint jsonb
-- Returns 1 row when asked, 0 when there is none of that version or something is open.
WITH asked AS (
    UPDATE instance
       SET work = $4, work_state = 'queued', work_sealed = $5::bytea, work_endpoint = $6::jsonb,
           work_error = NULL, work_at = now(), work_owner = NULL, work_until = '-infinity',
           version = version + 1
     WHERE account = $1 AND id = $2 AND version = $3::int8
       AND coalesce(work_state, 'done') IN ('done', 'failed')
    RETURNING id
)
SELECT pg_notify('kf_precheck', id) FROM asked
