-- Ask a worker to take nothing more and to hand over what it has, or to take again. Safe to repeat.
-- $1 id text   $2 draining bool
-- Returns 1 row, or 0 when there is no such worker.
WITH asked AS (
    UPDATE worker SET draining = $2::bool
     WHERE id = $1 AND seen_at > now() - interval '1 day'
    RETURNING id
)
SELECT pg_notify('kf_worker', id) FROM asked
