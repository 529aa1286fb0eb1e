-- How many keys can log in. Safe to repeat.
-- Returns 1 row: count int8.
SELECT count(*)
  FROM api_key k
  JOIN account a ON a.id = k.account
 WHERE k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now()) AND a.status = 'active'
