-- A receiver wants nothing any more. Safe to repeat.
-- $1 id text   $2 reason text
-- Returns nothing.
UPDATE webhook_endpoint
   SET enabled = false, disabled_reason = $2, version = version + 1, updated_at = now()
 WHERE id = $1 AND enabled
