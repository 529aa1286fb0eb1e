-- Runs of a job, newest first. Safe to repeat.
-- $1 job text   $2 account text or null for any   $3 ids below this one, or null   $4 limit int8
-- Returns columns of precheck_shown.
SELECT *
  FROM precheck_shown
 WHERE job = $1 AND purpose = 'precheck' AND ($2::text IS NULL OR account = $2) AND ($3::text IS NULL OR id < $3)
 ORDER BY id DESC
 LIMIT $4::int8
