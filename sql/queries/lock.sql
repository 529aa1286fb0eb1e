-- Wait for the lock of a name until the transaction ends. Safe to repeat within it.
-- $1 name text
SELECT pg_advisory_xact_lock(hashtextextended($1::text, 0))
