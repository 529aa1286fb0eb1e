-- Which addresses the workers of each pool connect from, as they said within a day: one that is away
-- comes back with the same. Safe to repeat.
-- $1 pool text or null
-- Returns 1 row: array jsonb.
SELECT coalesce(jsonb_agg(jsonb_build_object('pool', pool, 'workers', workers, 'addresses', addresses)
                          ORDER BY pool), '[]')
  FROM (SELECT w.pool, count(DISTINCT w.id) AS workers,
               coalesce(jsonb_agg(DISTINCT jsonb_build_object(
                            'address', a.address, 'source', w.reported ->> 'egress_source'))
                        FILTER (WHERE a.address IS NOT NULL), '[]') AS addresses
          FROM worker w
          LEFT JOIN LATERAL jsonb_array_elements_text(w.reported -> 'egress') AS a (address) ON true
         WHERE w.seen_at > now() - interval '1 day' AND ($1::text IS NULL OR w.pool = $1)
         GROUP BY w.pool) p
