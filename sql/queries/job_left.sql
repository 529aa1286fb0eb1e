-- Is anything of a job left at its destination, as far as is known? Safe to repeat.
-- $1 job text
-- Returns 1 row: bool.
SELECT EXISTS (SELECT 1 FROM task WHERE job = $1 AND (claimed_before OR lease_until >= now()))
   AND coalesce((SELECT type FROM job_event
                  WHERE job = $1 AND type IN ('forgotten', 'running')
                  ORDER BY number DESC LIMIT 1), '') <> 'forgotten'
