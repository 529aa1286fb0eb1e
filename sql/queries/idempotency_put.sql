-- Keep an answer; one that is older than a day is replaced. In the transaction of its effect and
-- under the lock of the key.
-- $1 account text   $2 key text   $3 request text   $4 request hash text   $5 status int8
-- $6 headers jsonb   $7 body text
INSERT INTO idempotency (account, key, request, request_hash, status, headers, body)
VALUES ($1, $2, $3, $4, $5::int8, $6::jsonb, $7)
    ON CONFLICT (account, key) DO UPDATE
   SET request = excluded.request, request_hash = excluded.request_hash, status = excluded.status,
       headers = excluded.headers, body = excluded.body, created_at = now()
