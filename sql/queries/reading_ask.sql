-- Ask a worker to look at both ends of a job, unless the last look is young enough. While one such
-- look is open, repeating it does nothing. Of those that are over the newest is kept.
-- $1 id text   $2 account text   $3 job text   $4 purpose text   $5 spec jsonb   $6 sealed bytea
-- $7 spec digest text   $8 actor text   $9 seconds int8: younger is young enough
-- Returns 1 row when one is open now, 0 when the last is young enough.
WITH over AS (
    SELECT id, finished_at FROM precheck
     WHERE job = $3 AND purpose = $4 AND state NOT IN ('queued', 'running')
), old AS (
    DELETE FROM precheck WHERE id IN (SELECT id FROM over WHERE id < (SELECT max(id) FROM over))
), wanted AS (
    SELECT NOT EXISTS (SELECT 1 FROM over WHERE finished_at > now() - make_interval(secs => $9::int8)) AS yes
), made AS (
    INSERT INTO precheck (id, account, job, state, probe, ignore_warnings, spec, sealed, spec_digest,
                          actor, worker_pool, purpose)
    SELECT $1, $2, $3, 'queued', 'read_only', false, $5::jsonb, $6::bytea, $7, $8,
           coalesce($5::jsonb ->> 'worker_pool', 'shared'), $4
      FROM wanted WHERE yes
    ON CONFLICT (job, purpose) WHERE purpose IN ('counts', 'clients') AND state IN ('queued', 'running')
    DO NOTHING
    RETURNING id
), told AS (
    SELECT count(pg_notify('kf_precheck', id)) AS count FROM made
)
SELECT told.count FROM wanted, told WHERE wanted.yes
