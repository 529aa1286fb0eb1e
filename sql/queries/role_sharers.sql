-- How many jobs share what a role lets through at an instance: those with open sessions, and the one
-- that asks. Safe to repeat.
-- $1 role text   $2 instance text   $3 job text
-- Returns 1 row: int8.
SELECT count(DISTINCT job) + 1
  FROM role_session
 WHERE role = $1 AND instance = $2 AND closed_at IS NULL AND expires_at > now()
   AND job LIKE 'job\_%' AND job <> $3
