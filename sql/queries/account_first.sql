-- The oldest account. Safe to repeat.
-- Returns 0 or 1 row: id.
SELECT id FROM account ORDER BY created_at, id LIMIT 1
