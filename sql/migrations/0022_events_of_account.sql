-- The newest events of an account are read by an index: without a column of their own they were
-- looked for among those of all accounts. The index by time alone, which nothing else used, would
-- still lead there: where accounts are few it looks good enough to the planner.

ALTER TABLE job_event ADD COLUMN account text;
UPDATE job_event e SET account = j.account FROM job j WHERE j.id = e.job;
ALTER TABLE job_event ALTER COLUMN account SET NOT NULL;
CREATE INDEX job_event_of_account ON job_event (account, at);
DROP INDEX job_event_by_time;
COMMENT ON COLUMN job_event.account IS 'Whose job it is: a job never passes to another';

CREATE FUNCTION kf_event_account() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    NEW.account := (SELECT j.account FROM job j WHERE j.id = NEW.job);
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION kf_event_account() IS 'No statement that writes an event has to say whose it is';
CREATE TRIGGER job_event_account BEFORE INSERT ON job_event FOR EACH ROW EXECUTE FUNCTION kf_event_account();
