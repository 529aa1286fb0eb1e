-- Delete an endpoint with all that was on its way. Safe to repeat.
-- $1 account text   $2 id text
-- Returns 1 row when there was one.
WITH contacts AS (
    UPDATE alert_rule
       SET contacts = array_remove(contacts, $2), version = version + 1
     WHERE account = $1 AND contacts @> ARRAY[$2]
)
DELETE FROM webhook_endpoint WHERE account = $1 AND id = $2
RETURNING id
