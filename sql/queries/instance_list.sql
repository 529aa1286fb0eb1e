-- Registered servers of an account, newest first, or one of them. Safe to repeat.
-- $1 account text   $2 id text or null   $3 ids below this one, or null   $4 limit int8
-- $5 part of the name or null
-- Returns 1 row: array json.
SELECT coalesce(json_agg(shown ORDER BY id DESC), '[]')
  FROM (SELECT id, json_build_object(
                   'id', id, 'name', name, 'engine', details -> 'engine', 'region', details -> 'region',
                   'access_method', details -> 'access_method', 'labels', details -> 'labels',
                   'endpoint', endpoint, 'auth_updated_at', kf_time(sealed_at),
                   'live', json_build_object('is_live', is_live, 'reason', live_reason, 'since', kf_time(live_at)),
                   'work', CASE WHEN work IS NOT NULL THEN json_build_object(
                       'kind', work, 'state', work_state, 'error', work_error, 'at', kf_time(work_at)) END,
                   'facts', facts, 'facts_at', kf_time(facts_at), 'created_at', kf_time(created_at),
                   'updated_at', kf_time(updated_at), 'version', version) AS shown
          FROM instance
         WHERE account = $1 AND ($2::text IS NULL OR id = $2) AND ($3::text IS NULL OR id < $3)
           AND ($5::text IS NULL OR strpos(lower(name), lower($5)) > 0)
         ORDER BY id DESC
         LIMIT $4::int8) i
