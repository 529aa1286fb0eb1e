-- Make a rule. Not safe to repeat: a second one of that id is refused.
-- $1 id text   $2 account text   $3 rule jsonb: the members of a rule, all of them
-- Returns nothing.
INSERT INTO alert_rule (id, account, name, job, labels, type, threshold, for_seconds,
                        resolve_threshold, resolve_for_seconds, suppress_until_caught_up,
                        repeat_interval_seconds, severity, contacts, send_resolved, enabled)
SELECT $1, $2, r.name, r.job_id, r.labels, r.type, r.threshold, r.for_seconds, r.resolve_threshold,
       r.resolve_for_seconds, r.suppress_until_caught_up, r.repeat_interval_seconds, r.severity,
       ARRAY(SELECT jsonb_array_elements_text(r.contacts)), r.send_resolved, r.enabled
  FROM jsonb_to_record($3::jsonb)
       AS r (name text, job_id text, labels jsonb, type text, threshold float8, for_seconds int,
             resolve_threshold float8, resolve_for_seconds int, suppress_until_caught_up bool,
             repeat_interval_seconds int, severity text, contacts jsonb, send_resolved bool,
             enabled bool)
