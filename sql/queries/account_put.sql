-- Make an account. Safe to repeat: one that exists stays as it is.
-- $1 id text   $2 name text
INSERT INTO account (id, name) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING
