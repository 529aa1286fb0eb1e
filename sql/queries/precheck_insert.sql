-- Queue a run. Repeated, it fails: the id is unique.
-- $1 id text   $2 account text   $3 job text or null   $4 probe text   $5 ignore warnings bool
-- $6 ignore reason text   $7 spec jsonb   $8 sealed bytea   $9 spec digest text   $10 actor text
-- $11 purpose text
WITH made AS (
    INSERT INTO precheck (id, account, job, state, probe, ignore_warnings, ignore_reason, spec, sealed,
                          spec_digest, actor, worker_pool, purpose)
    VALUES ($1, $2, $3, 'queued', $4, $5::bool, $6, $7::jsonb, $8::bytea, $9, $10,
            coalesce($7::jsonb ->> 'worker_pool', 'shared'), $11)
    RETURNING id
)
SELECT pg_notify('kf_precheck', id) FROM made
