-- Buckets of a job that reach into a time, oldest first. Safe to repeat.
-- $1 job text   $2 step int4   $3 from int8, $4 to int8: Unix seconds
-- Returns rows: first int8, points text.
SELECT extract(epoch FROM bucket)::int8, array_to_string(points, ',', 'x')
  FROM series
 WHERE job = $1 AND step = $2::int4
   AND bucket > to_timestamp($3::int8 - 60 * $2::int4) AND bucket < to_timestamp($4::int8)
 ORDER BY bucket
