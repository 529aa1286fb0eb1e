-- A worker that was killed is back: nobody waits for the leases it held to run out. Epochs stay as
-- they are and rise with the next claim. Safe to repeat, and right only while nobody else can be
-- that worker: before it claims anything (worker_identity.h).
-- $1 worker text
WITH tasks AS (
    UPDATE task SET lease_owner = NULL, lease_until = '-infinity' WHERE lease_owner = $1
)
UPDATE precheck
   SET lease_until = '-infinity'
 WHERE lease_owner = $1 AND state = 'running'
