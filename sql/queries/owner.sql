-- Whose a job or a precheck is. Safe to repeat.
-- $1 id text
-- Returns 0 or 1 row: account.
SELECT account FROM job WHERE id = $1 UNION ALL SELECT account FROM precheck WHERE id = $1
