-- Write a line of history that moves nothing. Repeated, it is there twice.
-- $1 job text   $2 type text   $3 sentence text   $4 detail text   $5 actor text
-- Returns 1 row, 0 when there is no such job.
WITH counted AS (
    UPDATE job SET event_count = event_count + 1 WHERE id = $1 RETURNING id, event_count, state
), history AS (
    INSERT INTO job_event (job, number, type, state, sentence, detail, actor)
    SELECT id, event_count, $2, state, $3, $4, $5 FROM counted
)
SELECT pg_notify('kf_job', id) FROM counted
