-- Jobs of an account that have all of some labels, newest first, with no other condition. Safe to repeat.
-- Each job is looked at on its own (OFFSET keeps the planner from joining): it would take the jobs that
-- have a label to be spread evenly, and go through all others when they are the oldest.
-- $1 account text   $2 a label KEY=VALUE, the rarest   $3 the other labels text[]
-- $4 ids below this one, or null   $5 limit int8
-- $6 whether with their specifications bool
-- Returns columns of job_shown, then null (nobody lists credentials), now
-- int8 milliseconds.
SELECT s.*, NULL::bytea, kf_ms(clock_timestamp())
  FROM kf_jobs_shown(ARRAY(
           SELECT l.job AS id
             FROM job_label l
            WHERE l.account = $1 AND l.label = $2
              AND ($4::text IS NULL OR l.job < $4)
              AND (cardinality($3::text[]) = 0 OR
                   (SELECT count(*) FROM job_label o WHERE o.job = l.job AND o.label = ANY ($3)) =
                   cardinality($3))
              AND EXISTS (SELECT FROM job j WHERE j.id = l.job AND j.state <> 'released' OFFSET 0)
            ORDER BY l.job DESC
            LIMIT $5::int8), $6::bool) s
