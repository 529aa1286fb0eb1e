-- Scheduled jobs whose time has come, the longest due first. Safe to repeat.
-- $1 limit int8
-- Returns 1 row: array of ids json.
SELECT coalesce(json_agg(id), '[]')
  FROM (SELECT id FROM job
         WHERE state = 'scheduled' AND (spec -> 'migration') ->> 'start_at' <= kf_time(now())
         ORDER BY (spec -> 'migration') ->> 'start_at'
         LIMIT $1::int8) due
