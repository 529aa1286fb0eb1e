-- A list of one environment, region, group or pool and of some states is decided in the index of the former.

DROP INDEX job_by_environment, job_by_region, job_by_group, job_by_pool;
CREATE INDEX job_by_environment ON job (account, environment, id DESC) INCLUDE (state, needs_person)
    WHERE state <> 'released' AND environment IS NOT NULL;
CREATE INDEX job_by_region ON job (account, region, id DESC) INCLUDE (state, needs_person)
    WHERE state <> 'released' AND region IS NOT NULL;
CREATE INDEX job_by_group ON job (account, resource_group, id DESC) INCLUDE (state, needs_person)
    WHERE state <> 'released';
CREATE INDEX job_by_pool ON job (account, worker_pool, id DESC) INCLUDE (state, needs_person)
    WHERE state <> 'released';
