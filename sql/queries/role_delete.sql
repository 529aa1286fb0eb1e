-- Take a role away. Safe to repeat.
-- $1 account text   $2 id text   $3 version int8
-- Returns 1 row when it was there.
DELETE FROM role WHERE account = $1 AND id = $2 AND version = $3::int8 RETURNING id
