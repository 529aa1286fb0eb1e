-- Another job that holds a part of the same destination that this one selects. Safe to repeat.
-- $1 job text   $2 states text[]
-- Returns 0 or 1 row: id.
SELECT o.id
  FROM job j
  JOIN job o ON o.destination_key = j.destination_key AND o.id <> j.id
 WHERE j.id = $1 AND o.state = ANY ($2::text[])
   AND (j.destination_databases IS NULL OR o.destination_databases IS NULL OR
        j.destination_databases && o.destination_databases)
 ORDER BY o.id
 LIMIT 1
