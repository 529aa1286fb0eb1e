-- A worker ended in order. Safe to repeat.
-- $1 id text
DELETE FROM worker WHERE id = $1
