-- The steps of a job, told by its history and its last precheck: nothing keeps them up to date
-- but what happens. Safe to repeat.
-- $1 job text
-- Returns 0 or 1 row: [{"name", "state", "started_at", "finished_at"}] jsonb.
WITH begun AS (
    SELECT coalesce(max(number), 0) AS number FROM job_event WHERE job = $1 AND type = 'restarted'
), told AS (
    SELECT coalesce(max(at) FILTER (WHERE type = 'full_resync'),
                    min(at) FILTER (WHERE type = 'running')) AS full_at,
           max(at) FILTER (WHERE type IN ('copied', 'completed')) AS copied_at
      FROM job_event e, begun
     WHERE e.job = $1 AND e.number > begun.number
), switched AS (
    SELECT max(at) FILTER (WHERE type = 'cutover.started') AS started_at,
           max(at) FILTER (WHERE type = 'cutover.finished') AS finished_at,
           max(at) FILTER (WHERE type = 'cutover.aborted') AS aborted_at,
           max(at) FILTER (WHERE type = 'cutover.failed') AS failed_at
      FROM job_event e, begun
     WHERE e.job = $1 AND e.number > begun.number
), step AS (
    SELECT 1 AS number, 'precheck' AS name,
           CASE WHEN p.state = 'queued' THEN 'running' ELSE coalesce(p.state, 'waiting') END AS state,
           coalesce(p.started_at, p.created_at) AS started_at, p.finished_at
      FROM job j
      LEFT JOIN LATERAL (SELECT * FROM precheck WHERE job = j.id AND purpose = 'precheck'
                           ORDER BY id DESC LIMIT 1) p ON true
     WHERE j.id = $1
    UNION ALL
    SELECT 2, 'full',
           CASE WHEN t.full_at IS NULL THEN 'waiting'
                WHEN t.copied_at >= t.full_at THEN 'done'
                WHEN j.state IN ('stopped', 'failed', 'blocked', 'paused') THEN j.state
                ELSE 'running' END,
           t.full_at,
           CASE WHEN t.copied_at >= t.full_at THEN t.copied_at ELSE j.finished_at END
      FROM job j, told t
     WHERE j.id = $1 AND coalesce((j.spec -> 'migration' ->> 'full')::bool, true)
    UNION ALL
    SELECT 3, 'incremental',
           CASE WHEN t.copied_at IS NULL OR t.copied_at < t.full_at THEN 'waiting'
                WHEN j.state IN ('stopped', 'completed', 'released') THEN 'done'
                WHEN j.state IN ('failed', 'blocked', 'paused') THEN j.state
                ELSE 'running' END,
           CASE WHEN t.copied_at >= t.full_at THEN t.copied_at END,
           CASE WHEN t.copied_at >= t.full_at THEN j.finished_at END
      FROM job j, told t
     WHERE j.id = $1 AND coalesce((j.spec -> 'migration' ->> 'incremental')::bool, true)
    UNION ALL
    SELECT 4, 'cutover',
           CASE WHEN finished_at >= started_at THEN 'done'
                WHEN failed_at >= started_at THEN 'failed'
                WHEN aborted_at >= started_at THEN 'cancelled'
                ELSE 'running' END,
           started_at,
           CASE WHEN finished_at >= started_at THEN finished_at
                WHEN failed_at >= started_at THEN failed_at
                WHEN aborted_at >= started_at THEN aborted_at END
      FROM switched WHERE started_at IS NOT NULL
)
SELECT jsonb_agg(jsonb_build_object('name', name, 'state', state, 'started_at', kf_time(started_at),
                                    'finished_at', kf_time(finished_at)) ORDER BY number)
  FROM step
HAVING count(*) > 0
