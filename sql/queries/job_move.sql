-- Move a job along an edge: compare-and-set, history and wake-up in one statement. Safe to repeat:
-- the second time the state is another, unless the edge leads back to its own state.
-- With a start and a resume a run of the checks is queued: what may have changed since the precheck.
-- A job by another account's role is watched in another way (its role is asked at each connect).
-- $1 job text   $2 from text   $3 to text   $4 event text   $5 sentence text   $6 detail text
-- $7 actor text   $8 account text or null   $9 expected version int8, 0 = any
-- $10 lease owner text, null = by no lease   $11 task int8   $12 lease epoch int8
-- $13 clear attention bool   $14 attention jsonb or null   $15 error code text or null, '' clears   $16 error detail text
-- $17 retry state jsonb or null   $18 wanted jsonb or null, merged   $19 instance class text or null
-- $20 is start bool   $21 is final bool   $22 add task bool      (json null clears a column)
-- Returns 1 row when moved, 0 when the row was not as described.
WITH held AS (
    SELECT 1 FROM task
     WHERE job = $1 AND number = $11::int8 AND lease_epoch = $12::int8 AND lease_owner = $10
       FOR SHARE
), moved AS (
    UPDATE job
       SET state = $3,
           version = version + 1,
           event_count = event_count + 1,
           updated_at = now(),
           attention = CASE WHEN $14::jsonb IS NOT NULL THEN nullif($14::jsonb, 'null')
                            WHEN $13::bool THEN NULL
                            ELSE attention END,
           last_error = CASE WHEN $15::text IS NULL THEN last_error
                             WHEN $15 = '' THEN NULL
                             ELSE jsonb_build_object('code', $15, 'detail', $16::text,
                                                     'at', kf_time(now())) END,
           retry_state = CASE WHEN $17::jsonb IS NULL THEN retry_state ELSE nullif($17::jsonb, 'null') END,
           wanted = CASE WHEN $18::jsonb IS NULL THEN wanted
                         WHEN $18::jsonb = 'null' THEN '{}'
                         ELSE wanted || $18::jsonb END,
           instance_class = coalesce($19, instance_class),
           started_at = CASE WHEN $20::bool THEN coalesce(started_at, now()) ELSE started_at END,
           finished_at = CASE WHEN $21::bool THEN coalesce(finished_at, now()) END
     WHERE id = $1 AND state = $2
       AND ($8::text IS NULL OR account = $8)
       AND ($9::int8 = 0 OR version = $9)
       AND ($10::text IS NULL OR EXISTS (SELECT 1 FROM held))
    RETURNING id, event_count, account, spec, spec_digest, worker_pool, version
), looked AS (
    INSERT INTO precheck (id, account, job, state, purpose, probe, ignore_warnings, spec,
                          spec_digest, worker_pool, actor)
    SELECT 'pst_' || substr(id, 5) || '_' || version, account, id, 'queued', 'start', 'read_only',
           true, spec, spec_digest, worker_pool, $7
      FROM moved
     WHERE $4 IN ('start.requested', 'due', 'resumed')
       AND spec -> 'source' -> 'reference' ->> 'role_name' IS NULL
       AND spec -> 'destination' -> 'reference' ->> 'role_name' IS NULL
    ON CONFLICT DO NOTHING
), history AS (
    INSERT INTO job_event (job, number, type, state, sentence, detail, actor)
    SELECT id, event_count, $4, $3, $5, $6, $7 FROM moved
), added AS (
    INSERT INTO task (job, number)
    SELECT id, 0 FROM moved WHERE $22::bool
    ON CONFLICT DO NOTHING
)
SELECT pg_notify('kf_job', id) FROM moved
