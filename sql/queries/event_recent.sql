-- History of all jobs of an account, newest first. Safe to repeat.
-- $1 account text   $2 behind this time int8 (microseconds, 0 = from now)   $3 job text   $4 number int8:
-- of the last event that was seen
-- $5 limit int8
-- Returns 1 row: array jsonb.
SELECT coalesce(jsonb_agg(jsonb_build_object('job_id', job, 'number', number, 'type', type,
           'at', kf_time(at), 'at_us', (extract(epoch FROM at) * 1000000)::int8, 'state', state,
           'sentence', sentence, 'detail', detail, 'actor', actor)
           ORDER BY at DESC, job DESC, number DESC), '[]')
  FROM (SELECT *
          FROM job_event
         WHERE account = $1
           AND at <= CASE WHEN $2::int8 = 0 THEN 'infinity'
                          ELSE 'epoch'::timestamptz + $2::int8 * interval '1 microsecond' END
           AND ($2::int8 = 0
                OR (at, job, number)
                   < ('epoch'::timestamptz + $2::int8 * interval '1 microsecond', $3, $4::int8))
         ORDER BY at DESC, job DESC, number DESC
         LIMIT $5::int8) newest
