-- Keep the hash of a new API key. Repeated, it fails: prefix and id are unique.
-- $1 id text   $2 account text   $3 name text   $4 prefix text   $5 hash bytea   $6 scopes text
INSERT INTO api_key (id, account, name, prefix, hash, scopes) VALUES ($1, $2, $3, $4, $5, $6)
