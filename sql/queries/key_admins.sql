-- How many keys of an account can administrate it for good, one aside. Safe to repeat.
-- $1 account text   $2 id of the one aside text
-- Returns 1 row: count.
SELECT count(*)
  FROM api_key
 WHERE account = $1 AND id <> $2 AND revoked_at IS NULL AND expires_at IS NULL
   AND 'admin' = ANY (string_to_array(scopes, ' '))
