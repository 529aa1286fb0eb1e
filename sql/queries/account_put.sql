-- Make an account; the first one is the operator's. Safe to repeat: one that exists stays as it is.
-- $1 id text   $2 name text   $3 quotas jsonb or null for none
INSERT INTO account (id, name, quotas, is_operator)
VALUES ($1, $2, coalesce($3::jsonb, '{}'), NOT EXISTS (SELECT 1 FROM account))
    ON CONFLICT (id) DO NOTHING
