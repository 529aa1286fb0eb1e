-- Note that a key was used, to the minute. Safe to repeat.
-- $1 id text
UPDATE api_key SET used_at = now()
 WHERE id = $1 AND (used_at IS NULL OR used_at < now() - interval '1 minute')
