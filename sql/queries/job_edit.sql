-- Write a changed specification down. Compare-and-set by the version, so repeated it does nothing.
-- $1 job text   $2 version int8   $3 name text   $4 spec jsonb   $5 warnings jsonb
-- $6 whole bool: the rest is written too, else it stays
-- $7 sealed bytea   $8 spec digest text   $9 destination key text   $10 destination databases text[]
-- $11 event text   $12 sentence text   $13 detail text   $14 actor text
-- Returns 1 row when written, 0 when the version is another by now.
WITH edited AS (
    UPDATE job
       SET name = $3,
           spec = $4::jsonb,
           warnings = $5::jsonb,
           sealed = CASE WHEN $6::bool THEN $7::bytea ELSE sealed END,
           spec_digest = CASE WHEN $6::bool THEN $8 ELSE spec_digest END,
           worker_pool = coalesce($4::jsonb ->> 'worker_pool', 'shared'),
           destination_key = CASE WHEN $6::bool THEN $9 ELSE destination_key END,
           destination_databases = CASE WHEN $6::bool THEN $10::text[]::int[]
                                        ELSE destination_databases END,
           version = version + 1,
           event_count = event_count + 1,
           updated_at = now()
     WHERE id = $1 AND version = $2::int8
    RETURNING id, state, event_count
), history AS (
    INSERT INTO job_event (job, number, type, state, sentence, detail, actor)
    SELECT id, event_count, $11, state, $12, $13, $14 FROM edited
)
SELECT pg_notify('kf_job', id) FROM edited
