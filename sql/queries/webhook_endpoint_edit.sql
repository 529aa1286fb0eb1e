-- Replace what an endpoint says. Compare-and-set by the version, so repeated it does nothing.
-- $1 id text   $2 version int8   $3 endpoint jsonb: its members, all of them
-- $4 sealed bytea, null leaves
-- Returns 1 row when written, 0 when the version is another by now.
UPDATE webhook_endpoint w
   SET name = e.name, url = e.url, kind = e.kind,
       event_types = ARRAY(SELECT jsonb_array_elements_text(e.event_types)),
       timeout_ms = e.timeout_ms, enabled = e.enabled,
       disabled_reason = CASE WHEN e.enabled THEN NULL ELSE disabled_reason END,
       sealed = coalesce($4::bytea, sealed), version = version + 1, updated_at = now()
  FROM jsonb_to_record($3::jsonb)
       AS e (name text, url text, kind text, event_types jsonb, timeout_ms int, enabled bool)
 WHERE w.id = $1 AND w.version = $2::int8
RETURNING w.id
