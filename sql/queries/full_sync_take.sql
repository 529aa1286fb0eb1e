-- Count a full sync when fewer than the limit were allowed within the hour, or when it is the first
-- of a job that somebody started. Under the lock of the source's name. Repeated, it counts another.
-- $1 source text   $2 job text   $3 per hour int8   $4 may be a job's first bool
-- Writes 1 row when allowed.
INSERT INTO full_sync (source, job)
SELECT $1, $2
 WHERE (SELECT count(*) FROM full_sync
         WHERE source = $1 AND at > clock_timestamp() - interval '1 hour') < $3::int8
    OR ($4::bool AND NOT EXISTS (SELECT FROM full_sync WHERE source = $1 AND job = $2))
