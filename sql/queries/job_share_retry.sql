-- Let the retry times of a job be those of every job of its account that shares an end with it, where
-- both want that (retry.scope shared); the newest value is everybody's. Safe to repeat: equal ones
-- are not written again.
-- $1 job text   $2 actor text
WITH mine AS (
    SELECT id, account, spec -> 'retry' AS retry, kf_end(spec -> 'source') AS source,
           kf_end(spec -> 'destination') AS destination
      FROM job
     WHERE id = $1 AND spec -> 'retry' ->> 'scope' = 'shared'
), sharing AS (
    SELECT j.id, m.retry -> 'connection_minutes' AS connection, m.retry -> 'other_minutes' AS other
      FROM job j
      JOIN mine m ON m.account = j.account AND m.id <> j.id
     WHERE j.spec -> 'retry' ->> 'scope' = 'shared'
       AND j.state NOT IN ('completed', 'stopped', 'released')
       AND (kf_end(j.spec -> 'source') IN (m.source, m.destination)
            OR kf_end(j.spec -> 'destination') IN (m.source, m.destination))
       AND (j.spec -> 'retry' -> 'connection_minutes' <> m.retry -> 'connection_minutes'
            OR j.spec -> 'retry' -> 'other_minutes' <> m.retry -> 'other_minutes')
     ORDER BY j.id
       FOR UPDATE OF j
), changed AS (
    UPDATE job j
       SET spec = jsonb_set(jsonb_set(j.spec, '{retry,connection_minutes}', s.connection),
                            '{retry,other_minutes}', s.other),
           version = j.version + 1, event_count = j.event_count + 1, updated_at = now()
      FROM sharing s
     WHERE j.id = s.id
    RETURNING j.id, j.state, j.event_count, s.connection, s.other
), history AS (
    INSERT INTO job_event (job, number, type, state, sentence, detail, actor)
    SELECT id, event_count, 'retry_policy.changed', state,
           'A job that shares an end has other retry times, and they are shared',
           format('connection_minutes %s, other_minutes %s, by %s', connection, other, $1::text), $2
      FROM changed
)
SELECT pg_notify('kf_job', id) FROM changed
