-- All that the alerter looks at, in one statement and so of one moment: rules that are on, jobs
-- they may cover, alerts that are open. Safe to repeat.
-- Returns 1 row: object json.
WITH rules AS MATERIALIZED (
    SELECT * FROM alert_rule WHERE enabled
), watched AS (
    SELECT j.id, j.account, j.name, j.state, j.spec -> 'labels' AS labels, j.started_at,
           j.retry_state, j.attention ->> 'code' AS attention,
           j.last_error ->> 'code' AS error, t.progress,
           EXISTS (SELECT 1 FROM job_event e WHERE e.job = j.id AND e.type = 'caught_up')
               AS caught_up
      FROM job j LEFT JOIN task t ON t.job = j.id AND t.number = 0
     WHERE (j.account IN (SELECT account FROM rules)
            AND j.state NOT IN ('draft', 'configured', 'prechecking', 'precheck_passed',
                                'scheduled', 'completed', 'stopped', 'released'))
        OR j.id IN (SELECT job FROM alert WHERE state <> 'resolved')
)
SELECT json_build_object(
    'now_ms', kf_ms(clock_timestamp()),
    'rules', (SELECT coalesce(json_agg(json_build_object(
                  'id', id, 'account', account, 'name', name, 'job_id', job, 'labels', labels,
                  'type', type, 'threshold', threshold, 'for_seconds', for_seconds,
                  'resolve_threshold', resolve_threshold,
                  'resolve_for_seconds', resolve_for_seconds,
                  'suppress_until_caught_up', suppress_until_caught_up,
                  'repeat_interval_seconds', repeat_interval_seconds, 'severity', severity,
                  'contacts', contacts, 'send_resolved', send_resolved)), '[]') FROM rules),
    'jobs', (SELECT coalesce(json_agg(json_build_object(
                 'id', id, 'account', account, 'name', name, 'state', state, 'labels', labels,
                 'started_ms', kf_ms(started_at),
                 'retry_since_ms', kf_ms((retry_state ->> 'since')::timestamptz),
                 'retry_deadline_ms', kf_ms((retry_state ->> 'deadline_at')::timestamptz),
                 'caught_up', caught_up, 'attention', attention, 'error', error,
                 'progress', progress)), '[]') FROM watched),
    'open', (SELECT coalesce(json_agg(json_build_object(
                 'id', id, 'rule', rule, 'job', job, 'state', state, 'since_ms', kf_ms(since),
                 'well_since_ms', kf_ms(well_since), 'fired_ms', kf_ms(fired_at),
                 'notified_ms', kf_ms(notified_at), 'acknowledged_ms', kf_ms(acknowledged_at),
                 'silenced_until_ms', kf_ms(silenced_until))), '[]')
               FROM alert WHERE state <> 'resolved'))
