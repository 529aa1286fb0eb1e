-- Pools with their workers. Safe to repeat.
-- $1 pool text or null
-- Returns 1 row: array jsonb.
SELECT coalesce(jsonb_agg(shown ORDER BY pool), '[]')
  FROM (SELECT pool, jsonb_build_object(
                   'name', pool,
                   'workers_alive', count(*) FILTER (WHERE is_alive),
                   'workers_draining', count(*) FILTER (WHERE is_alive AND (shown -> 'draining')::bool),
                   'tasks_held', coalesce(sum((shown ->> 'tasks_held')::int8) FILTER (WHERE is_alive), 0),
                   'tasks_max', coalesce(sum((shown ->> 'tasks_max')::int8)
                                         FILTER (WHERE is_alive AND NOT (shown -> 'draining')::bool), 0),
                   'versions', jsonb_agg(DISTINCT shown -> 'version'),
                   'workers', jsonb_agg(shown - 'host' - 'pid' - 'pool' ORDER BY id)) AS shown
          FROM worker_shown
         WHERE ($1::text IS NULL OR pool = $1)
         GROUP BY pool) p
