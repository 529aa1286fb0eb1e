-- An API key by its public prefix. Safe to repeat.
-- $1 prefix text
-- Returns 0 or 1 row: id, account, account name, prefix, name, scopes, hash bytea, usable bool,
-- created ms, expires ms, operator bool, allowed CIDR blocks text with commas between, whether its
-- last use is so long ago that key_used would write bool.
SELECT k.id, k.account, a.name, k.prefix, k.name, k.scopes, k.hash,
       k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now()) AND a.status = 'active',
       kf_ms(k.created_at), kf_ms(k.expires_at), a.is_operator, array_to_string(k.allowed_cidrs, ','),
       k.used_at IS NULL OR k.used_at < now() - interval '1 minute'
  FROM api_key k
  JOIN account a ON a.id = k.account
 WHERE k.prefix = $1
