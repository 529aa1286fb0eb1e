-- Sessions of a role, newest first. Safe to repeat.
-- $1 owner text   $2 role text   $3 ids below this one, or null   $4 limit int8   $5 job text or null
-- Returns 1 row: array json.
SELECT coalesce(json_agg(shown ORDER BY id DESC), '[]')
  FROM (SELECT id, json_build_object(
                   'id', id, 'role_id', role, 'role_version', role_version, 'account_id', account,
                   'job_id', job, 'end', end_name, 'instance_id', instance, 'worker', worker,
                   'opened_at', kf_time(opened_at), 'expires_at', kf_time(expires_at),
                   'closed_at', kf_time(closed_at), 'closed_reason', closed_reason) AS shown
          FROM role_session
         WHERE owner = $1 AND role = $2 AND ($3::text IS NULL OR id < $3)
           AND ($5::text IS NULL OR job = $5)
         ORDER BY id DESC
         LIMIT $4::int8) s
