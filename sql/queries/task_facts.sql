-- Keep what an end turned out to be. Safe to repeat.
-- $1 job text   $2 task int8   $3 lease epoch int8   $4 worker text   $5 end text   $6 facts jsonb
-- Writes 1 row, or 0 when the lease is no longer ours.
UPDATE task
   SET source_facts = CASE WHEN $5::text = 'source' THEN $6::jsonb ELSE source_facts END,
       destination_facts = CASE WHEN $5 = 'destination' THEN $6::jsonb ELSE destination_facts END
 WHERE job = $1 AND number = $2::int8 AND lease_epoch = $3::int8 AND lease_owner = $4
