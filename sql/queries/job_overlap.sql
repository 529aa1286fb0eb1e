-- Another job that holds a part of the same destination that this one selects. Safe to repeat.
-- Two selections of one database overlap where a prefix of one begins with a prefix of the other
-- and no exclusion of either takes the keys that begin with the longer one out.
-- $1 job text   $2 states text[]
-- Returns 0 or 1 row: id.
WITH part AS (
    SELECT o.id, (d ->> 'destination')::int AS database, p.excluded,
           CASE WHEN p.text LIKE 'hex:%' THEN lower(substr(p.text, 5))
                ELSE encode(convert_to(p.text, 'UTF8'), 'hex') END AS prefix
      FROM job j
      JOIN job o ON o.destination_key = j.destination_key
     CROSS JOIN LATERAL jsonb_array_elements(
               CASE jsonb_typeof(o.spec -> 'objects' -> 'databases')
                   WHEN 'array' THEN o.spec -> 'objects' -> 'databases' ELSE '[]' END) AS d
     CROSS JOIN LATERAL (
               SELECT text, false AS excluded
                 FROM jsonb_array_elements_text(coalesce(d -> 'include_prefixes', '["hex:"]')) AS text
                UNION ALL
               SELECT text, true
                 FROM jsonb_array_elements_text(coalesce(d -> 'exclude_prefixes', '[]')) AS text) AS p
     WHERE j.id = $1 AND (o.id = $1 OR o.state = ANY ($2::text[]))
)
SELECT o.id
  FROM job j
  JOIN job o ON o.destination_key = j.destination_key AND o.id <> j.id
 WHERE j.id = $1 AND o.state = ANY ($2::text[])
   AND (j.destination_databases IS NULL OR o.destination_databases IS NULL OR
        j.destination_databases && o.destination_databases AND
        EXISTS (SELECT 1
                  FROM part a
                  JOIN part b ON b.id = o.id AND b.database = a.database AND NOT b.excluded
                   AND (starts_with(a.prefix, b.prefix) OR starts_with(b.prefix, a.prefix))
                 WHERE a.id = j.id AND NOT a.excluded
                   AND NOT EXISTS (SELECT 1
                                     FROM part e
                                    WHERE e.id IN (j.id, o.id) AND e.database = a.database
                                      AND e.excluded
                                      AND starts_with(CASE WHEN length(a.prefix) > length(b.prefix)
                                                           THEN a.prefix ELSE b.prefix END,
                                                      e.prefix))))
 ORDER BY o.id
 LIMIT 1
