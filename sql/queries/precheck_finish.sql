-- The verdict of a run. Safe to repeat: the second time it is over and no row is returned.
-- $1 id text   $2 worker text   $3 epoch int8   $4 facts jsonb   $5 plan jsonb
-- $6 failure code text or null   $7 failure detail text
-- Returns 0 or 1 row: state, job, purpose, what failed text.
WITH over AS (
    UPDATE precheck p
       SET state = CASE WHEN $6::text IS NOT NULL
                          OR p.purpose NOT IN ('counts', 'clients') AND
                             NOT EXISTS (SELECT 1 FROM precheck_item WHERE precheck = p.id)
                          OR EXISTS (SELECT 1 FROM precheck_item i
                                      WHERE i.precheck = p.id
                                        AND (i.result IN ('fail', 'error') OR
                                             (i.result = 'warn' AND i.ignorable)))
                        THEN 'failed' ELSE 'passed' END,
           facts = $4::jsonb, plan = $5::jsonb, sealed = NULL,
           last_error = CASE WHEN $6 IS NOT NULL
                             THEN jsonb_build_object('code', $6, 'detail', $7::text) END,
           lease_until = '-infinity', finished_at = now(), version = version + 1
     WHERE id = $1 AND lease_owner = $2 AND lease_epoch = $3::int8 AND state = 'running'
    RETURNING id, state, coalesce(job, '') AS job, purpose
)
SELECT state, job, purpose,
       (SELECT coalesce(string_agg(i.id || ': ' || (i.item ->> 'message'), '; ' ORDER BY i.number), '')
          FROM precheck_item i WHERE i.precheck = over.id AND i.result = 'fail'),
       pg_notify('kf_precheck', id) FROM over
