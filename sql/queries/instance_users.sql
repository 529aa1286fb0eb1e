-- A job that uses a registered server and has not ended. Safe to repeat.
-- $1 instance text
-- Returns 0 or 1 row: id, account.
SELECT id, account
  FROM job
 WHERE state NOT IN ('completed', 'stopped', 'released')
   AND (source_instance = $1 OR destination_instance = $1)
 LIMIT 1
