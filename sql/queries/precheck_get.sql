-- One run with its items. Safe to repeat.
-- $1 id text   $2 account text or null for any
-- Returns 0 or 1 row: columns of precheck_shown.
SELECT * FROM precheck_shown WHERE id = $1 AND ($2::text IS NULL OR account = $2)
