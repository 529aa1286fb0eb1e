-- Events that are to be sent, at most $1 of them; gone from the outbox when the transaction ends.
-- $1 limit int8
-- Returns 1 row: array json.
WITH taken AS (
    DELETE FROM webhook_outbox
     WHERE ctid = ANY (ARRAY(SELECT ctid FROM webhook_outbox ORDER BY job, number
                              LIMIT $1::int8 FOR UPDATE SKIP LOCKED))
    RETURNING job, number
)
SELECT coalesce(json_agg(json_build_object(
           'account', j.account, 'job_id', e.job, 'job_name', j.name, 'number', e.number,
           'type', 'job.' || e.type, 'at', kf_time(e.at), 'state', e.state,
           'sentence', e.sentence, 'detail', e.detail) ORDER BY e.job, e.number), '[]')
  FROM taken JOIN job_event e USING (job, number) JOIN job j ON j.id = e.job
