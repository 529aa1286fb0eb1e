-- A worker with what it still has in hands: tasks by their leases, and why the ones that it does not
-- hand over stay, as it said last. Safe to repeat.
-- $1 id text
-- Returns 0 or 1 row: jsonb.
SELECT w.shown || jsonb_build_object(
           'tasks', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                                'job_id', t.job, 'task', t.number, 'state', j.state,
                                'phase', nullif(j.phase, ''),
                                'stays_because', d.reported -> 'staying' -> (t.job || ':' || t.number))
                                ORDER BY t.job, t.number), '[]')
                       FROM task t
                       JOIN job j ON j.id = t.job
                      WHERE t.lease_owner = w.id AND t.lease_until > now()),
           'prechecks_running', (SELECT count(*) FROM precheck p
                                  WHERE p.lease_owner = w.id AND p.state = 'running'
                                    AND p.lease_until > now()))
  FROM worker_shown w
  JOIN worker d ON d.id = w.id
 WHERE w.id = $1
