-- Keep the hash of a new API key. Repeated, it fails: prefix and id are unique.
-- $1 id text   $2 account text   $3 name text   $4 prefix text   $5 hash bytea   $6 scopes text
-- $7 expires ms int8, 0 = never   $8 allowed CIDR blocks text[] or null
INSERT INTO api_key (id, account, name, prefix, hash, scopes, expires_at, allowed_cidrs)
VALUES ($1, $2, $3, $4, $5, $6, CASE WHEN $7::int8 > 0 THEN to_timestamp($7::int8 / 1000.0) END,
        coalesce($8::text[], '{}'))
