-- The control database: what is wanted, who works on it, and what happened.
--
-- Times are timestamptz by the database's clock. Ids are text, `<prefix>_<ULID>`, and sort by
-- the time they were made. Who may change which column: sql/README.md.

CREATE FUNCTION kf_ms(t timestamptz) RETURNS int8
    LANGUAGE sql STABLE AS
$$ SELECT coalesce((extract(epoch FROM t) * 1000)::int8, 0) $$;
COMMENT ON FUNCTION kf_ms(timestamptz) IS 'Milliseconds since 1970; 0 for null';

CREATE FUNCTION kf_time(t timestamptz) RETURNS text
    LANGUAGE sql STABLE AS
$$ SELECT to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') $$;
COMMENT ON FUNCTION kf_time(timestamptz) IS 'RFC 3339 in UTC with milliseconds, as the API shows times';

CREATE TABLE account (
    id         text PRIMARY KEY,
    name       text NOT NULL,
    status     text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE account IS 'Who owns jobs and keys';
COMMENT ON COLUMN account.id IS 'acct_<ULID>';
COMMENT ON COLUMN account.name IS 'For people';
COMMENT ON COLUMN account.status IS 'A suspended account''s keys do not log in';
COMMENT ON COLUMN account.created_at IS 'When it was made';

CREATE TABLE api_key (
    id         text PRIMARY KEY,
    account    text NOT NULL REFERENCES account,
    name       text NOT NULL,
    prefix     text NOT NULL UNIQUE,
    hash       bytea NOT NULL CHECK (octet_length(hash) = 32),
    scopes     text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    used_at    timestamptz
);
COMMENT ON TABLE api_key IS 'Keys of the HTTP API; the key itself is nowhere';
COMMENT ON COLUMN api_key.id IS 'ak_<ULID>';
COMMENT ON COLUMN api_key.account IS 'Whose it is';
COMMENT ON COLUMN api_key.name IS 'For people';
COMMENT ON COLUMN api_key.prefix IS 'The public part of the key, which finds the row';
COMMENT ON COLUMN api_key.hash IS 'SHA-256 of the whole key';
COMMENT ON COLUMN api_key.scopes IS 'What it may do, separated by blanks';
COMMENT ON COLUMN api_key.created_at IS 'When it was made';
COMMENT ON COLUMN api_key.expires_at IS 'From then on it does not log in; null = never';
COMMENT ON COLUMN api_key.revoked_at IS 'When it was taken back; null = it was not';
COMMENT ON COLUMN api_key.used_at IS 'Last use, to the minute';

CREATE TABLE job (
    id                    text PRIMARY KEY,
    account               text NOT NULL REFERENCES account,
    name                  text NOT NULL,
    state                 text NOT NULL CHECK (state IN (
        'draft', 'configured', 'prechecking', 'precheck_failed', 'precheck_passed', 'scheduled',
        'queued', 'starting', 'running', 'retrying', 'pausing', 'paused', 'blocked',
        'cutting_over', 'failed', 'completed', 'stopping', 'stopped', 'released')),
    phase                 text NOT NULL DEFAULT '',
    sync_state            text NOT NULL DEFAULT '',
    spec                  jsonb NOT NULL,
    warnings              jsonb NOT NULL DEFAULT '[]',
    sealed                bytea,
    spec_digest           text NOT NULL,
    worker_pool           text NOT NULL DEFAULT 'shared',
    instance_class        text,
    destination_key       text,
    destination_databases int[],
    attention             jsonb,
    last_error            jsonb,
    retry_state           jsonb,
    wanted                jsonb NOT NULL DEFAULT '{}',
    version               int8 NOT NULL DEFAULT 1,
    event_count           int8 NOT NULL DEFAULT 0,
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now(),
    started_at            timestamptz,
    finished_at           timestamptz
);
CREATE INDEX job_of_account ON job (account, id DESC);
CREATE INDEX job_by_destination ON job (destination_key) WHERE destination_key IS NOT NULL;
COMMENT ON TABLE job IS 'Migrations: what is wanted and where each stands. The state is moved by one statement, job_move';
COMMENT ON COLUMN job.id IS 'job_<ULID>';
COMMENT ON COLUMN job.account IS 'Whose it is';
COMMENT ON COLUMN job.name IS 'For people; need not be unique';
COMMENT ON COLUMN job.state IS 'The machine of services/job/job_state.c';
COMMENT ON COLUMN job.phase IS 'Of a running job, as its worker reports: snapshot_wait, full, incremental, settling, done; empty before';
COMMENT ON COLUMN job.sync_state IS 'catching_up, caught_up, stalled; empty before';
COMMENT ON COLUMN job.spec IS 'The canonical specification, every default filled in, without secrets';
COMMENT ON COLUMN job.warnings IS 'What the user should know about the specification';
COMMENT ON COLUMN job.sealed IS 'Credentials of both ends, AES-256-GCM, bound to this row; null = none';
COMMENT ON COLUMN job.spec_digest IS 'SHA-256 of what a precheck depends on; a precheck counts only for the same digest';
COMMENT ON COLUMN job.worker_pool IS 'Which workers may take it';
COMMENT ON COLUMN job.instance_class IS 'Bought with the start; null before';
COMMENT ON COLUMN job.destination_key IS 'host:port of the destination in lower case: selections are compared within it';
COMMENT ON COLUMN job.destination_databases IS 'Databases of the destination it writes to; null = all';
COMMENT ON COLUMN job.attention IS 'What a person must decide, with the choices; null = nothing';
COMMENT ON COLUMN job.last_error IS '{code, detail, at} of the last failure; null = none';
COMMENT ON COLUMN job.retry_state IS '{target, attempt, next_attempt_at, deadline_at, error} while it retries';
COMMENT ON COLUMN job.wanted IS 'Options of the last start, resume or stop: drain, on_full_resync_needed, ...';
COMMENT ON COLUMN job.version IS 'Rises with every change but progress; the ETag';
COMMENT ON COLUMN job.event_count IS 'Number of its last history row';
COMMENT ON COLUMN job.created_at IS 'When it was made';
COMMENT ON COLUMN job.updated_at IS 'When the version last rose';
COMMENT ON COLUMN job.started_at IS 'When a start was first asked for';
COMMENT ON COLUMN job.finished_at IS 'When it completed, stopped or was released';

CREATE TABLE job_event (
    job      text NOT NULL REFERENCES job ON DELETE CASCADE,
    number   int8 NOT NULL,
    type     text NOT NULL,
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    state    text NOT NULL,
    sentence text NOT NULL,
    detail   text,
    actor    text,
    PRIMARY KEY (job, number)
);
CREATE INDEX job_event_by_time ON job_event (at);
COMMENT ON TABLE job_event IS 'History of jobs: written in the transaction of what it tells';
COMMENT ON COLUMN job_event.job IS 'Whose history';
COMMENT ON COLUMN job_event.number IS 'From 1, without a gap, in the order of commit';
COMMENT ON COLUMN job_event.type IS 'Name of the event, as in job_events.def or as an observer named it';
COMMENT ON COLUMN job_event.at IS 'When';
COMMENT ON COLUMN job_event.state IS 'State of the job after it';
COMMENT ON COLUMN job_event.sentence IS 'What the user reads';
COMMENT ON COLUMN job_event.detail IS 'More of it';
COMMENT ON COLUMN job_event.actor IS 'key:<prefix> or worker:<id>; null = the service';

CREATE TABLE task (
    job               text NOT NULL REFERENCES job ON DELETE CASCADE,
    number            int NOT NULL,
    lease_owner       text,
    lease_until       timestamptz NOT NULL DEFAULT '-infinity',
    lease_epoch       int8 NOT NULL DEFAULT 0,
    claimed_before    bool NOT NULL DEFAULT false,
    progress          jsonb NOT NULL DEFAULT '{}',
    source_facts      jsonb,
    destination_facts jsonb,
    updated_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (job, number)
);
CREATE INDEX task_by_lease ON task (lease_until);
COMMENT ON TABLE task IS 'The parts a job is worked on in, one per source shard, and who holds each';
COMMENT ON COLUMN task.job IS 'Of which job';
COMMENT ON COLUMN task.number IS 'From 0';
COMMENT ON COLUMN task.lease_owner IS 'Worker that claimed it last; null = given back';
COMMENT ON COLUMN task.lease_until IS 'Until then nobody else may claim it';
COMMENT ON COLUMN task.lease_epoch IS 'Rises with each claim; every write of a worker names it';
COMMENT ON COLUMN task.claimed_before IS 'A position of this task existed at the destination: when it is gone, someone flushed';
COMMENT ON COLUMN task.progress IS 'Mirror of how far it has got: progress_fields.def. The destination is the authority';
COMMENT ON COLUMN task.source_facts IS 'Product, version, topology of the source as found';
COMMENT ON COLUMN task.destination_facts IS 'The same of the destination';
COMMENT ON COLUMN task.updated_at IS 'Last report';

CREATE TABLE heartbeat (
    job         text NOT NULL REFERENCES job ON DELETE CASCADE,
    task        int NOT NULL,
    key         text NOT NULL,
    state       int NOT NULL,
    written_at  timestamptz,
    seen_at     timestamptz,
    latency_us  int8,
    PRIMARY KEY (job, task)
);
COMMENT ON TABLE heartbeat IS 'The heartbeat key of each source shard: what is written there each second, and when it came through';
COMMENT ON COLUMN heartbeat.job IS 'Of which job';
COMMENT ON COLUMN heartbeat.task IS 'Of which task';
COMMENT ON COLUMN heartbeat.key IS 'Prefix of the key on the source; it expires by itself';
COMMENT ON COLUMN heartbeat.state IS '0 off, 1 writing, 2 refused by the source';
COMMENT ON COLUMN heartbeat.written_at IS 'Last write on the source';
COMMENT ON COLUMN heartbeat.seen_at IS 'Last time one was acknowledged at the destination''s side of the stream';
COMMENT ON COLUMN heartbeat.latency_us IS 'From that write to that sight';

CREATE TABLE sample (
    job                 text NOT NULL REFERENCES job ON DELETE CASCADE,
    at                  timestamptz NOT NULL DEFAULT now(),
    latency_us          int8 NOT NULL,
    lag_bytes           int8 NOT NULL,
    keys_per_second     int8 NOT NULL,
    commands_per_second int8 NOT NULL,
    bytes_per_second    int8 NOT NULL
);
CREATE INDEX sample_of_job ON sample (job, at);
COMMENT ON TABLE sample IS 'Points for charts; kept for a day';
COMMENT ON COLUMN sample.job IS 'Of which job';
COMMENT ON COLUMN sample.at IS 'When';
COMMENT ON COLUMN sample.latency_us IS 'As the last heartbeat told';
COMMENT ON COLUMN sample.lag_bytes IS 'Source offset less applied offset';
COMMENT ON COLUMN sample.keys_per_second IS 'Of the full copy';
COMMENT ON COLUMN sample.commands_per_second IS 'Of the tail';
COMMENT ON COLUMN sample.bytes_per_second IS 'Of both';

CREATE TABLE precheck (
    id              text PRIMARY KEY,
    account         text NOT NULL REFERENCES account,
    job             text REFERENCES job ON DELETE CASCADE,
    state           text NOT NULL CHECK (state IN ('queued', 'running', 'passed', 'failed', 'cancelled')),
    probe           text NOT NULL CHECK (probe IN ('full', 'read_only')),
    ignore_warnings bool NOT NULL,
    ignore_reason   text,
    spec            jsonb NOT NULL,
    sealed          bytea,
    spec_digest     text NOT NULL,
    worker_pool     text NOT NULL DEFAULT 'shared',
    facts           jsonb,
    plan            jsonb,
    last_error      jsonb,
    lease_owner     text,
    lease_until     timestamptz NOT NULL DEFAULT '-infinity',
    lease_epoch     int8 NOT NULL DEFAULT 0,
    actor           text,
    version         int8 NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL DEFAULT now(),
    started_at      timestamptz,
    finished_at     timestamptz
);
CREATE INDEX precheck_of_job ON precheck (job, id DESC);
CREATE INDEX precheck_open ON precheck (lease_until) WHERE state IN ('queued', 'running');
COMMENT ON TABLE precheck IS 'Runs of the precheck';
COMMENT ON COLUMN precheck.id IS 'pck_<ULID>';
COMMENT ON COLUMN precheck.account IS 'Whose it is';
COMMENT ON COLUMN precheck.job IS 'Of which job; null = it stands alone';
COMMENT ON COLUMN precheck.state IS 'Shown as running while queued';
COMMENT ON COLUMN precheck.probe IS 'read_only writes no probe key on either end';
COMMENT ON COLUMN precheck.ignore_warnings IS 'Warnings count as confirmed';
COMMENT ON COLUMN precheck.ignore_reason IS 'Why; for the audit';
COMMENT ON COLUMN precheck.spec IS 'What is checked: the specification as it was then';
COMMENT ON COLUMN precheck.sealed IS 'Its credentials, bound to this row; dropped when the run is over';
COMMENT ON COLUMN precheck.spec_digest IS 'Of that specification';
COMMENT ON COLUMN precheck.worker_pool IS 'Which workers may run it';
COMMENT ON COLUMN precheck.facts IS 'What the ends turned out to be';
COMMENT ON COLUMN precheck.plan IS 'How the migration would go';
COMMENT ON COLUMN precheck.last_error IS 'Why it could not be carried out; null = it was';
COMMENT ON COLUMN precheck.lease_owner IS 'Worker that runs it';
COMMENT ON COLUMN precheck.lease_until IS 'Until then nobody else may run it';
COMMENT ON COLUMN precheck.lease_epoch IS 'How often it was begun';
COMMENT ON COLUMN precheck.actor IS 'Who asked for it';
COMMENT ON COLUMN precheck.version IS 'Rises with every change; the ETag';
COMMENT ON COLUMN precheck.created_at IS 'When it was asked for';
COMMENT ON COLUMN precheck.started_at IS 'When it was begun last';
COMMENT ON COLUMN precheck.finished_at IS 'When it was over';

CREATE TABLE precheck_item (
    precheck   text NOT NULL REFERENCES precheck ON DELETE CASCADE,
    id         text NOT NULL,
    number     int8 GENERATED ALWAYS AS IDENTITY,
    result     text NOT NULL CHECK (result IN ('pass', 'warn', 'fail', 'ignored', 'skipped', 'error')),
    ignorable  bool NOT NULL,
    item       jsonb NOT NULL,
    ignored_by text,
    reason     text,
    ignored_at timestamptz,
    PRIMARY KEY (precheck, id)
);
COMMENT ON TABLE precheck_item IS 'What a run found';
COMMENT ON COLUMN precheck_item.precheck IS 'Of which run';
COMMENT ON COLUMN precheck_item.id IS 'Name of the check, like dst.eviction';
COMMENT ON COLUMN precheck_item.number IS 'Order in which they were found';
COMMENT ON COLUMN precheck_item.result IS 'As it counts now; an accepted warning is ignored';
COMMENT ON COLUMN precheck_item.ignorable IS 'A warning of it may be accepted';
COMMENT ON COLUMN precheck_item.item IS 'As the API shows it';
COMMENT ON COLUMN precheck_item.ignored_by IS 'Who accepted it';
COMMENT ON COLUMN precheck_item.reason IS 'Why';
COMMENT ON COLUMN precheck_item.ignored_at IS 'When';

CREATE TABLE idempotency (
    account      text NOT NULL REFERENCES account ON DELETE CASCADE,
    key          text NOT NULL,
    request      text NOT NULL,
    request_hash text NOT NULL,
    status       int NOT NULL,
    headers      jsonb,
    body         text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account, key)
);
CREATE INDEX idempotency_by_time ON idempotency (created_at);
COMMENT ON TABLE idempotency IS 'Answers that are given again for 24 hours; a row appears in the transaction of its effect';
COMMENT ON COLUMN idempotency.account IS 'Who asked';
COMMENT ON COLUMN idempotency.key IS 'The Idempotency-Key';
COMMENT ON COLUMN idempotency.request IS 'Method and path';
COMMENT ON COLUMN idempotency.request_hash IS 'SHA-256 of the body';
COMMENT ON COLUMN idempotency.status IS 'Of the answer';
COMMENT ON COLUMN idempotency.headers IS 'Of the answer, those that belong to it';
COMMENT ON COLUMN idempotency.body IS 'Of the answer';
COMMENT ON COLUMN idempotency.created_at IS 'When it was answered';

CREATE TABLE full_sync (
    source text NOT NULL,
    at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    job    text NOT NULL
);
CREATE INDEX full_sync_of_source ON full_sync (source, at);
COMMENT ON TABLE full_sync IS 'Full syncs that sources were asked for: each makes the source fork, so they are counted';
COMMENT ON COLUMN full_sync.source IS 'host:port in lower case';
COMMENT ON COLUMN full_sync.at IS 'When it was allowed';
COMMENT ON COLUMN full_sync.job IS 'For which job';

CREATE TABLE worker (
    id         text PRIMARY KEY,
    host       text NOT NULL,
    pid        int NOT NULL,
    pool       text NOT NULL,
    version    text NOT NULL,
    tasks_held int NOT NULL,
    draining   bool NOT NULL DEFAULT false,
    started_at timestamptz NOT NULL DEFAULT now(),
    seen_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE worker IS 'Which workers there are; leases do not depend on it';
COMMENT ON COLUMN worker.id IS 'Name of the worker';
COMMENT ON COLUMN worker.host IS 'Machine it runs on';
COMMENT ON COLUMN worker.pid IS 'Its process there';
COMMENT ON COLUMN worker.pool IS 'Whose jobs it takes';
COMMENT ON COLUMN worker.version IS 'Of the program';
COMMENT ON COLUMN worker.tasks_held IS 'How many tasks it holds';
COMMENT ON COLUMN worker.draining IS 'A person wants it to take nothing more';
COMMENT ON COLUMN worker.started_at IS 'When it was first seen';
COMMENT ON COLUMN worker.seen_at IS 'When it was last seen';

CREATE VIEW job_shown AS
    SELECT j.id, j.account, j.name, j.state, j.phase, j.sync_state,
           coalesce(j.instance_class, '') AS instance_class, j.spec_digest, j.spec, j.warnings,
           j.attention, j.last_error, j.retry_state, j.wanted, j.version,
           kf_ms(j.created_at) AS created_ms, kf_ms(j.started_at) AS started_ms,
           kf_ms(j.finished_at) AS finished_ms, kf_ms(j.updated_at) AS updated_ms,
           t.job IS NOT NULL AS has_task,
           CASE WHEN t.lease_until > now() THEN coalesce(t.lease_owner, '') ELSE '' END AS worker,
           t.progress, t.source_facts, t.destination_facts
      FROM job j
      LEFT JOIN task t ON t.job = j.id AND t.number = 0;
COMMENT ON VIEW job_shown IS 'A job with the mirror of its first task: the columns store_job.c reads, in its order';

CREATE VIEW precheck_shown AS
    SELECT p.id, p.account, coalesce(p.job, '') AS job, p.state, p.spec_digest, p.probe, p.spec,
           p.facts, p.plan, p.last_error,
           (SELECT coalesce(jsonb_agg(i.item || jsonb_build_object('result', i.result) ||
                            CASE WHEN i.ignored_at IS NULL THEN '{}'
                                 ELSE jsonb_build_object('reason', i.reason, 'ignored_by', i.ignored_by,
                                                         'ignored_at', kf_time(i.ignored_at)) END
                            ORDER BY i.number), '[]')
              FROM precheck_item i WHERE i.precheck = p.id) AS items,
           p.version, kf_ms(p.created_at) AS created_ms, kf_ms(p.started_at) AS started_ms,
           kf_ms(p.finished_at) AS finished_ms
      FROM precheck p;
COMMENT ON VIEW precheck_shown IS 'A run with its items: the columns store_precheck.c reads, in its order';
