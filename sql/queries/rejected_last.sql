-- The last replay that is wanted of a task; 0 = none. Safe to repeat.
-- $1 job text   $2 task int
-- Returns 1 row: replay int8.
SELECT coalesce(max(replay), 0) FROM rejected_command WHERE job = $1 AND task = $2::int AND status = 'wanted'
