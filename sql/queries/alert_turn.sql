-- Take the turn of the alerters, or keep it. Safe to repeat. Nobody waits for one whose transaction
-- goes on: the row is passed over.
-- $1 alerter text   $2 seconds int8
-- Returns 1 row when the turn is ours.
UPDATE alerter_turn
   SET alerter = $1, until = now() + make_interval(secs => $2::int8)
 WHERE ctid IN (SELECT ctid FROM alerter_turn WHERE alerter = $1 OR until < now()
                   FOR UPDATE SKIP LOCKED)
RETURNING alerter
