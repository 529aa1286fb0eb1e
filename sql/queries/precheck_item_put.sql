-- Write down what a check found; a warning counts as accepted when the run was asked for so.
-- Safe to repeat: the same check again replaces it.
-- $1 precheck text   $2 epoch int8   $3 id text   $4 result text   $5 ignorable bool   $6 item jsonb
-- Writes 1 row, or 0 when the run is cancelled, over or another's.
WITH run AS (
    SELECT *, $4 = 'warn' AND $5::bool AND ignore_warnings AS accepts
      FROM precheck
     WHERE id = $1 AND lease_epoch = $2::int8 AND state = 'running'
       FOR SHARE
)
INSERT INTO precheck_item (precheck, id, result, ignorable, item, ignored_by, reason, ignored_at)
SELECT id, $3, CASE WHEN accepts THEN 'ignored' ELSE $4 END, $5::bool, $6::jsonb,
       CASE WHEN accepts THEN actor END,
       CASE WHEN accepts THEN coalesce(ignore_reason, 'ignore_warnings=true') END,
       CASE WHEN accepts THEN now() END
  FROM run
    ON CONFLICT (precheck, id) DO UPDATE
   SET result = excluded.result, ignorable = excluded.ignorable, item = excluded.item,
       carried = false, ignored_by = excluded.ignored_by, reason = excluded.reason, ignored_at = excluded.ignored_at
