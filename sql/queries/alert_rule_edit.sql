-- Replace what a rule says. Compare-and-set by the version, so repeated it does nothing.
-- $1 id text   $2 version int8   $3 rule jsonb: the members of a rule, all of them
-- Returns 1 row when written, 0 when the version is another by now.
UPDATE alert_rule a
   SET name = r.name, job = r.job_id, labels = r.labels, type = r.type, threshold = r.threshold,
       for_seconds = r.for_seconds, resolve_threshold = r.resolve_threshold,
       resolve_for_seconds = r.resolve_for_seconds,
       suppress_until_caught_up = r.suppress_until_caught_up,
       repeat_interval_seconds = r.repeat_interval_seconds, severity = r.severity,
       contacts = ARRAY(SELECT jsonb_array_elements_text(r.contacts)),
       send_resolved = r.send_resolved, enabled = r.enabled, version = a.version + 1,
       updated_at = now()
  FROM jsonb_to_record($3::jsonb)
       AS r (name text, job_id text, labels jsonb, type text, threshold float8, for_seconds int,
             resolve_threshold float8, resolve_for_seconds int, suppress_until_caught_up bool,
             repeat_interval_seconds int, severity text, contacts jsonb, send_resolved bool,
             enabled bool)
 WHERE a.id = $1 AND a.version = $2::int8
RETURNING a.id
