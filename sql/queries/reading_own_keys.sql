-- Keys that Keyferry itself has, or may have, at the ends of a run: positions and seals of jobs that
-- write there, heartbeats of jobs that read there. Safe to repeat.
-- $1 run text
-- Returns 1 row: {"source": [{"database", "key", "expires"}], "destination": [...]} jsonb, 200 of an
-- end at most.
WITH run AS (
    SELECT kf_end(spec -> 'source') AS source, kf_end(spec -> 'destination') AS destination
      FROM precheck WHERE id = $1
), address AS (
    SELECT 'source' AS side, source AS address FROM run WHERE source IS NOT NULL
    UNION ALL
    SELECT 'destination', destination FROM run WHERE destination IS NOT NULL
), own AS (
    SELECT a.side, t.updated_at AS at,
           jsonb_build_object('database', coalesce((SELECT min(d) FROM unnest(j.destination_databases) d), 0),
                              'key', '{kf}:' || j.id || ':' || t.number, 'expires', false) AS item
      FROM address a
      JOIN job j ON j.destination_key = a.address
      JOIN task t ON t.job = j.id
    UNION ALL
    SELECT a.side, greatest(b.written_at, b.seen_at),
           jsonb_build_object('database', coalesce((SELECT min((d ->> 'source')::int)
                                                      FROM jsonb_array_elements(
                                                           CASE jsonb_typeof(j.spec -> 'objects' -> 'databases')
                                                           WHEN 'array' THEN j.spec -> 'objects' -> 'databases' END) d), 0),
                              'key', b.key, 'expires', true)
      FROM heartbeat b
      JOIN job j ON j.id = b.job
      JOIN address a ON a.address = kf_end(j.spec -> 'source')
     WHERE b.state = 1 AND greatest(b.written_at, b.seen_at) > now() - interval '10 minutes'
), numbered AS (
    SELECT side, item, row_number() OVER (PARTITION BY side ORDER BY at DESC NULLS LAST) AS place FROM own
)
SELECT jsonb_build_object(
           'source', coalesce(jsonb_agg(item) FILTER (WHERE side = 'source'), '[]'),
           'destination', coalesce(jsonb_agg(item) FILTER (WHERE side = 'destination'), '[]'))
  FROM numbered
 WHERE place <= 200
