-- Accounts, newest first, or one of them; closed ones are only found by their id. Safe to repeat.
-- $1 id text or null for all   $2 ids below this one, or null   $3 limit int8
-- Returns 1 row: array json.
SELECT coalesce(json_agg(shown ORDER BY id DESC), '[]')
  FROM (SELECT id, json_build_object(
                   'id', id, 'name', name, 'status', status, 'operator', is_operator,
                   'quotas', quotas, 'created_at', kf_time(created_at), 'version', version) AS shown
          FROM account
         WHERE ($1::text IS NULL AND status <> 'closed' OR id = $1)
           AND ($2::text IS NULL OR id < $2)
         ORDER BY id DESC
         LIMIT $3::int8) a
