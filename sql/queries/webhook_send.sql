-- Put a notice on its way to an endpoint. Not safe to repeat.
-- $1 id text   $2 endpoint text   $3 type text   $4 alert text or null   $5 job text or null
-- $6 body text   $7 attempts at most int4 or null
-- Returns 1 row, 0 when the endpoint is gone.
INSERT INTO webhook_delivery (id, endpoint, account, type, alert, job, body, attempts_max)
SELECT $1, e.id, e.account, $3, $4, $5, $6, $7::int4 FROM webhook_endpoint e WHERE e.id = $2
RETURNING id
