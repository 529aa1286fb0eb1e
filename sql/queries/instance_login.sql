-- How to log in at a registered server now. Safe to repeat.
-- $1 account text   $2 id text
-- Returns 0 or 1 row: endpoint jsonb, sealed bytea.
SELECT endpoint, sealed FROM instance WHERE account = $1 AND id = $2
