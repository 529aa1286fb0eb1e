-- Jobs of an account, newest first. Safe to repeat. The page is found in the index of ids first: the
-- view is only made for what is on it.
-- $1 account text   $2 states text[] or null for all but released   $3 part of the name or null
-- $4 ids below this one, or null   $5 limit int8   $6 labels it must have, jsonb or null
-- $7 environment text or null   $8 worker pool text or null   $9 attention only bool
-- Returns columns of job_shown, then null (nobody lists credentials).
SELECT s.*, NULL::bytea
  FROM (SELECT j.id
          FROM job j
         WHERE j.account = $1
           AND CASE WHEN $2::text[] IS NULL THEN j.state <> 'released' ELSE j.state = ANY ($2) END
           AND ($3::text IS NULL OR strpos(lower(j.name), lower($3)) > 0)
           AND ($4::text IS NULL OR j.id < $4)
           AND ($6::jsonb IS NULL OR j.spec -> 'labels' @> $6)
           AND ($7::text IS NULL OR j.spec ->> 'environment' = $7)
           AND ($8::text IS NULL OR j.worker_pool = $8)
           AND (NOT $9::bool OR j.attention IS NOT NULL)
         ORDER BY j.id DESC
         LIMIT $5::int8) page
  JOIN job_shown s ON s.id = page.id
 ORDER BY s.id DESC
