-- A worker is there. Safe to repeat.
-- $1 id text   $2 host text   $3 pid int8   $4 pool text   $5 version text   $6 tasks held int8
-- $7 reported jsonb or null
-- Returns 1 row: draining bool, tasks that others of the pool have places for int8.
INSERT INTO worker (id, host, pid, pool, version, tasks_held, reported)
VALUES ($1, $2, $3::int8, $4, $5, $6::int8, coalesce($7::jsonb, '{}'))
    ON CONFLICT (id) DO UPDATE
   SET host = excluded.host, pid = excluded.pid, pool = excluded.pool, version = excluded.version,
       tasks_held = excluded.tasks_held, reported = excluded.reported, seen_at = now()
RETURNING draining,
          (SELECT coalesce(sum(greatest((o.reported ->> 'tasks_max')::int8 - o.tasks_held, 0)), 0)::int8
             FROM worker o
            WHERE o.id <> $1 AND o.pool = $4 AND NOT o.draining
              AND o.seen_at > now() - interval '15 seconds')
