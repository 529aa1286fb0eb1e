-- The next replay that is wanted of a task, after a number. Safe to repeat.
-- $1 job text   $2 task int   $3 after int8
-- Returns 0 or 1 row: replay int8, generation int8, offset int8, database int, sealed bytea.
SELECT replay, generation, source_offset, source_database, sealed
  FROM rejected_command
 WHERE job = $1 AND task = $2::int AND status = 'wanted' AND replay > $3::int8
 ORDER BY replay
 LIMIT 1
