-- Lease the task that has waited longest. Repeated, it claims another. A worker that a person drains
-- claims none.
-- The epoch rises with every claim and each later write of the worker names it, so a worker that
-- was presumed dead changes nothing. The states are those of job_state_is_active(); one of a job that
-- has ended is claimed when its last key is to be removed.
-- $1 worker text   $2 pool text   $3 seconds int8
-- Returns 0 or 1 row: job, number, epoch, claimed before bool, state, account, spec, wanted,
-- sealed bytea, progress.
WITH waiting AS MATERIALIZED (
    SELECT t.job, t.number
      FROM task t
      JOIN job j ON j.id = t.job
     WHERE t.lease_until < now()
       AND (j.state IN ('queued', 'starting', 'running', 'retrying', 'pausing', 'cutting_over', 'stopping')
            OR (j.state IN ('completed', 'stopped') AND j.wanted -> 'forget' = 'true'))
       AND j.worker_pool = $2
       AND NOT EXISTS (SELECT 1 FROM worker d WHERE d.id = $1 AND d.draining)
     ORDER BY t.lease_until, t.job, t.number
     LIMIT 1
       FOR UPDATE OF t SKIP LOCKED
), claimed AS (
    UPDATE task t
       SET lease_owner = $1,
           lease_until = now() + make_interval(secs => $3::int8),
           lease_epoch = t.lease_epoch + 1
      FROM waiting w
     WHERE t.job = w.job AND t.number = w.number
    RETURNING t.*
)
SELECT c.job, c.number, c.lease_epoch, c.claimed_before, j.state, j.account, j.spec, j.wanted,
       j.sealed, c.progress
  FROM claimed c
  JOIN job j ON j.id = c.job
