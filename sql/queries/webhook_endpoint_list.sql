-- Endpoints of an account, newest first, or one of them. Safe to repeat.
-- $1 account text   $2 id text or null for all   $3 ids below this one, or null   $4 limit int8
-- Returns 1 row: array json.
SELECT coalesce(json_agg(shown ORDER BY id DESC), '[]')
  FROM (SELECT id, json_build_object(
                   'id', id, 'name', name, 'url', url, 'kind', kind, 'event_types', event_types,
                   'timeout_ms', timeout_ms, 'enabled', enabled,
                   'disabled_reason', disabled_reason, 'created_at', kf_time(created_at),
                   'updated_at', kf_time(updated_at), 'version', version) AS shown
          FROM webhook_endpoint
         WHERE account = $1 AND ($2::text IS NULL OR id = $2) AND ($3::text IS NULL OR id < $3)
         ORDER BY id DESC
         LIMIT $4::int8) e
