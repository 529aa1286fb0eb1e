-- API keys of an account, newest first, or one of them. Safe to repeat.
-- $1 account text   $2 id text or null   $3 ids below this one, or null   $4 limit int8
-- Returns 1 row: array json.
SELECT coalesce(json_agg(shown ORDER BY id DESC), '[]')
  FROM (SELECT id, json_build_object(
                   'id', id, 'account_id', account, 'name', name, 'prefix', prefix,
                   'scopes', to_json(string_to_array(scopes, ' ')),
                   'allowed_cidrs', to_json(allowed_cidrs),
                   'status', CASE WHEN revoked_at IS NOT NULL THEN 'revoked'
                                  WHEN expires_at <= now() THEN 'expired' ELSE 'active' END,
                   'replaced_by', replaced_by, 'created_at', kf_time(created_at),
                   'expires_at', kf_time(expires_at), 'revoked_at', kf_time(revoked_at),
                   'used_at', kf_time(used_at), 'version', version) AS shown
          FROM api_key
         WHERE account = $1 AND ($2::text IS NULL OR id = $2) AND ($3::text IS NULL OR id < $3)
         ORDER BY id DESC
         LIMIT $4::int8) k
