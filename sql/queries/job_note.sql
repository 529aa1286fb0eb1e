-- Say how retrying goes, without moving the job. Safe to repeat; refuses a worker whose lease has
-- passed on.
-- $1 job text   $2 task int8   $3 lease epoch int8   $4 worker text
-- $5 error code text or null, '' clears   $6 error detail text
-- $7 retry state jsonb or null, json null clears
-- Writes 1 row, or 0 when the lease is no longer ours.
UPDATE job
   SET last_error = CASE WHEN $5::text IS NULL THEN last_error
                         WHEN $5 = '' THEN NULL
                         ELSE jsonb_build_object('code', $5, 'detail', $6::text, 'at', kf_time(now())) END,
       retry_state = CASE WHEN $7::jsonb IS NULL THEN retry_state ELSE nullif($7::jsonb, 'null') END
 WHERE id = $1
   AND EXISTS (SELECT 1 FROM task
                WHERE job = $1 AND number = $2::int8 AND lease_epoch = $3::int8 AND lease_owner = $4)
