-- Take the oldest thing asked of an instance. Repeated, it takes another.
-- $1 worker text   $2 seconds int8
-- Returns 0 or 1 row: id, work, endpoint jsonb, sealed bytea (of the work, else of the instance).
WITH waiting AS MATERIALIZED (
    SELECT id FROM instance
     WHERE work_state IN ('queued', 'running') AND work_until < now()
       AND NOT EXISTS (SELECT 1 FROM worker d WHERE d.id = $1 AND d.draining)
     ORDER BY work_at
     LIMIT 1
       FOR UPDATE SKIP LOCKED
)
UPDATE instance i
   SET work_state = 'running', work_owner = $1, work_until = now() + make_interval(secs => $2::int8)
  FROM waiting w
 WHERE i.id = w.id
RETURNING i.id, i.work, coalesce(i.work_endpoint, i.endpoint),
          CASE WHEN i.work = 'rotate' THEN i.work_sealed ELSE i.sealed END
