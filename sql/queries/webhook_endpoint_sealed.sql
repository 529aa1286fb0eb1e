-- The sealed secrets of an endpoint. Safe to repeat.
-- $1 account text   $2 id text
-- Returns 1 row: sealed bytea.
SELECT sealed FROM webhook_endpoint WHERE account = $1 AND id = $2
