-- Rules of an account, newest first, or one of them. Safe to repeat.
-- $1 account text or null for any   $2 id text or null for all   $3 job text or null for any
-- $4 ids below this one, or null   $5 limit int8
-- Returns 1 row: array json.
SELECT coalesce(json_agg(shown ORDER BY id DESC), '[]')
  FROM (SELECT id, json_build_object(
                   'id', id, 'account', account, 'name', name, 'job_id', job, 'labels', labels,
                   'type', type, 'threshold', threshold, 'for_seconds', for_seconds,
                   'resolve_threshold', resolve_threshold,
                   'resolve_for_seconds', resolve_for_seconds,
                   'suppress_until_caught_up', suppress_until_caught_up,
                   'repeat_interval_seconds', repeat_interval_seconds, 'severity', severity,
                   'contacts', contacts, 'send_resolved', send_resolved, 'enabled', enabled,
                   'created_at', kf_time(created_at), 'updated_at', kf_time(updated_at),
                   'version', version) AS shown
          FROM alert_rule
         WHERE ($1::text IS NULL OR account = $1) AND ($2::text IS NULL OR id = $2)
           AND ($3::text IS NULL OR job = $3) AND ($4::text IS NULL OR id < $4)
         ORDER BY id DESC
         LIMIT $5::int8) a
