-- How a replay ended. Safe to repeat.
-- $1 job text   $2 replay int8   $3 status text   $4 detail text
UPDATE rejected_command
   SET status = $3, detail = $4, replayed_at = now()
 WHERE job = $1 AND replay = $2::int8 AND status = 'wanted'
