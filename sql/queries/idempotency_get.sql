-- The answer kept under a key within the last day. Safe to repeat.
-- $1 account text   $2 key text
-- Returns 0 or 1 row: request, request hash, status, headers jsonb, body.
SELECT request, request_hash, status, headers, body
  FROM idempotency
 WHERE account = $1 AND key = $2 AND created_at > now() - interval '24 hours'
