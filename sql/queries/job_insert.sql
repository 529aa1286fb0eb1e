-- Save a new job with the first row of its history. Repeated, it fails: the id is unique.
-- $1 id text   $2 account text   $3 name text   $4 state text   $5 spec jsonb   $6 warnings jsonb
-- $7 sealed bytea   $8 spec digest text   $9 destination key text   $10 destination databases text[]
-- $11 event text   $12 sentence text   $13 actor text
WITH made AS (
    INSERT INTO job (id, account, name, state, spec, warnings, sealed, spec_digest, worker_pool,
                     destination_key, destination_databases, event_count)
    VALUES ($1, $2, $3, $4, $5::jsonb, $6::jsonb, $7::bytea, $8,
            coalesce($5::jsonb ->> 'worker_pool', 'shared'), $9, $10::text[]::int[], 1)
    RETURNING id
), history AS (
    INSERT INTO job_event (job, number, type, state, sentence, actor)
    SELECT id, 1, $11, $4, $12, $13 FROM made
)
SELECT pg_notify('kf_job', id) FROM made
