-- The same without waiting.
-- $1 name text
-- Returns 1 row: got bool.
SELECT pg_try_advisory_xact_lock(hashtextextended($1::text, 0))
