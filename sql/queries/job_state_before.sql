-- The last state a job was in before it was a given one. Safe to repeat.
-- $1 job text   $2 state text
-- Returns 1 row: state text; none when its history tells no other.
SELECT state FROM job_event WHERE job = $1 AND state <> $2 ORDER BY number DESC LIMIT 1
