-- A pending alert that did not come true leaves nothing. Safe to repeat.
-- $1 id text
-- Returns nothing.
DELETE FROM alert WHERE id = $1 AND state = 'pending'
