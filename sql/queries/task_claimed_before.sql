-- Remember whether a position of the task must exist at the destination. Safe to repeat.
-- $1 job text   $2 task int8   $3 lease epoch int8   $4 worker text   $5 value bool
-- Writes 1 row, or 0 when the lease is no longer ours.
UPDATE task SET claimed_before = $5::bool
 WHERE job = $1 AND number = $2::int8 AND lease_epoch = $3::int8 AND lease_owner = $4
