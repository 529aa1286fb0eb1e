-- Jobs of an account, newest first. Safe to repeat.
-- $1 account text   $2 states text[] or null for all but released   $3 part of the name or null
-- $4 ids below this one, or null   $5 limit int8   $6 labels it must have, jsonb or null
-- Returns columns of job_shown, then null (nobody lists credentials).
SELECT s.*, NULL::bytea
  FROM job_shown s
 WHERE s.account = $1
   AND CASE WHEN $2::text[] IS NULL THEN s.state <> 'released' ELSE s.state = ANY ($2) END
   AND ($3::text IS NULL OR strpos(lower(s.name), lower($3)) > 0)
   AND ($4::text IS NULL OR s.id < $4)
   AND ($6::jsonb IS NULL OR s.spec -> 'labels' @> $6)
 ORDER BY s.id DESC
 LIMIT $5::int8
