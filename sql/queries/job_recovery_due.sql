-- Failed jobs whose next attempt by themselves is due, the longest due first. Safe to repeat.
-- $1 limit int8
-- Returns 1 row: array of ids json.
SELECT coalesce(json_agg(id), '[]')
  FROM (SELECT id FROM job
         WHERE state = 'failed' AND retry_state ->> 'kind' = 'recovery'
           AND spec -> 'auto_recovery' -> 'enabled' = 'true'
           AND retry_state ->> 'next_attempt_at' <= kf_time(now())
         ORDER BY retry_state ->> 'next_attempt_at'
         LIMIT $1::int8) due
