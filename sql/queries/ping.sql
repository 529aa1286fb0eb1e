-- Is the server there? Safe to repeat.
-- Returns 1 row.
SELECT 1
