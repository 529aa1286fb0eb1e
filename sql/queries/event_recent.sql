-- History of all jobs of an account, newest first. Safe to repeat.
-- $1 account text   $2 before ms int8, 0 = now   $3 limit int8
-- Returns 1 row: array jsonb.
SELECT coalesce(jsonb_agg(jsonb_build_object('job', job, 'number', number, 'type', type,
           'at', kf_time(at), 'state', state, 'sentence', sentence, 'detail', detail, 'actor', actor)
           ORDER BY at DESC, job, number DESC), '[]')
  FROM (SELECT *
          FROM job_event
         WHERE account = $1
           AND at < CASE WHEN $2::int8 = 0 THEN 'infinity' ELSE to_timestamp($2::int8 / 1000.0) END
         ORDER BY at DESC
         LIMIT $3::int8) newest
