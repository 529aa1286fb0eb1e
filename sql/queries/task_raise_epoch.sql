-- Put our lease above one that the destination knows. Repeated, the epoch named is not ours any
-- more: 0 rows.
-- $1 job text   $2 task int8   $3 lease epoch int8   $4 worker text   $5 above int8
-- Returns 1 row, epoch int8, or 0 when the lease is no longer ours.
UPDATE task
   SET lease_epoch = greatest(lease_epoch, $5::int8) + 1
 WHERE job = $1 AND number = $2::int8 AND lease_epoch = $3::int8 AND lease_owner = $4
RETURNING lease_epoch
