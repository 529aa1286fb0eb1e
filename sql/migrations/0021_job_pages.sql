-- A page of jobs is answered without reading what its reader knows already, and jobs are counted as they
-- change: with a hundred thousand of them both were most of what a list or the counts cost.

-- ---- specifications by their digest

CREATE FUNCTION kf_spec_sum(account text, spec jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
$$
SELECT encode(sha256(convert_to(account || ' ' || spec::text, 'UTF8')), 'hex')
$$;
COMMENT ON FUNCTION kf_spec_sum(text, jsonb) IS
    'SHA-256 of an account''s specification, so that what was made of it once can be found again; no other account''s is the same';
ALTER TABLE job ADD COLUMN spec_sum text GENERATED ALWAYS AS (kf_spec_sum(account, spec)) STORED;
COMMENT ON COLUMN job.spec_sum IS 'kf_spec_sum of its specification';

CREATE OR REPLACE VIEW job_shown AS
    SELECT j.id, j.account, j.name, j.state, j.phase, j.sync_state,
           coalesce(j.instance_class, '') AS instance_class, j.spec_digest, j.spec, j.warnings,
           j.attention, j.last_error, j.retry_state, j.wanted, j.version,
           kf_ms(j.created_at) AS created_ms, kf_ms(j.started_at) AS started_ms,
           kf_ms(j.finished_at) AS finished_ms, kf_ms(j.updated_at) AS updated_ms,
           t.job IS NOT NULL AS has_task,
           CASE WHEN t.lease_until > now() THEN coalesce(t.lease_owner, '') ELSE '' END AS worker,
           t.progress, t.source_facts, t.destination_facts, j.spec_sum
      FROM job j
      LEFT JOIN task t ON t.job = j.id AND t.number = 0;

-- The rows of a page. Planned once for a connection: planning this with each list took as long as
-- carrying it out. STABLE: it sees what the statement sees that found the ids.
CREATE FUNCTION kf_jobs_shown(ids text[], with_specs bool) RETURNS SETOF job_shown
    LANGUAGE plpgsql STABLE AS
$$
BEGIN
    RETURN QUERY
    SELECT s.id, s.account, s.name, s.state, s.phase, s.sync_state, s.instance_class, s.spec_digest,
           CASE WHEN with_specs THEN s.spec END, s.warnings, s.attention, s.last_error, s.retry_state,
           s.wanted, s.version, s.created_ms, s.started_ms, s.finished_ms, s.updated_ms, s.has_task,
           s.worker, s.progress, s.source_facts, s.destination_facts, s.spec_sum
      FROM job_shown s
     WHERE s.id = ANY (ids)
     ORDER BY s.id DESC;
END
$$;
COMMENT ON FUNCTION kf_jobs_shown(text[], bool) IS
    'Those jobs as job_shown, newest first; their specifications only where they are asked for';

-- ---- released ones of an environment, a region, a group, a pool: none of the other indexes has them

CREATE INDEX job_released_by_environment ON job (account, environment, id DESC)
    WHERE state = 'released' AND environment IS NOT NULL;
CREATE INDEX job_released_by_region ON job (account, region, id DESC)
    WHERE state = 'released' AND region IS NOT NULL;
CREATE INDEX job_released_by_group ON job (account, resource_group, id DESC) WHERE state = 'released';
CREATE INDEX job_released_by_pool ON job (account, worker_pool, id DESC) WHERE state = 'released';

-- ---- counts

-- Each change adds a row, so that no change waits for another one's; the sweep makes one of many.
CREATE TABLE job_count (
    account text NOT NULL,
    state   text NOT NULL,
    jobs    int8 NOT NULL,
    waiting int8 NOT NULL
);
CREATE INDEX job_count_of_account ON job_count (account, state);
COMMENT ON TABLE job_count IS 'How many jobs there are: the sum of its rows. Triggers of job keep it the same';
COMMENT ON COLUMN job_count.account IS 'Whose jobs';
COMMENT ON COLUMN job_count.state IS 'In that state';
COMMENT ON COLUMN job_count.jobs IS 'So many more, or fewer';
COMMENT ON COLUMN job_count.waiting IS '… of those that need a person';

CREATE FUNCTION kf_jobs_counted() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO job_count
        SELECT account, state, count(*), count(*) FILTER (WHERE needs_person) FROM came GROUP BY account, state;
    ELSE
        INSERT INTO job_count
        SELECT account, state, -count(*), -count(*) FILTER (WHERE needs_person) FROM gone GROUP BY account, state;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION kf_jobs_counted() IS 'job_count after jobs came or went';
CREATE TRIGGER job_count_more AFTER INSERT ON job REFERENCING NEW TABLE AS came
    FOR EACH STATEMENT EXECUTE FUNCTION kf_jobs_counted();
CREATE TRIGGER job_count_fewer AFTER DELETE ON job REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION kf_jobs_counted();

CREATE FUNCTION kf_job_moved() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    INSERT INTO job_count VALUES (OLD.account, OLD.state, -1, -OLD.needs_person::int),
                                 (NEW.account, NEW.state, 1, NEW.needs_person::int);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION kf_job_moved() IS 'job_count after a job has another state, or needs a person, or none any more';
CREATE TRIGGER job_count_moved AFTER UPDATE ON job
    FOR EACH ROW WHEN (OLD.state <> NEW.state OR OLD.needs_person <> NEW.needs_person OR OLD.account <> NEW.account)
    EXECUTE FUNCTION kf_job_moved();

INSERT INTO job_count
SELECT account, state, count(*), count(*) FILTER (WHERE needs_person) FROM job GROUP BY account, state;
