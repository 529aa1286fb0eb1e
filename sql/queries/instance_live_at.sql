-- Is a server in use by applications, whoever registered it? Safe to repeat.
-- $1 address text
-- Returns 0 or 1 row: id.
SELECT id FROM instance WHERE address = $1 AND is_live LIMIT 1
