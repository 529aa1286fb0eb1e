-- Alertmanagers that are to be told what fires: once a minute, and at once after a change. Those
-- that are taken are marked, so that two alerters push once. Safe to repeat.
-- $1 seconds between pushes int4
-- Returns 1 row: array json of {"endpoint", "account", "alerts"}; alerts over for five minutes or
-- less are among them.
WITH taken AS (
    UPDATE webhook_endpoint e
       SET pushed_at = now()
     WHERE e.kind = 'alertmanager' AND e.enabled
       AND EXISTS (SELECT 1 FROM alert a
                    WHERE a.account = e.account AND a.fired_at IS NOT NULL
                      AND (a.state = 'firing' OR a.resolved_at > now() - interval '5 minutes')
                      AND (e.pushed_at IS NULL
                           OR e.pushed_at < now() - make_interval(secs => $1::int4)
                           OR greatest(a.fired_at, a.resolved_at) > e.pushed_at))
    RETURNING e.id, e.account
)
SELECT coalesce(json_agg(json_build_object(
           'endpoint', t.id, 'account', t.account, 'alerts',
           (SELECT json_agg(json_build_object(
                       'id', a.id, 'rule_id', a.rule, 'job_id', a.job, 'job_name', j.name,
                       'type', a.type, 'severity', a.severity, 'state', a.state, 'value', a.value,
                       'detail', a.detail, 'fired_at', kf_time(a.fired_at),
                       'resolved_at', kf_time(a.resolved_at),
                       'ends_at', kf_time(coalesce(a.resolved_at, now() + interval '4 minutes'))))
              FROM alert a JOIN job j ON j.id = a.job
             WHERE a.account = t.account AND a.fired_at IS NOT NULL
               AND (a.silenced_until IS NULL OR a.silenced_until < now())
               AND (a.state = 'firing' OR a.resolved_at > now() - interval '5 minutes')))), '[]')
  FROM taken t
