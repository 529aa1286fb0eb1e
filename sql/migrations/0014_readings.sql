-- Looks at both ends of a job while it lives: key counts, and who is connected.

ALTER TABLE precheck DROP CONSTRAINT precheck_purpose_check;
ALTER TABLE precheck ADD CONSTRAINT precheck_purpose_check
    CHECK (purpose IN ('precheck', 'connectivity', 'discover', 'start', 'counts', 'clients'));
COMMENT ON COLUMN precheck.purpose IS 'precheck; connectivity = only the way and the login; discover = what a server is; start = what may have changed since the precheck; counts, clients = a look at both ends of a job, the last one is kept';

CREATE UNIQUE INDEX precheck_one_reading ON precheck (job, purpose)
    WHERE purpose IN ('counts', 'clients') AND state IN ('queued', 'running');
