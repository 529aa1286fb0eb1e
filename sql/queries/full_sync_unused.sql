-- Forget the last full sync of a job that was not used. Repeated, it forgets the one before.
-- $1 source text   $2 job text
DELETE FROM full_sync
 WHERE ctid = (SELECT ctid FROM full_sync WHERE source = $1 AND job = $2 ORDER BY at DESC LIMIT 1)
