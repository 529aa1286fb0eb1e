-- What is known of the ends of a run's job, where the run is of one that was worked on. Safe to repeat.
-- $1 precheck text
-- Returns 0 or 1 row: object jsonb of "has_position" bool, "history" text or null.
SELECT jsonb_build_object('has_position', t.claimed_before,
                          'history', coalesce(t.source_facts ->> 'history', t.progress ->> 'replid'))
  FROM precheck p
  JOIN task t ON t.job = p.job AND t.number = 0
 WHERE p.id = $1 AND p.purpose = 'connectivity'
