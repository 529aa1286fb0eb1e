-- Change what is said about a server, and how it is reached. Compare-and-set by the version, so
-- repeated it does nothing.
-- $1 account text   $2 id text   $3 version int8   $4 name text   $5 details jsonb
-- $6 endpoint jsonb or null to leave it with address and credentials   $7 address text   $8 sealed bytea
-- Returns 1 row when written, 0 when there is none of that version.
UPDATE instance
   SET name = $4, details = $5::jsonb,
       sealed = CASE WHEN $6::jsonb IS NULL THEN sealed ELSE $8::bytea END,
       sealed_at = CASE WHEN $6::jsonb IS NULL THEN sealed_at
                        WHEN $8::bytea IS NOT NULL THEN now() END,
       address = CASE WHEN $6::jsonb IS NULL THEN address ELSE $7 END,
       endpoint = coalesce($6::jsonb, endpoint),
       version = version + 1, updated_at = now()
 WHERE account = $1 AND id = $2 AND version = $3::int8
RETURNING id
