-- Commands that a job did not apply, and how often each was met.

CREATE SEQUENCE rejected_replay;
COMMENT ON SEQUENCE rejected_replay IS 'Numbers of replays: the destination remembers the last one it has';

CREATE TABLE rejected_command (
    id              int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job             text NOT NULL REFERENCES job ON DELETE CASCADE,
    task            int NOT NULL,
    generation      int8 NOT NULL,
    source_offset   int8 NOT NULL,
    command         text NOT NULL,
    source_database int NOT NULL,
    key_hash        text,
    reason          text NOT NULL,
    sealed          bytea,
    status          text NOT NULL DEFAULT 'recorded' CHECK (status IN ('recorded', 'wanted', 'replayed', 'refused')),
    replay          int8,
    detail          text,
    rejected_at     timestamptz NOT NULL DEFAULT now(),
    replayed_at     timestamptz,
    UNIQUE (job, task, generation, source_offset)
);
CREATE INDEX rejected_command_wanted ON rejected_command (job, replay) WHERE status = 'wanted';
COMMENT ON TABLE rejected_command IS 'Commands of a source that a policy left out, at most a thousand of a job; the counters know of all';
COMMENT ON COLUMN rejected_command.id IS 'In the order in which they were met';
COMMENT ON COLUMN rejected_command.job IS 'Whose stream';
COMMENT ON COLUMN rejected_command.task IS 'Of which source shard';
COMMENT ON COLUMN rejected_command.generation IS 'Which full copy the stream followed: offsets may begin anew with another';
COMMENT ON COLUMN rejected_command.source_offset IS 'Its first byte in the source''s history';
COMMENT ON COLUMN rejected_command.command IS 'Its name; never an argument';
COMMENT ON COLUMN rejected_command.source_database IS 'Selected there';
COMMENT ON COLUMN rejected_command.key_hash IS 'CRC64 of its first key, hexadecimal; null where none is known';
COMMENT ON COLUMN rejected_command.reason IS 'unknown_command, lua_policy or flush_policy';
COMMENT ON COLUMN rejected_command.sealed IS 'The whole command, AES-256-GCM, bound to this row; null: too long to be kept';
COMMENT ON COLUMN rejected_command.status IS 'recorded; wanted: a replay was asked for; replayed; refused: by the replay, see detail';
COMMENT ON COLUMN rejected_command.replay IS 'Number of the replay last asked for';
COMMENT ON COLUMN rejected_command.detail IS 'Why the replay was refused';
COMMENT ON COLUMN rejected_command.rejected_at IS 'When the worker met it';
COMMENT ON COLUMN rejected_command.replayed_at IS 'When the replay ended, either way';

CREATE TABLE command_count (
    job      text NOT NULL REFERENCES job ON DELETE CASCADE,
    command  text NOT NULL,
    applied  int8 NOT NULL,
    skipped  int8 NOT NULL,
    rejected int8 NOT NULL,
    PRIMARY KEY (job, command)
);
COMMENT ON TABLE command_count IS 'Commands of the followed stream by name, as the worker last mirrored them';
COMMENT ON COLUMN command_count.job IS 'Whose stream';
COMMENT ON COLUMN command_count.command IS 'Name as in GET /v1/commands; unknown: all that have none there';
COMMENT ON COLUMN command_count.applied IS 'Acknowledged by the destination';
COMMENT ON COLUMN command_count.skipped IS 'Counted only: outside the selection, or without data';
COMMENT ON COLUMN command_count.rejected IS 'Left out by a policy';
