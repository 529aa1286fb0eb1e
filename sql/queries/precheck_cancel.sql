-- Let a run be over without a result. Safe to repeat.
-- $1 id text   $2 account text or null for any
-- Returns 0 or 1 row: job.
WITH over AS (
    UPDATE precheck
       SET state = 'cancelled', finished_at = now(), sealed = NULL, version = version + 1
     WHERE id = $1 AND ($2::text IS NULL OR account = $2) AND state IN ('queued', 'running')
    RETURNING id, coalesce(job, '') AS job
)
SELECT job, pg_notify('kf_precheck', id) FROM over
