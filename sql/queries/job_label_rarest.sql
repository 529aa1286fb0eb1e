-- Of some labels the one that the fewest jobs have, so that a list begins with it. Counting ends where
-- it makes no difference any more. Safe to repeat.
-- $1 account text   $2 labels KEY=VALUE text[]
-- Returns 1 row: label.
SELECT w.label
  FROM unnest($2::text[]) AS w (label)
 ORDER BY (SELECT count(*)
             FROM (SELECT FROM job_label l WHERE l.account = $1 AND l.label = w.label LIMIT 1000) counted)
 LIMIT 1
