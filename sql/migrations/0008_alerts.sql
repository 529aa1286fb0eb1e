-- What an operator is told: rules, what they found, and where it is sent.

CREATE TABLE webhook_endpoint (
    id              text PRIMARY KEY,
    account         text NOT NULL REFERENCES account,
    name            text NOT NULL,
    url             text NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('standard', 'alertmanager')),
    event_types     text[] NOT NULL,
    timeout_ms      int NOT NULL,
    enabled         bool NOT NULL DEFAULT true,
    disabled_reason text,
    sealed          bytea,
    pushed_at       timestamptz,
    version         int8 NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX webhook_endpoint_of_account ON webhook_endpoint (account, id DESC);
COMMENT ON TABLE webhook_endpoint IS 'Where notices are sent';
COMMENT ON COLUMN webhook_endpoint.id IS 'whe_<ULID>';
COMMENT ON COLUMN webhook_endpoint.account IS 'Whose it is';
COMMENT ON COLUMN webhook_endpoint.name IS 'For people';
COMMENT ON COLUMN webhook_endpoint.url IS 'Without secrets: those stand in headers';
COMMENT ON COLUMN webhook_endpoint.kind IS 'standard: signed, one notice a request; alertmanager: all that fires, pushed again and again';
COMMENT ON COLUMN webhook_endpoint.event_types IS 'What it is sent; "*" = everything, "job.*" = all of jobs';
COMMENT ON COLUMN webhook_endpoint.timeout_ms IS 'How long an answer may take';
COMMENT ON COLUMN webhook_endpoint.enabled IS 'False: nothing is sent, what is due waits';
COMMENT ON COLUMN webhook_endpoint.disabled_reason IS 'Why the alerter switched it off; null = it did not';
COMMENT ON COLUMN webhook_endpoint.sealed IS 'Signing secrets and headers, AES-256-GCM, bound to this row';
COMMENT ON COLUMN webhook_endpoint.pushed_at IS 'Last push to an Alertmanager';
COMMENT ON COLUMN webhook_endpoint.version IS 'Rises with every change; the ETag';
COMMENT ON COLUMN webhook_endpoint.created_at IS 'When it was made';
COMMENT ON COLUMN webhook_endpoint.updated_at IS 'Last change';

CREATE TABLE alert_rule (
    id                        text PRIMARY KEY,
    account                   text NOT NULL REFERENCES account,
    name                      text NOT NULL,
    job                       text REFERENCES job ON DELETE CASCADE,
    labels                    jsonb NOT NULL DEFAULT '{}',
    type                      text NOT NULL,
    threshold                 float8,
    for_seconds               int NOT NULL,
    resolve_threshold         float8,
    resolve_for_seconds       int NOT NULL,
    suppress_until_caught_up  bool NOT NULL,
    repeat_interval_seconds   int NOT NULL,
    severity                  text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    contacts                  text[] NOT NULL DEFAULT '{}',
    send_resolved             bool NOT NULL,
    enabled                   bool NOT NULL,
    version                   int8 NOT NULL DEFAULT 1,
    created_at                timestamptz NOT NULL DEFAULT now(),
    updated_at                timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX alert_rule_of_account ON alert_rule (account, id DESC);
COMMENT ON TABLE alert_rule IS 'When somebody is to be told';
COMMENT ON COLUMN alert_rule.id IS 'arl_<ULID>';
COMMENT ON COLUMN alert_rule.account IS 'Whose it is';
COMMENT ON COLUMN alert_rule.name IS 'For people';
COMMENT ON COLUMN alert_rule.job IS 'The only job it looks at; null = all of the account that labels choose';
COMMENT ON COLUMN alert_rule.labels IS 'Labels a job must have; {} = any';
COMMENT ON COLUMN alert_rule.type IS 'What is looked at: services/alert/alert_types.def';
COMMENT ON COLUMN alert_rule.threshold IS 'In the unit of the type; null where the type has none';
COMMENT ON COLUMN alert_rule.for_seconds IS 'How long it must be so before it fires';
COMMENT ON COLUMN alert_rule.resolve_threshold IS 'On this side of it the alert begins to end; null where the type has none';
COMMENT ON COLUMN alert_rule.resolve_for_seconds IS 'How long it must be well before it is over';
COMMENT ON COLUMN alert_rule.suppress_until_caught_up IS 'Silent until the job has caught up for the first time';
COMMENT ON COLUMN alert_rule.repeat_interval_seconds IS 'Tell again after so long; 0 = never';
COMMENT ON COLUMN alert_rule.severity IS 'For those who are told';
COMMENT ON COLUMN alert_rule.contacts IS 'Webhook endpoints; empty = those that asked for alert.firing';
COMMENT ON COLUMN alert_rule.send_resolved IS 'Tell when it is over, too';
COMMENT ON COLUMN alert_rule.enabled IS 'False: nothing is looked at';
COMMENT ON COLUMN alert_rule.version IS 'Rises with every change; the ETag';
COMMENT ON COLUMN alert_rule.created_at IS 'When it was made';
COMMENT ON COLUMN alert_rule.updated_at IS 'Last change';

CREATE TABLE alert (
    id              text PRIMARY KEY,
    account         text NOT NULL REFERENCES account,
    rule            text REFERENCES alert_rule ON DELETE SET NULL,
    job             text NOT NULL REFERENCES job ON DELETE CASCADE,
    type            text NOT NULL,
    severity        text NOT NULL,
    state           text NOT NULL CHECK (state IN ('pending', 'firing', 'resolved')),
    value           float8,
    detail          text NOT NULL,
    since           timestamptz NOT NULL,
    well_since      timestamptz,
    fired_at        timestamptz,
    resolved_at     timestamptz,
    notified_at     timestamptz,
    notices         int NOT NULL DEFAULT 0,
    acknowledged_at timestamptz,
    acknowledged_by text,
    silenced_until  timestamptz,
    version         int8 NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX alert_open ON alert (rule, job) WHERE state <> 'resolved';
CREATE INDEX alert_of_account ON alert (account, id DESC);
CREATE INDEX alert_resolved ON alert (resolved_at) WHERE state = 'resolved';
COMMENT ON TABLE alert IS 'What a rule found at a job: one open row of each pair at most';
COMMENT ON COLUMN alert.id IS 'alt_<ULID>; the fingerprint, too';
COMMENT ON COLUMN alert.account IS 'Whose it is';
COMMENT ON COLUMN alert.rule IS 'Null when the rule is gone';
COMMENT ON COLUMN alert.job IS 'Of which job';
COMMENT ON COLUMN alert.type IS 'Of the rule';
COMMENT ON COLUMN alert.severity IS 'Of the rule';
COMMENT ON COLUMN alert.state IS 'pending: true, but not for long enough; firing; resolved: over';
COMMENT ON COLUMN alert.value IS 'What was last seen, in the unit of the type';
COMMENT ON COLUMN alert.detail IS 'A sentence for people';
COMMENT ON COLUMN alert.since IS 'Since when the condition holds';
COMMENT ON COLUMN alert.well_since IS 'Since when it does not any more; null = it holds';
COMMENT ON COLUMN alert.fired_at IS 'When it began to fire';
COMMENT ON COLUMN alert.resolved_at IS 'When it was over';
COMMENT ON COLUMN alert.notified_at IS 'When the last notice was written';
COMMENT ON COLUMN alert.notices IS 'How many were written';
COMMENT ON COLUMN alert.acknowledged_at IS 'Somebody takes care: no more repeats';
COMMENT ON COLUMN alert.acknowledged_by IS 'Who';
COMMENT ON COLUMN alert.silenced_until IS 'No notices until then';
COMMENT ON COLUMN alert.version IS 'Rises with every change a person sees; the ETag';

CREATE TABLE webhook_delivery (
    id            text PRIMARY KEY,
    endpoint      text NOT NULL REFERENCES webhook_endpoint ON DELETE CASCADE,
    account       text NOT NULL,
    type          text NOT NULL,
    alert         text,
    job           text,
    body          text NOT NULL,
    state         text NOT NULL DEFAULT 'pending'
        CHECK (state IN ('pending', 'delivered', 'failed', 'cancelled')),
    attempts      int NOT NULL DEFAULT 0,
    attempts_max  int,
    next_at       timestamptz NOT NULL DEFAULT now(),
    claimed_until timestamptz NOT NULL DEFAULT '-infinity',
    created_at    timestamptz NOT NULL DEFAULT now(),
    finished_at   timestamptz
);
CREATE INDEX webhook_delivery_due ON webhook_delivery (next_at) WHERE state = 'pending';
CREATE INDEX webhook_delivery_of_endpoint ON webhook_delivery (endpoint, id DESC);
CREATE INDEX webhook_delivery_ended ON webhook_delivery (finished_at) WHERE state <> 'pending';
COMMENT ON TABLE webhook_delivery IS 'Notices on their way, and what became of them: delivered at least once under one id';
COMMENT ON COLUMN webhook_delivery.id IS 'msg_<ULID>: webhook-id of every attempt';
COMMENT ON COLUMN webhook_delivery.endpoint IS 'Where to';
COMMENT ON COLUMN webhook_delivery.account IS 'Whose it is';
COMMENT ON COLUMN webhook_delivery.type IS 'Of the event';
COMMENT ON COLUMN webhook_delivery.alert IS 'The alert it tells of; null = none';
COMMENT ON COLUMN webhook_delivery.job IS 'The job it tells of; null = none';
COMMENT ON COLUMN webhook_delivery.body IS 'What is sent, byte by byte: it is signed';
COMMENT ON COLUMN webhook_delivery.state IS 'failed: the last attempt was, too; cancelled: its endpoint went';
COMMENT ON COLUMN webhook_delivery.attempts IS 'How many were made';
COMMENT ON COLUMN webhook_delivery.attempts_max IS 'Give up after so many; null = the schedule''s';
COMMENT ON COLUMN webhook_delivery.next_at IS 'Not before';
COMMENT ON COLUMN webhook_delivery.claimed_until IS 'An alerter is at it; when this has passed it died over it';
COMMENT ON COLUMN webhook_delivery.created_at IS 'When the notice was written';
COMMENT ON COLUMN webhook_delivery.finished_at IS 'When it was delivered or given up';

CREATE TABLE webhook_attempt (
    delivery    text NOT NULL REFERENCES webhook_delivery ON DELETE CASCADE,
    number      int NOT NULL,
    at          timestamptz NOT NULL,
    duration_ms int NOT NULL,
    status      int,
    error       text,
    answer      text,
    PRIMARY KEY (delivery, number)
);
COMMENT ON TABLE webhook_attempt IS 'What a receiver answered';
COMMENT ON COLUMN webhook_attempt.delivery IS 'Of which delivery';
COMMENT ON COLUMN webhook_attempt.number IS 'From 1';
COMMENT ON COLUMN webhook_attempt.at IS 'When it began';
COMMENT ON COLUMN webhook_attempt.duration_ms IS 'How long it took';
COMMENT ON COLUMN webhook_attempt.status IS 'Of HTTP; null = there was no answer';
COMMENT ON COLUMN webhook_attempt.error IS 'Why there was none; null = there was';
COMMENT ON COLUMN webhook_attempt.answer IS 'Its first KiB';

CREATE TABLE webhook_outbox (
    job    text NOT NULL REFERENCES job ON DELETE CASCADE,
    number int8 NOT NULL,
    PRIMARY KEY (job, number)
);
COMMENT ON TABLE webhook_outbox IS 'Events of jobs that somebody asked to be sent, until the alerter has addressed them';
COMMENT ON COLUMN webhook_outbox.job IS 'Of the event';
COMMENT ON COLUMN webhook_outbox.number IS 'Of the event';

CREATE FUNCTION kf_outbox() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    INSERT INTO webhook_outbox (job, number)
    SELECT NEW.job, NEW.number
      FROM job j
     WHERE j.id = NEW.job
       AND EXISTS (SELECT 1 FROM webhook_endpoint e
                    WHERE e.account = j.account AND e.enabled AND e.kind = 'standard'
                      AND e.event_types && ARRAY['*', 'job.*', 'job.' || NEW.type]);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION kf_outbox() IS 'In the transaction of an event: nothing is sent of what was not committed, and nothing is forgotten';
CREATE TRIGGER job_event_outbox AFTER INSERT ON job_event FOR EACH ROW EXECUTE FUNCTION kf_outbox();
