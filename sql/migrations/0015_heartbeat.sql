-- The heartbeat of a source shard has its whole name, and of several alerters one acts.

UPDATE heartbeat SET key = concat(key, ':', job, ':', task) WHERE key NOT LIKE '%:' || job || ':%';
COMMENT ON COLUMN heartbeat.key IS 'The key on the source; it expires by itself';
COMMENT ON COLUMN heartbeat.latency_us IS 'From the writing of the one seen last to that sight; null = none was seen yet';

CREATE TABLE alerter_turn (
    is_only bool PRIMARY KEY DEFAULT true CHECK (is_only),
    alerter text NOT NULL,
    until   timestamptz NOT NULL
);
INSERT INTO alerter_turn (alerter, until) VALUES ('', '-infinity');
COMMENT ON TABLE alerter_turn IS 'Which alerter looks at the rules; one row';
COMMENT ON COLUMN alerter_turn.is_only IS 'Keeps it at one row';
COMMENT ON COLUMN alerter_turn.alerter IS 'alerter_<ULID> of a process';
COMMENT ON COLUMN alerter_turn.until IS 'When another may take it; renewed with each look';
