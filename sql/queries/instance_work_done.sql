-- What came of it. New credentials that were accepted take the place of the old ones. Safe to repeat:
-- the second time it is not the worker's any more.
-- $1 id text   $2 worker text   $3 facts jsonb or null   $4 error code text or null when it went well
-- $5 error detail text
-- Returns 0 or 1 row: account, work.
UPDATE instance
   SET work_state = CASE WHEN $4::text IS NULL THEN 'done' ELSE 'failed' END,
       work_error = CASE WHEN $4::text IS NOT NULL THEN jsonb_build_object('code', $4, 'detail', $5::text) END,
       work_at = now(), work_owner = NULL, work_until = '-infinity',
       sealed = CASE WHEN work = 'rotate' AND $4::text IS NULL THEN work_sealed ELSE sealed END,
       sealed_at = CASE WHEN work = 'rotate' AND $4::text IS NULL THEN now() ELSE sealed_at END,
       endpoint = CASE WHEN work = 'rotate' AND $4::text IS NULL THEN work_endpoint ELSE endpoint END,
       work_sealed = NULL, work_endpoint = NULL,
       facts = coalesce($3::jsonb, facts), facts_at = CASE WHEN $3::jsonb IS NULL THEN facts_at ELSE now() END,
       version = version + 1, updated_at = now()
 WHERE id = $1 AND work_owner = $2 AND work_state = 'running'
RETURNING account, work
