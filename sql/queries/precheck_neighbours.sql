-- Other jobs that are under way at the ends of a run. Safe to repeat. A worker waits for it: the jobs
-- are found by their ends, however many there are.
-- $1 precheck text   $2 states text[]: those that count
-- Returns 1 row: array jsonb of {"relation", "job", "state", "writes_here": to the same destination};
-- job is null when another account's.
WITH run AS (
    SELECT p.account, p.job, kf_end(p.spec -> 'source') AS source,
           kf_end(p.spec -> 'destination') AS destination
      FROM precheck p WHERE p.id = $1
), near AS (
    SELECT j.id FROM run r JOIN job j ON kf_end(j.spec -> 'source') = r.source
    UNION
    SELECT j.id FROM run r JOIN job j ON kf_end(j.spec -> 'destination') = r.destination
    UNION
    SELECT j.id FROM run r JOIN job j ON kf_end(j.spec -> 'source') = r.destination
                                     AND kf_end(j.spec -> 'destination') = r.source
), other AS (
    SELECT j.id, j.account, j.state, kf_end(j.spec -> 'source') AS source,
           kf_end(j.spec -> 'destination') AS destination
      FROM near JOIN job j ON j.id = near.id, run
     WHERE j.state = ANY ($2::text[]) AND j.id IS DISTINCT FROM run.job
), found AS (
    SELECT o.*, CASE WHEN o.source = r.destination AND o.destination = r.source THEN 'reverse'
                     WHEN o.source = r.source THEN 'source'
                     WHEN o.destination = r.destination THEN 'destination' END AS relation,
           o.destination = r.destination AS writes_here, o.account = r.account AS is_ours
      FROM other o, run r
)
SELECT coalesce(jsonb_agg(jsonb_build_object('relation', relation, 'state', state,
                                             'writes_here', writes_here,
                                             'job', CASE WHEN is_ours THEN id END) ORDER BY id), '[]')
  FROM (SELECT * FROM found WHERE relation IS NOT NULL ORDER BY id LIMIT 20) f
