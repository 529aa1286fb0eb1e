-- Workers seen within a day. Safe to repeat.
-- $1 pool text or null   $2 state text or null
-- Returns 1 row: array jsonb.
SELECT coalesce(jsonb_agg(shown ORDER BY id), '[]')
  FROM worker_shown
 WHERE ($1::text IS NULL OR pool = $1) AND ($2::text IS NULL OR shown ->> 'state' = $2)
