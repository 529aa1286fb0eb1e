-- What workers say of themselves, how much a role lets through, and which master key a secret is
-- sealed with.

ALTER TABLE worker ADD COLUMN reported jsonb NOT NULL DEFAULT '{}';
COMMENT ON COLUMN worker.reported IS 'What it says of itself: {"tasks_max", "load_percent", "spool_free_bytes", "sealing_key", "egress", "egress_source", "staying"}';

CREATE VIEW worker_shown AS
    SELECT w.id, w.pool, w.seen_at > now() - interval '30 seconds' AS is_alive,
           jsonb_build_object(
               'id', w.id, 'host', w.host, 'pid', w.pid, 'pool', w.pool, 'version', w.version,
               'state', CASE WHEN w.seen_at <= now() - interval '30 seconds' THEN 'silent'
                             WHEN w.draining AND w.tasks_held = 0 THEN 'drained'
                             WHEN w.draining THEN 'draining'
                             ELSE 'active' END,
               'draining', w.draining, 'alive', w.seen_at > now() - interval '30 seconds',
               'tasks_held', w.tasks_held, 'tasks_max', w.reported -> 'tasks_max',
               'load_percent', w.reported -> 'load_percent',
               'spool_free_bytes', w.reported -> 'spool_free_bytes',
               'started_at', kf_time(w.started_at), 'seen_at', kf_time(w.seen_at)) AS shown
      FROM worker w
     WHERE w.seen_at > now() - interval '1 day';
COMMENT ON VIEW worker_shown IS 'Workers seen within a day, as the API shows them';

ALTER TABLE role
    ADD COLUMN max_rps int8,
    ADD COLUMN max_bytes_per_second int8;
COMMENT ON COLUMN role.max_rps IS 'Keys and commands a second that all jobs together may move by it at one instance; null = no limit';
COMMENT ON COLUMN role.max_bytes_per_second IS 'The same in bytes';
CREATE INDEX role_session_open ON role_session (role, instance) WHERE closed_at IS NULL;

CREATE FUNCTION kf_sealed_key(sealed bytea) RETURNS int8
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT CASE WHEN octet_length(sealed) >= 5
               THEN get_byte(sealed, 1)::int8 << 24 | get_byte(sealed, 2)::int8 << 16 |
                    get_byte(sealed, 3)::int8 << 8 | get_byte(sealed, 4)::int8 END $$;
COMMENT ON FUNCTION kf_sealed_key(bytea) IS 'Number of the master key that services/secret/seal.c used; null for what it did not make';

CREATE INDEX job_by_master_key ON job (kf_sealed_key(sealed)) WHERE sealed IS NOT NULL;
CREATE INDEX precheck_by_master_key ON precheck (kf_sealed_key(sealed)) WHERE sealed IS NOT NULL;
CREATE INDEX instance_by_master_key ON instance (kf_sealed_key(sealed)) WHERE sealed IS NOT NULL;
CREATE INDEX webhook_endpoint_by_master_key ON webhook_endpoint (kf_sealed_key(sealed)) WHERE sealed IS NOT NULL;
CREATE INDEX rejected_command_by_master_key ON rejected_command (kf_sealed_key(sealed)) WHERE sealed IS NOT NULL;

CREATE VIEW sealed_secret AS
    SELECT 'job' AS kind, id AS row_id, 'job:' || id AS identity, sealed
      FROM job WHERE sealed IS NOT NULL
    UNION ALL
    SELECT 'precheck', id, 'precheck:' || id, sealed
      FROM precheck WHERE sealed IS NOT NULL
    UNION ALL
    SELECT 'instance', id, 'instance:' || id, sealed
      FROM instance WHERE sealed IS NOT NULL
    UNION ALL
    SELECT 'instance_work', id, 'instance:' || id, work_sealed
      FROM instance WHERE work_sealed IS NOT NULL
    UNION ALL
    SELECT 'webhook_endpoint', id, 'webhook_endpoint:' || id, sealed
      FROM webhook_endpoint WHERE sealed IS NOT NULL
    UNION ALL
    SELECT 'rejected_command', id::text,
           'rejected:' || job || ':' || task || ':' || generation || ':' || source_offset, sealed
      FROM rejected_command WHERE sealed IS NOT NULL;
COMMENT ON VIEW sealed_secret IS 'Every secret at rest, with the identity it is bound to: services/secret/seal.h';
