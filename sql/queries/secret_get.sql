-- A secret as it is now. Safe to repeat.
-- $1 kind text   $2 row text
-- Returns 0 or 1 row: sealed bytea.
SELECT sealed FROM sealed_secret WHERE kind = $1::text AND row_id = $2::text
