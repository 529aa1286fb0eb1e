-- Let a failed run pass when nothing stands against it any more. Safe to repeat.
-- $1 id text
-- Returns 0 or 1 row: whether it passes now and did not before, bool.
WITH old AS (
    SELECT id, state FROM precheck WHERE id = $1 FOR UPDATE
), new AS (
    UPDATE precheck p
       SET version = version + 1,
           state = CASE WHEN p.state = 'failed' AND p.last_error IS NULL
                         AND NOT EXISTS (SELECT 1 FROM precheck_item i
                                          WHERE i.precheck = p.id
                                            AND (i.result IN ('fail', 'error') OR
                                                 (i.result = 'warn' AND i.ignorable)))
                        THEN 'passed' ELSE p.state END
      FROM old
     WHERE p.id = old.id
    RETURNING p.id, p.state, old.state AS before
)
SELECT state = 'passed' AND before <> 'passed', pg_notify('kf_precheck', id) FROM new
