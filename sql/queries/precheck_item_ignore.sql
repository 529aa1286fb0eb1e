-- Accept a warning, or all. Safe to repeat.
-- $1 precheck text   $2 check id text or null for all   $3 reason text   $4 actor text
-- Writes a row per warning accepted now.
UPDATE precheck_item
   SET result = 'ignored', reason = $3, ignored_by = $4, ignored_at = now()
 WHERE precheck = $1 AND ($2::text IS NULL OR id = $2) AND result = 'warn' AND ignorable
