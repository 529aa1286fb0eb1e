-- Write down a change, in its transaction. Repeated, it is there twice.
-- $1 account text   $2 actor text   $3 action text   $4 kind text   $5 object text   $6 before jsonb
-- $7 after jsonb   $8 request id text   $9 peer text
INSERT INTO audit (account, actor, action, kind, object, before, after, request_id, peer)
VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7::jsonb, $8, $9)
