-- Write down what became of an alert. Safe to repeat. What a person set stays.
-- $1 id text   $2 account text   $3 rule text   $4 job text   $5 type text   $6 severity text
-- $7 state text   $8 value float8 or null   $9 detail text   $10 since, $11 well since, $12 fired,
-- $13 notified: int8 milliseconds, 0 = not   $14 whether a notice was written bool
-- Returns nothing.
INSERT INTO alert AS a (id, account, rule, job, type, severity, state, value, detail, since,
                        well_since, fired_at, resolved_at, notified_at, notices)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::float8, $9, to_timestamp($10::int8 / 1000.0),
        to_timestamp(nullif($11::int8, 0) / 1000.0), to_timestamp(nullif($12::int8, 0) / 1000.0),
        CASE WHEN $7 = 'resolved' THEN now() END,
        to_timestamp(nullif($13::int8, 0) / 1000.0), $14::bool::int)
ON CONFLICT (id) DO UPDATE
   SET state = excluded.state, value = excluded.value, detail = excluded.detail,
       severity = excluded.severity, well_since = excluded.well_since,
       fired_at = excluded.fired_at, resolved_at = excluded.resolved_at,
       notified_at = excluded.notified_at, notices = a.notices + excluded.notices,
       version = a.version + 1
