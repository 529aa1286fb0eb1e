-- Put a command on record. Safe to repeat: a place in a history has one row. Beyond a thousand rows of
-- a job nothing is kept.
-- $1 job text   $2 task int   $3 generation int8   $4 offset int8   $5 command text   $6 database int
-- $7 key hash text   $8 reason text   $9 sealed bytea
INSERT INTO rejected_command (job, task, generation, source_offset, command, source_database, key_hash,
                              reason, sealed)
SELECT $1, $2::int, $3::int8, $4::int8, $5, $6::int, $7, $8, $9::bytea
 WHERE (SELECT count(*) FROM rejected_command WHERE job = $1) < 1000
ON CONFLICT (job, task, generation, source_offset) DO NOTHING
