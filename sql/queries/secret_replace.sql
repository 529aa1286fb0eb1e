-- Put another sealed form of a secret in its place, if it is still the one that was read. Nothing
-- else of the row changes, its version neither: it says the same. Repeated, it does nothing.
-- $1 kind text   $2 row text   $3 sealed as read bytea   $4 sealed anew bytea
-- Returns 1 row when written, else 0.
WITH of_job AS (
    UPDATE job SET sealed = $4::bytea
     WHERE $1::text = 'job' AND id = $2::text AND sealed = $3::bytea RETURNING 1
), of_precheck AS (
    UPDATE precheck SET sealed = $4
     WHERE $1 = 'precheck' AND id = $2 AND sealed = $3 RETURNING 1
), of_instance AS (
    UPDATE instance SET sealed = $4
     WHERE $1 = 'instance' AND id = $2 AND sealed = $3 RETURNING 1
), of_work AS (
    UPDATE instance SET work_sealed = $4
     WHERE $1 = 'instance_work' AND id = $2 AND work_sealed = $3 RETURNING 1
), of_endpoint AS (
    UPDATE webhook_endpoint SET sealed = $4
     WHERE $1 = 'webhook_endpoint' AND id = $2 AND sealed = $3 RETURNING 1
), of_command AS (
    UPDATE rejected_command SET sealed = $4
     WHERE $1 = 'rejected_command' AND id = CASE WHEN $1 = 'rejected_command' THEN $2::int8 END
       AND sealed = $3 RETURNING 1
)
SELECT 1 FROM of_job UNION ALL SELECT 1 FROM of_precheck UNION ALL SELECT 1 FROM of_instance
UNION ALL SELECT 1 FROM of_work UNION ALL SELECT 1 FROM of_endpoint UNION ALL SELECT 1 FROM of_command
