-- Renew many leases and mirror the progress of their tasks. Safe to repeat; what is no longer the
-- worker's is left alone and not returned.
-- $1 worker text   $2 seconds int8   $3 jobs text[]   $4 numbers text[]   $5 epochs text[]
-- $6 progress text[] (json or null)
-- Returns a row per task held: place in the arrays (from 1), state of the job, wanted, version, now
-- int8 milliseconds.
WITH report AS (
    SELECT r.job, r.number::int AS number, r.epoch::int8 AS epoch, r.progress::jsonb AS progress,
           r.place
      FROM unnest($3::text[], $4::text[], $5::text[], $6::text[])
           WITH ORDINALITY AS r (job, number, epoch, progress, place)
), held AS (
    UPDATE task t
       SET lease_until = now() + make_interval(secs => $2::int8),
           progress = coalesce(r.progress, t.progress),
           updated_at = now()
      FROM report r
     WHERE t.job = r.job AND t.number = r.number AND t.lease_epoch = r.epoch AND t.lease_owner = $1
    RETURNING t.job, t.number, r.progress, r.place
), shown AS (
    UPDATE job j
       SET phase = coalesce(h.progress ->> 'phase', ''),
           sync_state = coalesce(h.progress ->> 'sync_state', '')
      FROM held h
     WHERE j.id = h.job AND h.number = 0 AND h.progress IS NOT NULL
       AND (j.phase, j.sync_state) IS DISTINCT FROM
           (coalesce(h.progress ->> 'phase', ''), coalesce(h.progress ->> 'sync_state', ''))
), beats AS (
    INSERT INTO heartbeat AS b (job, task, key, state, written_at, seen_at, latency_us)
    SELECT h.job, h.number, concat(j.spec -> 'heartbeat' ->> 'key_prefix', ':', h.job, ':', h.number),
           (h.progress ->> 'heartbeat_state')::int,
           to_timestamp(nullif((h.progress ->> 'heartbeat_written_at_ms')::int8, 0) / 1000.0),
           to_timestamp(nullif((h.progress ->> 'latency_at_ms')::int8, 0) / 1000.0),
           CASE WHEN (h.progress ->> 'latency_at_ms')::int8 > 0
                THEN (h.progress ->> 'latency_us')::int8 END
      FROM held h
      JOIN job j ON j.id = h.job
     WHERE (h.progress ->> 'heartbeat_state')::int > 0
    ON CONFLICT (job, task) DO UPDATE
       SET key = excluded.key, state = excluded.state, latency_us = excluded.latency_us,
           written_at = coalesce(excluded.written_at, b.written_at),
           seen_at = coalesce(excluded.seen_at, b.seen_at)
)
SELECT h.place, j.state, j.wanted, j.version, kf_ms(clock_timestamp())
  FROM held h
  JOIN job j ON j.id = h.job
