-- What keeps an account from being closed. Safe to repeat.
-- $1 account text
-- Returns 1 row: jobs that are not released, instances.
SELECT (SELECT count(*) FROM job WHERE account = $1 AND state <> 'released'),
       (SELECT count(*) FROM instance WHERE account = $1)
