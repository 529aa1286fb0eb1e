-- Make one row of the many that count the jobs of an account in a state. Safe to repeat, and beside
-- another one: a row is taken away once, and what it counted is put back by who took it.
WITH gone AS (
    DELETE FROM job_count c
     USING (SELECT account, state FROM job_count GROUP BY account, state
            HAVING count(*) > 1 OR sum(jobs) = 0 AND sum(waiting) = 0) many
     WHERE c.account = many.account AND c.state = many.state
    RETURNING c.account, c.state, c.jobs, c.waiting
)
INSERT INTO job_count (account, state, jobs, waiting)
SELECT account, state, sum(jobs), sum(waiting) FROM gone GROUP BY account, state
HAVING sum(jobs) <> 0 OR sum(waiting) <> 0
