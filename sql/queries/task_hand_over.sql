-- Give a task back that goes on, and wake whoever may take it. Safe to repeat.
-- $1 job text   $2 task int8   $3 lease epoch int8   $4 worker text
WITH given AS (
    UPDATE task
       SET lease_owner = NULL, lease_until = '-infinity'
     WHERE job = $1 AND number = $2::int8 AND lease_epoch = $3::int8 AND lease_owner = $4
    RETURNING job
)
SELECT pg_notify('kf_job', job) FROM given
