-- A role as it is judged, with the instance asked for when the role is about it. Safe to repeat.
-- $1 account of the owner text   $2 name text   $3 instance text
-- Returns 0 or 1 row: json, sealed bytea of the instance, its endpoint jsonb.
SELECT json_build_object(
           'id', r.id, 'version', r.version, 'name', r.name, 'account', r.account,
           'trusted_accounts', r.trusted_accounts, 'external_id', r.external_id,
           'instances', r.instances, 'permissions', r.permissions, 'databases', r.databases,
           'prefixes', r.prefixes, 'destinations', r.destinations,
           'not_before_ms', kf_ms(r.not_before), 'not_after_ms', kf_ms(r.not_after),
           'now_ms', kf_ms(clock_timestamp()), 'max_session_seconds', r.max_session_seconds,
           'enabled', r.is_enabled, 'max_rps', r.max_rps,
           'max_bytes_per_second', r.max_bytes_per_second),
       i.sealed, i.endpoint
  FROM role r
  LEFT JOIN instance i ON i.id = $3 AND i.account = r.account AND i.id = ANY (r.instances)
 WHERE r.account = $1 AND r.name = $2
