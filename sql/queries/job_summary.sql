-- Jobs by state, and how many need a person. Safe to repeat.
-- $1 account text or null for all
-- Returns 1 row: {"states": {…}, "attention": n} jsonb.
SELECT jsonb_build_object('states', coalesce(jsonb_object_agg(state, n) FILTER (WHERE n > 0), '{}'),
                          'attention', coalesce(sum(waiting), 0))
  FROM (SELECT state, sum(jobs) AS n, sum(waiting) AS waiting
          FROM job_count
         WHERE $1::text IS NULL OR account = $1
         GROUP BY state) by_state
