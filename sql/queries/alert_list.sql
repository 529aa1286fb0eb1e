-- Alerts of an account, newest first, or one of them; pending ones are nobody's business yet.
-- Safe to repeat.
-- $1 account text   $2 id text or null   $3 states text[] or null for all   $4 job text or null
-- $5 ids below this one, or null   $6 limit int8
-- Returns 1 row: array json.
SELECT coalesce(json_agg(shown ORDER BY id DESC), '[]')
  FROM (SELECT a.id, json_build_object(
                   'id', a.id, 'rule_id', a.rule, 'rule_name', r.name, 'job_id', a.job,
                   'job_name', j.name, 'type', a.type, 'severity', a.severity, 'state', a.state,
                   'value', a.value, 'detail', a.detail, 'since', kf_time(a.since),
                   'fired_at', kf_time(a.fired_at), 'resolved_at', kf_time(a.resolved_at),
                   'notified_at', kf_time(a.notified_at), 'notices', a.notices,
                   'acknowledged_at', kf_time(a.acknowledged_at),
                   'acknowledged_by', a.acknowledged_by,
                   'silenced_until', kf_time(a.silenced_until), 'labels', j.spec -> 'labels',
                   'version', a.version) AS shown
          FROM alert a JOIN job j ON j.id = a.job LEFT JOIN alert_rule r ON r.id = a.rule
         WHERE a.account = $1 AND a.state <> 'pending' AND ($2::text IS NULL OR a.id = $2)
           AND ($3::text[] IS NULL OR a.state = ANY ($3::text[]))
           AND ($4::text IS NULL OR a.job = $4) AND ($5::text IS NULL OR a.id < $5)
         ORDER BY a.id DESC
         LIMIT $6::int8) l
