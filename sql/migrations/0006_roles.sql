-- Roles by which one account lets others use its instances, what is asked of an instance by its
-- owner, and indexes for many jobs.

CREATE TABLE role (
    id                  text PRIMARY KEY,
    account             text NOT NULL REFERENCES account,
    name                text NOT NULL,
    trusted_accounts    text[] NOT NULL,
    external_id         text,
    instances           text[] NOT NULL,
    permissions         text[] NOT NULL,
    databases           int[],
    prefixes            text[],
    destinations        text[],
    not_before          timestamptz,
    not_after           timestamptz,
    max_session_seconds int NOT NULL,
    is_enabled          bool NOT NULL,
    version             int8 NOT NULL DEFAULT 1,
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    UNIQUE (account, name)
);
CREATE INDEX role_by_trust ON role USING gin (trusted_accounts);
COMMENT ON TABLE role IS 'By which an account lets others use its instances';
COMMENT ON COLUMN role.id IS 'role_<ULID>';
COMMENT ON COLUMN role.account IS 'Who owns the instances and decides';
COMMENT ON COLUMN role.name IS 'What the others name it by';
COMMENT ON COLUMN role.trusted_accounts IS 'Who may use it';
COMMENT ON COLUMN role.external_id IS 'What they must say besides; null = nothing';
COMMENT ON COLUMN role.instances IS 'Which instances of the owner it is about';
COMMENT ON COLUMN role.permissions IS 'What may be done: services/job/role_judge.h';
COMMENT ON COLUMN role.databases IS 'Which databases of the instances; null = all';
COMMENT ON COLUMN role.prefixes IS 'Which keys; null = all';
COMMENT ON COLUMN role.destinations IS 'Where data read by it may go: hosts, host:port or instance ids; null = anywhere';
COMMENT ON COLUMN role.not_before IS 'Not earlier; null = at once';
COMMENT ON COLUMN role.not_after IS 'Not later; null = no end';
COMMENT ON COLUMN role.max_session_seconds IS 'A session is looked at again after that at the latest';
COMMENT ON COLUMN role.is_enabled IS 'A switch for all of it';
COMMENT ON COLUMN role.version IS 'Rises with every change; the ETag';
COMMENT ON COLUMN role.created_at IS 'When it was made';
COMMENT ON COLUMN role.updated_at IS 'When the version last rose';

CREATE TABLE role_session (
    id            text PRIMARY KEY,
    role          text NOT NULL,
    role_version  int8 NOT NULL,
    owner         text NOT NULL REFERENCES account,
    account       text NOT NULL REFERENCES account,
    job           text NOT NULL,
    end_name      text NOT NULL,
    instance      text NOT NULL,
    worker        text NOT NULL,
    lease_epoch   int8 NOT NULL,
    opened_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at    timestamptz NOT NULL,
    closed_at     timestamptz,
    closed_reason text
);
CREATE INDEX role_session_of_role ON role_session (role, id DESC);
CREATE INDEX role_session_of_job ON role_session (job) WHERE closed_at IS NULL;
COMMENT ON TABLE role_session IS 'Each connect to an instance of another account: opened by the worker that connects';
COMMENT ON COLUMN role_session.id IS 'rs_<ULID>';
COMMENT ON COLUMN role_session.role IS 'By which role; it may be gone since';
COMMENT ON COLUMN role_session.role_version IS 'As it was then';
COMMENT ON COLUMN role_session.owner IS 'Account of the instance';
COMMENT ON COLUMN role_session.account IS 'Account that connected';
COMMENT ON COLUMN role_session.job IS 'For which job or precheck';
COMMENT ON COLUMN role_session.end_name IS 'source or destination';
COMMENT ON COLUMN role_session.instance IS 'To which instance';
COMMENT ON COLUMN role_session.worker IS 'By which worker';
COMMENT ON COLUMN role_session.lease_epoch IS 'Of its lease';
COMMENT ON COLUMN role_session.opened_at IS 'When the credentials were given out';
COMMENT ON COLUMN role_session.expires_at IS 'Renewed while the role allows it';
COMMENT ON COLUMN role_session.closed_at IS 'When it was over; null = it is not';
COMMENT ON COLUMN role_session.closed_reason IS 'ended, revoked, or what the role lacks';

ALTER TABLE instance
    ADD COLUMN work text CHECK (work IN ('rotate', 'discover')),
    ADD COLUMN work_state text CHECK (work_state IN ('queued', 'running', 'done', 'failed')),
    ADD COLUMN work_sealed bytea,
    ADD COLUMN work_endpoint jsonb,
    ADD COLUMN work_error jsonb,
    ADD COLUMN work_at timestamptz,
    ADD COLUMN work_owner text,
    ADD COLUMN work_until timestamptz NOT NULL DEFAULT '-infinity';
CREATE INDEX instance_work ON instance (work_until) WHERE work_state IN ('queued', 'running');
COMMENT ON COLUMN instance.work IS 'What a worker was asked to do with it last; null = nothing ever';
COMMENT ON COLUMN instance.work_state IS 'How that stands';
COMMENT ON COLUMN instance.work_sealed IS 'New credentials while they are tried, bound to this row';
COMMENT ON COLUMN instance.work_endpoint IS 'How it is reached with them';
COMMENT ON COLUMN instance.work_error IS '{code, detail} of what failed; null = nothing';
COMMENT ON COLUMN instance.work_at IS 'When it was asked for or was over';
COMMENT ON COLUMN instance.work_owner IS 'Worker that does it';
COMMENT ON COLUMN instance.work_until IS 'Until then nobody else may';

CREATE INDEX job_of_source_instance ON job ((spec -> 'source' -> 'reference' ->> 'instance_id'))
 WHERE spec -> 'source' ? 'reference';
CREATE INDEX job_of_destination_instance ON job ((spec -> 'destination' -> 'reference' ->> 'instance_id'))
 WHERE spec -> 'destination' ? 'reference';
CREATE INDEX job_by_state ON job (account, state, id DESC);
CREATE INDEX job_due ON job (((spec -> 'migration') ->> 'start_at')) WHERE state = 'scheduled';
