-- Give a run that was just queued what the run before it found and need not be looked at again.
-- Nothing is taken over from a run that is not over, is not of this specification, or is older than
-- a day. What was skipped is looked at again: most of it was, because an end let nobody in.
-- Safe to repeat.
-- $1 the new run text
WITH new AS (
    SELECT * FROM precheck WHERE id = $1 AND state = 'queued'
), old AS (
    SELECT p.id, coalesce(p.fresh_since, p.finished_at) AS since
      FROM precheck p, new
     WHERE p.job = new.job AND p.id < new.id AND p.purpose = 'precheck'
       AND p.state IN ('passed', 'failed') AND p.last_error IS NULL
       AND p.spec_digest = new.spec_digest AND p.probe = new.probe
       AND coalesce(p.fresh_since, p.finished_at) > now() - interval '24 hours'
     ORDER BY p.id DESC
     LIMIT 1
), items AS (
    INSERT INTO precheck_item (precheck, id, result, ignorable, item, ignored_by, reason, ignored_at,
                               carried)
    SELECT $1, i.id, i.result, i.ignorable, i.item, i.ignored_by, i.reason, i.ignored_at, true
      FROM precheck_item i JOIN old ON i.precheck = old.id
     WHERE i.result IN ('pass', 'ignored')
     ORDER BY i.number
        ON CONFLICT DO NOTHING
)
UPDATE precheck p SET fresh_since = old.since FROM old WHERE p.id = $1
