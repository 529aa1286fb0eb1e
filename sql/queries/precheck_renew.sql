-- Keep the lease of a run. Safe to repeat.
-- $1 id text   $2 worker text   $3 epoch int8   $4 seconds int8
-- Writes 1 row, or 0 when it is cancelled, over or another's.
UPDATE precheck SET lease_until = now() + make_interval(secs => $4::int8)
 WHERE id = $1 AND lease_owner = $2 AND lease_epoch = $3::int8 AND state = 'running'
