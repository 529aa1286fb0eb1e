-- Count a full sync when fewer than the limit were allowed within the hour. Under the lock of the
-- source's name. Repeated, it counts another.
-- $1 source text   $2 job text   $3 per hour int8
-- Writes 1 row when allowed.
INSERT INTO full_sync (source, job)
SELECT $1, $2
 WHERE (SELECT count(*) FROM full_sync
         WHERE source = $1 AND at > clock_timestamp() - interval '1 hour') < $3::int8
