-- Jobs of an account, newest first. Safe to repeat. The page is found in an index first: the view is
-- only made for what is on it, by a function whose plan is kept. To be planned with its values: which index that is depends on them.
-- $1 account text   $2 state text or null   $3 states text[] or null (neither: all but released)
-- $4 part of the name or null   $5 ids below this one, or null   $6 limit int8
-- $7 environment text or null   $8 worker pool text or null   $9 attention only bool
-- $10 region text or null   $11 resource group text or null
-- $12 id of a registered server at either end, or null
-- $13 whether with their specifications bool
-- Returns columns of job_shown, then null (nobody lists credentials), now
-- int8 milliseconds.
SELECT s.*, NULL::bytea, kf_ms(clock_timestamp())
  FROM kf_jobs_shown(ARRAY(
           SELECT j.id
             FROM job j
            WHERE j.account = $1
              AND ($2::text IS NULL OR j.state = $2)
              AND ($3::text[] IS NULL OR j.state = ANY ($3))
              AND ($2 IS NOT NULL OR $3 IS NOT NULL OR j.state <> 'released')
              AND ($4::text IS NULL OR
                   strpos(lower(j.name), lower($4)) > 0 AND
                   kf_name_parts(j.account, j.name, 1) @> kf_name_parts($1, $4, least(length($4), 3)))
              AND ($5::text IS NULL OR j.id < $5)
              AND ($7::text IS NULL OR j.environment = $7)
              AND ($8::text IS NULL OR j.worker_pool = $8)
              AND (NOT $9::bool OR j.needs_person)
              AND ($10::text IS NULL OR j.region = $10)
              AND ($11::text IS NULL OR j.resource_group = $11)
              AND ($12::text IS NULL OR j.source_instance = $12 OR j.destination_instance = $12)
            ORDER BY j.id DESC
            LIMIT $6::int8), $13::bool) s
