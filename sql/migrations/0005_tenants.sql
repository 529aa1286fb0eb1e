-- Tenants that share one service: what each may have, keys with limits, who changed what, and
-- registered servers.

ALTER TABLE account
    ADD COLUMN is_operator bool NOT NULL DEFAULT false,
    ADD COLUMN quotas jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN version int8 NOT NULL DEFAULT 1,
    DROP CONSTRAINT account_status_check,
    ADD CONSTRAINT account_status_check CHECK (status IN ('active', 'suspended', 'closed'));
COMMENT ON COLUMN account.is_operator IS 'Its admin keys make and change accounts; the first one made is it';
COMMENT ON COLUMN account.quotas IS 'How many it may have: {"jobs", "running_jobs", "instances", "api_keys", "roles"}; missing = no limit';
COMMENT ON COLUMN account.version IS 'Rises with every change; the ETag';
UPDATE account SET is_operator = true
 WHERE id = (SELECT id FROM account ORDER BY created_at, id LIMIT 1);

ALTER TABLE api_key
    ADD COLUMN allowed_cidrs text[] NOT NULL DEFAULT '{}',
    ADD COLUMN replaced_by text,
    ADD COLUMN version int8 NOT NULL DEFAULT 1;
CREATE INDEX api_key_of_account ON api_key (account, id DESC);
COMMENT ON COLUMN api_key.allowed_cidrs IS 'Addresses it may be used from; empty = any';
COMMENT ON COLUMN api_key.replaced_by IS 'The key that a rotation made; null = none';
COMMENT ON COLUMN api_key.version IS 'Rises with every change but use; the ETag';

CREATE TABLE audit (
    number     int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account    text NOT NULL REFERENCES account,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor      text NOT NULL,
    action     text NOT NULL,
    kind       text NOT NULL,
    object     text NOT NULL,
    before     jsonb,
    after      jsonb,
    request_id text,
    peer       text
);
CREATE INDEX audit_of_account ON audit (account, number DESC);
CREATE INDEX audit_of_object ON audit (account, object, number DESC);
COMMENT ON TABLE audit IS 'Who changed what: written in the transaction of the change, never changed. It holds no secrets';
COMMENT ON COLUMN audit.number IS 'In the order in which they were written';
COMMENT ON COLUMN audit.account IS 'Who may read it';
COMMENT ON COLUMN audit.at IS 'When';
COMMENT ON COLUMN audit.actor IS 'key:<prefix>, worker:<id> or system';
COMMENT ON COLUMN audit.action IS 'What was done, like jobs.pause';
COMMENT ON COLUMN audit.kind IS 'Of what kind the object is, like jobs';
COMMENT ON COLUMN audit.object IS 'Its id; empty = none';
COMMENT ON COLUMN audit.before IS 'What the change took away; null = nothing';
COMMENT ON COLUMN audit.after IS 'What stands there instead; null = nothing';
COMMENT ON COLUMN audit.request_id IS 'Of the request, as in the log';
COMMENT ON COLUMN audit.peer IS 'Address it came from';

CREATE TABLE instance (
    id          text PRIMARY KEY,
    account     text NOT NULL REFERENCES account,
    name        text NOT NULL,
    details     jsonb NOT NULL,
    endpoint    jsonb NOT NULL,
    address     text NOT NULL,
    sealed      bytea,
    sealed_at   timestamptz,
    is_live     bool NOT NULL DEFAULT false,
    live_reason text,
    live_at     timestamptz,
    facts       jsonb,
    facts_at    timestamptz,
    version     int8 NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX instance_of_account ON instance (account, id DESC);
CREATE INDEX instance_by_address ON instance (address);
COMMENT ON TABLE instance IS 'Registered servers: jobs name them and hold no password of theirs';
COMMENT ON COLUMN instance.id IS 'inst_<ULID>';
COMMENT ON COLUMN instance.account IS 'Whose it is';
COMMENT ON COLUMN instance.name IS 'For people; need not be unique';
COMMENT ON COLUMN instance.details IS 'What its owner says about it: engine, region, access_method, labels, edition, tde';
COMMENT ON COLUMN instance.endpoint IS 'How it is reached, without secrets';
COMMENT ON COLUMN instance.address IS 'host:port in lower case';
COMMENT ON COLUMN instance.sealed IS 'Its credentials, AES-256-GCM, bound to this row; null = none';
COMMENT ON COLUMN instance.sealed_at IS 'When they were last changed';
COMMENT ON COLUMN instance.is_live IS 'Applications use it: no job may write to it';
COMMENT ON COLUMN instance.live_reason IS 'Why, in a person''s words';
COMMENT ON COLUMN instance.live_at IS 'Since when';
COMMENT ON COLUMN instance.facts IS 'What a look at it found last; null = nobody looked';
COMMENT ON COLUMN instance.facts_at IS 'When that was';
COMMENT ON COLUMN instance.version IS 'Rises with every change; the ETag';
COMMENT ON COLUMN instance.created_at IS 'When it was registered';
COMMENT ON COLUMN instance.updated_at IS 'When the version last rose';
