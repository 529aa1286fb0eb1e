-- Send a delivery once more, now and under its id. Safe to repeat.
-- $1 account text   $2 endpoint text   $3 id text
-- Returns 1 row when there is one that is not on its way.
UPDATE webhook_delivery
   SET state = 'pending', next_at = now(), finished_at = NULL, claimed_until = '-infinity',
       attempts_max = attempts + 1
 WHERE account = $1 AND endpoint = $2 AND id = $3 AND state <> 'pending'
RETURNING id
