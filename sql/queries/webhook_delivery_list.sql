-- Deliveries of an endpoint, newest first, or one of them with its attempts. Safe to repeat.
-- $1 account text   $2 endpoint text   $3 id text or null for all   $4 state text or null
-- $5 ids below this one, or null   $6 limit int8
-- Returns 1 row: array json.
SELECT coalesce(json_agg(shown ORDER BY id DESC), '[]')
  FROM (SELECT d.id, json_build_object(
                   'id', d.id, 'endpoint_id', d.endpoint, 'type', d.type, 'alert_id', d.alert,
                   'job_id', d.job, 'state', d.state, 'attempts', d.attempts,
                   'next_attempt_at', CASE WHEN d.state = 'pending' THEN kf_time(d.next_at) END,
                   'created_at', kf_time(d.created_at), 'finished_at', kf_time(d.finished_at),
                   'attempt_list',
                   (SELECT coalesce(json_agg(json_build_object(
                                'number', t.number, 'at', kf_time(t.at),
                                'duration_ms', t.duration_ms, 'status', t.status,
                                'error', t.error, 'answer', t.answer) ORDER BY t.number), '[]')
                      FROM webhook_attempt t WHERE t.delivery = d.id)) AS shown
          FROM webhook_delivery d
         WHERE d.account = $1 AND d.endpoint = $2 AND ($3::text IS NULL OR d.id = $3)
           AND ($4::text IS NULL OR d.state = $4) AND ($5::text IS NULL OR d.id < $5)
         ORDER BY d.id DESC
         LIMIT $6::int8) l
