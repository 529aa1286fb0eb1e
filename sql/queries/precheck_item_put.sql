-- Write down what a check found; a warning counts as accepted when the run was asked for so, or when
-- the same was accepted in a run of this specification within a day: whoever accepts a warning and
-- checks again is not asked again, unless something else is observed.
-- Safe to repeat: the same check again replaces it.
-- $1 precheck text   $2 epoch int8   $3 id text   $4 result text   $5 ignorable bool   $6 item jsonb
-- Writes 1 row, or 0 when the run is cancelled, over or another's.
WITH run AS (
    SELECT *, $4 = 'warn' AND $5::bool AND ignore_warnings AS accepts
      FROM precheck
     WHERE id = $1 AND lease_epoch = $2::int8 AND state = 'running'
       FOR SHARE
), before AS (
    SELECT i.ignored_by, i.reason, i.ignored_at
      FROM run JOIN precheck p ON p.job = run.job AND p.spec_digest = run.spec_digest
                              AND p.purpose = 'precheck' AND p.id < run.id
      JOIN precheck_item i ON i.precheck = p.id AND i.id = $3
     WHERE $4 = 'warn' AND $5::bool AND NOT run.accepts AND run.purpose = 'precheck'
       AND i.result = 'ignored' AND i.ignored_at > now() - interval '24 hours'
       AND i.item ->> 'message' = $6::jsonb ->> 'message'
       AND i.item ->> 'observed' IS NOT DISTINCT FROM $6::jsonb ->> 'observed'
     ORDER BY p.id DESC
     LIMIT 1
)
INSERT INTO precheck_item (precheck, id, result, ignorable, item, ignored_by, reason, ignored_at)
SELECT id, $3, CASE WHEN accepts OR before.ignored_at IS NOT NULL THEN 'ignored' ELSE $4 END,
       $5::bool, $6::jsonb,
       CASE WHEN accepts THEN actor ELSE before.ignored_by END,
       CASE WHEN accepts THEN coalesce(run.ignore_reason, 'ignore_warnings=true')
            ELSE before.reason END,
       CASE WHEN accepts THEN now() ELSE before.ignored_at END
  FROM run LEFT JOIN before ON true
    ON CONFLICT (precheck, id) DO UPDATE
   SET result = excluded.result, ignorable = excluded.ignorable, item = excluded.item,
       carried = false, ignored_by = excluded.ignored_by, reason = excluded.reason, ignored_at = excluded.ignored_at
