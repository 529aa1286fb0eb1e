-- Say of each failed job whether and when it is tried again. Safe to repeat: what stands there
-- already is not written again.
-- A series of failures begins behind the last event that was good: it caught up, or a person
-- started or resumed it. Who wanted it paused, stopped or cut over does not want it back.
-- Failures are counted job by job (LATERAL): joined, the events of all jobs would be gone through.
-- Failures are counted job by job (LATERAL): joined, the events of all jobs would be gone through.
-- $1 seconds between a failure and the next attempt int8
WITH failed AS (
    SELECT id, spec -> 'auto_recovery' AS wish, last_error, retry_state
      FROM job
     WHERE state = 'failed'
       AND (spec -> 'auto_recovery' -> 'enabled' = 'true' OR retry_state ->> 'kind' = 'recovery')
), story AS (
    SELECT f.*,
           (SELECT coalesce(max(e.number), 0) FROM job_event e
             WHERE e.job = f.id
               AND (e.type IN ('caught_up', 'start.requested', 'due')
                    OR (e.type = 'resumed' AND e.actor IS NOT NULL))) AS good,
           (SELECT e.type FROM job_event e
             WHERE e.job = f.id
               AND e.type IN ('start.requested', 'due', 'resumed', 'pause.requested', 'stop.requested',
                              'cutover.started', 'cutover.aborted', 'cutover.failed')
             ORDER BY e.number DESC LIMIT 1) AS wanted
      FROM failed f
), series AS (
    SELECT s.id, s.wish, s.last_error, s.wanted, e.since, e.latest, e.failures,
           e.since + make_interval(hours => (s.wish ->> 'window_hours')::int) AS until
      FROM story s
     CROSS JOIN LATERAL (SELECT min(at) AS since, max(at) AS latest, count(*) AS failures
                           FROM job_event
                          WHERE job = s.id AND type = 'failed' AND number > s.good) e
     WHERE e.failures > 0
), plan AS (
    SELECT id,
           CASE WHEN wish -> 'enabled' = 'true'
                 AND wanted NOT IN ('pause.requested', 'stop.requested', 'cutover.started')
                THEN jsonb_build_object(
                         'kind', 'recovery', 'target', 'worker', 'attempt', failures,
                         'since', kf_time(since),
                         'next_attempt_at', CASE WHEN latest + make_interval(secs => $1::int8) < until
                                                 THEN kf_time(latest + make_interval(secs => $1::int8)) END,
                         'deadline_at', kf_time(until),
                         'error', coalesce(last_error, '{}') - 'at') END AS state
      FROM series
)
UPDATE job j
   SET retry_state = p.state, version = j.version + 1, updated_at = now()
  FROM plan p
 WHERE j.id = p.id AND j.state = 'failed' AND j.retry_state IS DISTINCT FROM p.state
