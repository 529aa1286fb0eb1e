-- Register a server. Repeated, it fails: the id is unique.
-- $1 id text   $2 account text   $3 name text   $4 details jsonb   $5 endpoint jsonb   $6 address text
-- $7 sealed bytea
INSERT INTO instance (id, account, name, details, endpoint, address, sealed, sealed_at)
VALUES ($1, $2, $3, $4::jsonb, $5::jsonb, $6, $7::bytea, CASE WHEN $7::bytea IS NOT NULL THEN now() END)
