-- Take every key of an account back. Safe to repeat.
-- $1 account text
UPDATE api_key SET revoked_at = now(), version = version + 1 WHERE account = $1 AND revoked_at IS NULL
