-- Roles of an account, newest first, or one of them. Safe to repeat.
-- $1 account text   $2 id text or null   $3 name text or null   $4 ids below this one, or null
-- $5 limit int8
-- Returns 1 row: array json.
SELECT coalesce(json_agg(shown ORDER BY id DESC), '[]')
  FROM (SELECT id, json_build_object(
                   'id', id, 'account_id', account, 'name', name, 'trusted_accounts', trusted_accounts,
                   'external_id', external_id, 'instances', instances, 'permissions', permissions,
                   'databases', databases, 'prefixes', prefixes, 'destinations', destinations,
                   'not_before', kf_time(not_before), 'not_after', kf_time(not_after),
                   'max_session_seconds', max_session_seconds, 'max_rps', max_rps,
                   'max_bytes_per_second', max_bytes_per_second, 'enabled', is_enabled,
                   'created_at', kf_time(created_at), 'updated_at', kf_time(updated_at),
                   'version', version) AS shown
          FROM role
         WHERE account = $1 AND ($2::text IS NULL OR id = $2) AND ($3::text IS NULL OR name = $3)
           AND ($4::text IS NULL OR id < $4)
         ORDER BY id DESC
         LIMIT $5::int8) r
