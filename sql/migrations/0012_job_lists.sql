-- Lists of jobs are quick with a hundred thousand of them: whatever a list may be filtered by is a
-- column or a row of its own, in an index that has the order of the list.

ALTER TABLE job
    ADD COLUMN environment text GENERATED ALWAYS AS (spec ->> 'environment') STORED,
    ADD COLUMN region text GENERATED ALWAYS AS (spec ->> 'region') STORED,
    ADD COLUMN resource_group text GENERATED ALWAYS AS (spec ->> 'resource_group') STORED,
    ADD COLUMN source_instance text
        GENERATED ALWAYS AS (spec -> 'source' -> 'reference' ->> 'instance_id') STORED,
    ADD COLUMN destination_instance text
        GENERATED ALWAYS AS (spec -> 'destination' -> 'reference' ->> 'instance_id') STORED,
    ADD COLUMN needs_person bool GENERATED ALWAYS AS (attention IS NOT NULL) STORED;
COMMENT ON COLUMN job.environment IS 'As the specification says';
COMMENT ON COLUMN job.region IS 'As the specification says';
COMMENT ON COLUMN job.resource_group IS 'As the specification says';
COMMENT ON COLUMN job.source_instance IS 'The registered server that is its source; null = none';
COMMENT ON COLUMN job.destination_instance IS 'The registered server that is its destination; null = none';
COMMENT ON COLUMN job.needs_person IS 'Is there something a person must decide?';

-- Of the list itself; with the small columns in it a filter that no other index helps is decided
-- without reading the jobs. Released ones are only ever asked for by their state.
DROP INDEX job_of_account, job_by_state, job_of_source_instance, job_of_destination_instance;
CREATE INDEX job_listed ON job (account, id DESC)
    INCLUDE (state, needs_person, environment, region, resource_group, worker_pool, name)
    WHERE state <> 'released';
CREATE INDEX job_by_state ON job (account, state, id DESC) INCLUDE (needs_person);
CREATE INDEX job_by_need ON job (account, id DESC) WHERE needs_person;
CREATE INDEX job_by_environment ON job (account, environment, id DESC)
    WHERE state <> 'released' AND environment IS NOT NULL;
CREATE INDEX job_by_region ON job (account, region, id DESC)
    WHERE state <> 'released' AND region IS NOT NULL;
CREATE INDEX job_by_group ON job (account, resource_group, id DESC) WHERE state <> 'released';
CREATE INDEX job_by_pool ON job (account, worker_pool, id DESC) WHERE state <> 'released';
CREATE INDEX job_by_source ON job (source_instance, id DESC) WHERE source_instance IS NOT NULL;
CREATE INDEX job_by_target ON job (destination_instance, id DESC)
    WHERE destination_instance IS NOT NULL;

-- Of workers: few of many jobs.
CREATE INDEX job_at_work ON job (worker_pool)
    WHERE state IN ('queued', 'starting', 'running', 'retrying', 'pausing', 'cutting_over', 'stopping');
CREATE INDEX job_to_forget ON job (worker_pool)
    WHERE state IN ('completed', 'stopped') AND wanted -> 'forget' = 'true';

-- A part of a name is found by the pieces of three characters it consists of. (The extension
-- pg_trgm does the same where it is installed, which not every PostgreSQL has.)
CREATE FUNCTION kf_name_parts(account text, name text, shortest int) RETURNS int8[]
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS
$$
SELECT coalesce(array_agg(DISTINCT hashtextextended(account || substr(small, at, len), 0)), '{}')
  FROM (SELECT lower(name) AS small) n,
       generate_series(greatest(shortest, 1), 3) AS len,
       generate_series(1, length(small) - len + 1) AS at
$$;
COMMENT ON FUNCTION kf_name_parts(text, text, int) IS
    'Digests of all pieces of `shortest` to 3 characters of an account''s name, letters without their case';
CREATE INDEX job_by_name ON job USING gin (kf_name_parts(account, name, 1)) WITH (fastupdate = off);

CREATE TABLE job_label (
    account text NOT NULL,
    label   text NOT NULL,
    job     text NOT NULL REFERENCES job ON DELETE CASCADE,
    PRIMARY KEY (account, label, job)
);
CREATE INDEX job_label_of_job ON job_label (job, label);
COMMENT ON TABLE job_label IS 'The labels of the specifications, so that lists find them; a trigger keeps them the same';
COMMENT ON COLUMN job_label.account IS 'Whose job';
COMMENT ON COLUMN job_label.label IS 'KEY=VALUE';
COMMENT ON COLUMN job_label.job IS 'Which job';

CREATE FUNCTION kf_job_labels() RETURNS trigger
    LANGUAGE plpgsql AS
$$
BEGIN
    DELETE FROM job_label WHERE job = NEW.id;
    INSERT INTO job_label (account, label, job)
    SELECT NEW.account, key || '=' || value, NEW.id FROM jsonb_each_text(NEW.spec -> 'labels');
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION kf_job_labels() IS 'job_label after a change of the labels of a specification';
CREATE TRIGGER job_labels_made AFTER INSERT ON job
    FOR EACH ROW WHEN (NEW.spec -> 'labels' <> '{}') EXECUTE FUNCTION kf_job_labels();
CREATE TRIGGER job_labels_changed AFTER UPDATE OF spec ON job
    FOR EACH ROW WHEN (OLD.spec -> 'labels' IS DISTINCT FROM NEW.spec -> 'labels')
    EXECUTE FUNCTION kf_job_labels();
INSERT INTO job_label (account, label, job)
SELECT account, key || '=' || value, id FROM job, jsonb_each_text(spec -> 'labels');
