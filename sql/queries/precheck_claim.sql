-- Lease the run that has waited longest, of an account of which fewest run: who asks for thousands
-- keeps nobody else waiting for more than one. One whose worker went silent begins again, without
-- the items it had, but for those taken over from an earlier run. Repeated, it claims another.
-- $1 worker text   $2 pool text   $3 seconds int8
-- Returns 0 or 1 row: id, job, epoch, probe, spec, sealed bytea, purpose, ids of items taken over
-- jsonb.
WITH busy AS (
    SELECT account, count(*) AS runs FROM precheck
     WHERE state = 'running' AND lease_until >= now()
     GROUP BY account
), waiting AS MATERIALIZED (
    SELECT p.id FROM precheck p LEFT JOIN busy b ON b.account = p.account
     WHERE p.state IN ('queued', 'running') AND p.lease_until < now() AND p.worker_pool = $2
       AND NOT EXISTS (SELECT 1 FROM worker d WHERE d.id = $1 AND d.draining)
     ORDER BY coalesce(b.runs, 0), p.created_at, p.id
     LIMIT 1
       FOR UPDATE OF p SKIP LOCKED
), emptied AS (
    DELETE FROM precheck_item i USING waiting w WHERE i.precheck = w.id AND NOT i.carried
)
UPDATE precheck p
   SET state = 'running', lease_owner = $1, lease_until = now() + make_interval(secs => $3::int8),
       lease_epoch = p.lease_epoch + 1, started_at = now(), version = p.version + 1
  FROM waiting w
 WHERE p.id = w.id
RETURNING p.id, coalesce(p.job, ''), p.lease_epoch, p.probe, p.spec,
          CASE WHEN p.purpose = 'start' THEN (SELECT j.sealed FROM job j WHERE j.id = p.job)
               ELSE p.sealed END, p.purpose,
          (SELECT coalesce(jsonb_agg(i.id), '[]') FROM precheck_item i WHERE i.precheck = p.id AND i.carried)
