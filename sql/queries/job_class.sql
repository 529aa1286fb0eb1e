-- Write down which class was chosen for a job. Compare-and-set by the version, so repeated it does
-- nothing.
-- $1 job text   $2 version int8   $3 instance class text   $4 event text   $5 sentence text
-- $6 detail text   $7 actor text
-- Returns 1 row when written, 0 when the version is another by now.
WITH chosen AS (
    UPDATE job
       SET instance_class = $3,
           version = version + 1,
           event_count = event_count + 1,
           updated_at = now()
     WHERE id = $1 AND version = $2::int8
    RETURNING id, state, event_count
), history AS (
    INSERT INTO job_event (job, number, type, state, sentence, detail, actor)
    SELECT id, event_count, $4, state, $5, $6, $7 FROM chosen
)
SELECT pg_notify('kf_job', id) FROM chosen
