-- Give a task back. Safe to repeat.
-- $1 job text   $2 task int8   $3 lease epoch int8   $4 worker text
UPDATE task
   SET lease_owner = NULL, lease_until = '-infinity'
 WHERE job = $1 AND number = $2::int8 AND lease_epoch = $3::int8 AND lease_owner = $4
