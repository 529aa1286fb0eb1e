-- Points for charts, oldest first, the newest kept when there are more. Safe to repeat.
-- $1 job text   $2 since ms int8   $3 limit int8
-- Returns 1 row: array jsonb.
SELECT coalesce(jsonb_agg(jsonb_build_object('at', kf_time(at), 'latency_us', latency_us,
           'lag_bytes', lag_bytes, 'keys_per_second', keys_per_second,
           'commands_per_second', commands_per_second, 'bytes_per_second', bytes_per_second)
           ORDER BY at), '[]')
  FROM (SELECT * FROM sample
         WHERE job = $1 AND at >= to_timestamp($2::int8 / 1000.0)
         ORDER BY at DESC
         LIMIT $3::int8) newest
