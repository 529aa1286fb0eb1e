-- A worker is there. Safe to repeat.
-- $1 id text   $2 host text   $3 pid int8   $4 pool text   $5 version text   $6 tasks held int8
-- Returns 1 row: draining bool.
INSERT INTO worker (id, host, pid, pool, version, tasks_held)
VALUES ($1, $2, $3::int8, $4, $5, $6::int8)
    ON CONFLICT (id) DO UPDATE
   SET host = excluded.host, pid = excluded.pid, pool = excluded.pool, version = excluded.version,
       tasks_held = excluded.tasks_held, seen_at = now()
RETURNING draining
