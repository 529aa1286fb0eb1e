-- Let the open runs of a job be over: it was deleted. Safe to repeat.
-- $1 job text
WITH over AS (
    UPDATE precheck
       SET state = 'cancelled', finished_at = now(), sealed = NULL, version = version + 1
     WHERE job = $1 AND state IN ('queued', 'running')
    RETURNING id
)
SELECT pg_notify('kf_precheck', id) FROM over
