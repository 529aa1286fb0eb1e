-- Make an endpoint. Not safe to repeat: a second one of that id is refused.
-- $1 id text   $2 account text   $3 endpoint jsonb: its members, all of them   $4 sealed bytea
-- Returns nothing.
INSERT INTO webhook_endpoint (id, account, name, url, kind, event_types, timeout_ms, enabled, sealed)
SELECT $1, $2, e.name, e.url, e.kind, ARRAY(SELECT jsonb_array_elements_text(e.event_types)),
       e.timeout_ms, e.enabled, $4::bytea
  FROM jsonb_to_record($3::jsonb)
       AS e (name text, url text, kind text, event_types jsonb, timeout_ms int, enabled bool)
