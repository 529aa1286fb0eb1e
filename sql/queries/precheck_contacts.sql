-- How many webhook endpoints would be told what becomes of a run's job. Safe to repeat.
-- $1 precheck text
-- Returns 1 row: int8.
SELECT count(*)
  FROM webhook_endpoint w
  JOIN precheck p ON p.account = w.account
 WHERE p.id = $1 AND w.enabled
