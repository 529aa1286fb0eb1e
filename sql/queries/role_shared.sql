-- Instances that others let an account use, by role and id. Safe to repeat.
-- $1 account text   $2 account of the owner or null   $3 name of the role or null
-- $4 "<role id>:<instance>" above this one, or null   $5 limit int8
-- Returns 1 row: array json.
SELECT coalesce(json_agg(shown ORDER BY key), '[]')
  FROM (SELECT r.id || ':' || i.id AS key, json_build_object(
                   'key', r.id || ':' || i.id,
                   'instance_id', i.id, 'account_id', r.account, 'role_name', r.name,
                   'name', CASE WHEN 'instance.describe' = ANY (r.permissions) THEN i.name END,
                   'engine', CASE WHEN 'instance.describe' = ANY (r.permissions) THEN i.details -> 'engine' END,
                   'region', CASE WHEN 'instance.describe' = ANY (r.permissions) THEN i.details -> 'region' END,
                   'label', CASE WHEN 'instance.describe' = ANY (r.permissions) THEN i.endpoint ->> 'label' END,
                   'permissions', r.permissions, 'databases', r.databases, 'prefixes', r.prefixes,
                   'destinations', r.destinations, 'not_before', kf_time(r.not_before),
                   'not_after', kf_time(r.not_after), 'max_rps', r.max_rps,
                   'max_bytes_per_second', r.max_bytes_per_second, 'external_id_required', r.external_id IS NOT NULL) AS shown
          FROM role r
          JOIN instance i ON i.account = r.account AND i.id = ANY (r.instances)
         WHERE r.trusted_accounts @> ARRAY[$1::text] AND r.is_enabled
           AND (r.not_after IS NULL OR r.not_after > now())
           AND ($2::text IS NULL OR r.account = $2) AND ($3::text IS NULL OR r.name = $3)
           AND ($4::text IS NULL OR r.id || ':' || i.id > $4)
         ORDER BY 1
         LIMIT $5::int8) s
