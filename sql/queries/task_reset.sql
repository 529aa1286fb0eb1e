-- A job begins anew, not started yet: nothing of it is at the destination any more. Safe to repeat.
-- The epoch of the lease stays: a worker that was given up long ago knows none that comes again.
-- $1 job text
WITH job_again AS (
    UPDATE job SET started_at = NULL WHERE id = $1
)
UPDATE task
   SET claimed_before = false, progress = '{}', source_facts = NULL, destination_facts = NULL,
       updated_at = now()
 WHERE job = $1 AND lease_until < now()
