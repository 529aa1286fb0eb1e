-- A job that uses a registered server and has not ended. Safe to repeat.
-- $1 instance text
-- Returns 0 or 1 row: id, account.
SELECT id, account
  FROM job
 WHERE state NOT IN ('completed', 'stopped', 'released')
   AND (spec -> 'source' ? 'reference' AND spec -> 'source' -> 'reference' ->> 'instance_id' = $1 OR
        spec -> 'destination' ? 'reference' AND spec -> 'destination' -> 'reference' ->> 'instance_id' = $1)
 LIMIT 1
