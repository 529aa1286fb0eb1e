-- What is on record of a job after an id, oldest first. Safe to repeat.
-- $1 job text   $2 after int8   $3 limit int8
-- Returns 1 row: array jsonb.
SELECT coalesce(jsonb_agg(jsonb_build_object('id', id::text, 'command', command, 'reason', reason,
           'source_offset', source_offset, 'source_database', source_database, 'key_hash', key_hash,
           'replayable', sealed IS NOT NULL, 'status', status, 'detail', detail,
           'rejected_at', kf_time(rejected_at), 'replayed_at', kf_time(replayed_at)) ORDER BY id), '[]')
  FROM (SELECT * FROM rejected_command WHERE job = $1 AND id > $2::int8 ORDER BY id LIMIT $3::int8) r
