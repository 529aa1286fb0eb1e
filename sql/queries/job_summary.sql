-- Jobs by state, and how many need a person. Safe to repeat. To be planned with its value: all of it
-- stands in an index.
-- $1 account text or null for all
-- Returns 1 row: {"states": {…}, "attention": n} jsonb.
SELECT jsonb_build_object('states', coalesce(jsonb_object_agg(state, n), '{}'),
                          'attention', coalesce(sum(waiting), 0))
  FROM (SELECT state, count(*) AS n, count(*) FILTER (WHERE needs_person) AS waiting
          FROM job
         WHERE $1::text IS NULL OR account = $1
         GROUP BY state) by_state
