-- What each master key is used for: secrets at rest, answers that may be given again (the hash of
-- their request is keyed with it), workers that seal with it. Safe to repeat.
-- Returns 1 row: array jsonb by id.
SELECT coalesce(jsonb_agg(jsonb_build_object('id', id, 'secrets', secrets, 'answers', answers,
                                             'workers', workers) ORDER BY id), '[]')
  FROM (SELECT id, sum(secret) AS secrets, sum(answer) AS answers, sum(worker) AS workers
          FROM (SELECT kf_sealed_key(sealed) AS id, 1 AS secret, 0 AS answer, 0 AS worker
                  FROM sealed_secret
                UNION ALL
                SELECT split_part(request_hash, '.', 1)::int8, 0, 1, 0
                  FROM idempotency
                 WHERE request_hash ~ '^[0-9]{1,10}\.' AND created_at > now() - interval '24 hours'
                UNION ALL
                SELECT (reported ->> 'sealing_key')::int8, 0, 0, 1
                  FROM worker
                 WHERE seen_at > now() - interval '30 seconds') u
         WHERE id IS NOT NULL
         GROUP BY id) k
