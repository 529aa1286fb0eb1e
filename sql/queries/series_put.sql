-- Write buckets down; what a bucket had and the new one does not know stays: it may be another
-- worker's, or of the one before. Safe to repeat. Jobs that are gone are passed over.
-- Of two for the same moments the later one counts.
-- $1 jobs text[]   $2 steps text[]   $3 first moments text[] (Unix seconds)   $4 points text[]
-- Returns nothing.
INSERT INTO series AS s (job, step, bucket, points)
SELECT DISTINCT ON (r.job, r.step, r.first_s)
       r.job, r.step::int, to_timestamp(r.first_s::int8), r.points::int8[]
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
       WITH ORDINALITY AS r (job, step, first_s, points, place)
 WHERE EXISTS (SELECT 1 FROM job j WHERE j.id = r.job)
 ORDER BY r.job, r.step, r.first_s, r.place DESC
ON CONFLICT (job, step, bucket) DO UPDATE
   SET points = ARRAY(SELECT coalesce(p.new, p.old)
                        FROM unnest(excluded.points, s.points) WITH ORDINALITY AS p (new, old, place)
                       ORDER BY p.place)
