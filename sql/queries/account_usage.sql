-- What an account has, beside what it may have. Safe to repeat.
-- $1 account text   $2 name of the only one to count, or null for all
-- Returns 1 row: {"jobs": {"limit": n|null, "used": n}, …} json.
SELECT json_object_agg(u.name, json_build_object('limit', a.quotas -> u.name, 'used', u.used))
  FROM account a,
       LATERAL (
           SELECT 'jobs' AS name, (SELECT count(*) FROM job
                                    WHERE account = a.id AND state <> 'released') AS used
            WHERE $2::text IS NULL OR $2 = 'jobs' AND a.quotas ? 'jobs'
           UNION ALL
           SELECT 'running_jobs', (SELECT count(*) FROM job
                                    WHERE account = a.id
                                      AND state IN ('scheduled', 'queued', 'starting', 'running',
                                                    'retrying', 'pausing', 'cutting_over', 'stopping'))
            WHERE $2::text IS NULL OR $2 = 'running_jobs' AND a.quotas ? 'running_jobs'
           UNION ALL
           SELECT 'instances', (SELECT count(*) FROM instance WHERE account = a.id)
            WHERE $2::text IS NULL OR $2 = 'instances' AND a.quotas ? 'instances'
           UNION ALL
           SELECT 'api_keys', (SELECT count(*) FROM api_key
                                WHERE account = a.id AND revoked_at IS NULL
                                  AND (expires_at IS NULL OR expires_at > now()))
            WHERE $2::text IS NULL OR $2 = 'api_keys' AND a.quotas ? 'api_keys') u
 WHERE a.id = $1
