-- One job with its sealed credentials. Safe to repeat.
-- $1 id text   $2 account text or null for any
-- Returns 0 or 1 row: columns of job_shown, then sealed bytea, now int8
-- milliseconds.
SELECT s.*, j.sealed, kf_ms(clock_timestamp())
  FROM job_shown s
  JOIN job j ON j.id = s.id
 WHERE s.id = $1 AND ($2::text IS NULL OR s.account = $2)
