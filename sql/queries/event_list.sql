-- History of a job after a number, oldest first. Safe to repeat.
-- $1 job text   $2 after int8   $3 limit int8
-- Returns 1 row: array jsonb.
SELECT coalesce(jsonb_agg(jsonb_build_object('number', number, 'type', type, 'at', kf_time(at),
           'state', state, 'sentence', sentence, 'detail', detail, 'actor', actor) ORDER BY number), '[]')
  FROM (SELECT * FROM job_event WHERE job = $1 AND number > $2::int8 ORDER BY number LIMIT $3::int8) e
