-- Workers seen within a day. Safe to repeat.
-- Returns 1 row: array jsonb.
SELECT coalesce(jsonb_agg(jsonb_build_object('id', id, 'host', host, 'pid', pid, 'pool', pool,
           'version', version, 'tasks_held', tasks_held, 'draining', draining,
           'seen_at', kf_time(seen_at), 'alive', seen_at > now() - interval '30 seconds') ORDER BY id),
           '[]')
  FROM worker
 WHERE seen_at > now() - interval '1 day'
