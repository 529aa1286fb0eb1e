-- Make a role, or write a changed one down: then compare-and-set by the version, so repeated it does
-- nothing.
-- $1 id text   $2 account text   $3 version int8, 0 = a new one   $4 name text
-- $5 trusted accounts text[]   $6 external id text   $7 instances text[]   $8 permissions text[]
-- $9 databases text[] or null   $10 prefixes text[] or null   $11 destinations text[] or null
-- $12 not before ms int8, 0 = none   $13 not after ms int8, 0 = none   $14 max session seconds int8
-- $15 enabled bool   $16 max rps int8, 0 = no limit   $17 max bytes per second int8, 0 = no limit
-- Returns 1 row when written, 0 when there is none of that version.
INSERT INTO role AS r (id, account, name, trusted_accounts, external_id, instances, permissions,
                       databases, prefixes, destinations, not_before, not_after, max_session_seconds,
                       is_enabled, max_rps, max_bytes_per_second)
VALUES ($1, $2, $4, $5::text[], $6, $7::text[], $8::text[], $9::text[]::int[], $10::text[], $11::text[],
        CASE WHEN $12::int8 > 0 THEN to_timestamp($12::int8 / 1000.0) END,
        CASE WHEN $13::int8 > 0 THEN to_timestamp($13::int8 / 1000.0) END, $14::int8, $15::bool,
        nullif($16::int8, 0), nullif($17::int8, 0))
    ON CONFLICT (id) DO UPDATE
   SET name = excluded.name, trusted_accounts = excluded.trusted_accounts,
       external_id = excluded.external_id, instances = excluded.instances,
       permissions = excluded.permissions, databases = excluded.databases,
       prefixes = excluded.prefixes, destinations = excluded.destinations,
       not_before = excluded.not_before, not_after = excluded.not_after,
       max_session_seconds = excluded.max_session_seconds, is_enabled = excluded.is_enabled,
       max_rps = excluded.max_rps, max_bytes_per_second = excluded.max_bytes_per_second,
       version = r.version + 1, updated_at = now()
 WHERE r.account = $2 AND r.version = $3::int8
RETURNING id
