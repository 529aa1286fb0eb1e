-- The last look at both ends of a job that is over. Safe to repeat.
-- $1 account text   $2 job text   $3 purpose text
-- Returns 0 or 1 row: columns of precheck_shown.
SELECT *
  FROM precheck_shown
 WHERE job = $2 AND account = $1 AND purpose = $3 AND state NOT IN ('queued', 'running')
 ORDER BY id DESC
 LIMIT 1
