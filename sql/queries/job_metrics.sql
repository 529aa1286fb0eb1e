-- What /metrics tells of jobs: those a worker may hold, and those that need somebody; and what is
-- told of alerts and notices. Safe to repeat.
-- $1 jobs at most int8
-- Returns 1 row: object json.
SELECT json_build_object(
    'now_ms', kf_ms(clock_timestamp()),
    'jobs', (SELECT coalesce(json_agg(json_build_object(
                 'id', j.id, 'name', j.name, 'account', j.account, 'state', j.state,
                 'retry_deadline_ms', kf_ms((j.retry_state ->> 'deadline_at')::timestamptz),
                 'attention', j.attention ->> 'code', 'progress', t.progress)), '[]')
               FROM (SELECT * FROM job
                      WHERE state IN ('queued', 'starting', 'running', 'retrying', 'pausing',
                                      'paused', 'blocked', 'cutting_over', 'failed', 'stopping')
                      ORDER BY id LIMIT $1::int8) j
               LEFT JOIN task t ON t.job = j.id AND t.number = 0),
    'alerts', (SELECT coalesce(json_object_agg(severity, n), '{}')
                 FROM (SELECT severity, count(*) AS n FROM alert WHERE state = 'firing'
                        GROUP BY severity) a),
    'deliveries', (SELECT coalesce(json_object_agg(state, n), '{}')
                     FROM (SELECT state, count(*) AS n FROM webhook_delivery GROUP BY state) d),
    'workers', (SELECT count(*) FROM worker WHERE seen_at > now() - interval '30 seconds'))
