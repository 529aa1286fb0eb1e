-- Change an API key. Compare-and-set by the version, so repeated it does nothing.
-- $1 account text   $2 id text   $3 version int8   $4 name text or null to leave
-- $5 expires ms int8: -1 leave, 0 never   $6 allowed CIDR blocks text[] or null to leave
-- $7 replaced by text or null to leave   $8 revoke bool
-- Returns 1 row when written, 0 when there is none of that version.
UPDATE api_key
   SET name = coalesce($4, name),
       expires_at = CASE $5::int8 WHEN -1 THEN expires_at WHEN 0 THEN NULL
                                  ELSE to_timestamp($5::int8 / 1000.0) END,
       allowed_cidrs = coalesce($6::text[], allowed_cidrs),
       replaced_by = coalesce($7, replaced_by),
       revoked_at = CASE WHEN $8::bool THEN coalesce(revoked_at, now()) ELSE revoked_at END,
       version = version + 1
 WHERE account = $1 AND id = $2 AND version = $3::int8
RETURNING id
