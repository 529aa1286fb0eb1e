-- Mirror how often commands were met. Safe to repeat; counts never go back but with a new job. Jobs
-- that are gone are passed over.
-- $1 jobs text[]   $2 commands text[]   $3 applied text[]   $4 skipped text[]   $5 rejected text[]
-- Returns nothing.
INSERT INTO command_count AS c (job, command, applied, skipped, rejected)
SELECT r.job, r.command, r.applied::int8, r.skipped::int8, r.rejected::int8
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
       AS r (job, command, applied, skipped, rejected)
 WHERE EXISTS (SELECT 1 FROM job j WHERE j.id = r.job)
ON CONFLICT (job, command) DO UPDATE
   SET applied = greatest(c.applied, excluded.applied), skipped = greatest(c.skipped, excluded.skipped),
       rejected = greatest(c.rejected, excluded.rejected)
