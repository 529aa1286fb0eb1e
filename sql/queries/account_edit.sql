-- Change an account. Compare-and-set by the version, so repeated it does nothing.
-- $1 id text   $2 version int8   $3 name text or null to leave   $4 status text or null to leave
-- $5 quotas jsonb or null to leave
-- Returns 1 row when written, 0 when the version is another by now.
UPDATE account
   SET name = coalesce($3, name), status = coalesce($4, status),
       quotas = coalesce($5::jsonb, quotas), version = version + 1
 WHERE id = $1 AND version = $2::int8
RETURNING id
