-- Somebody takes care of an alert, or wants no notices of it for a while. Safe to repeat.
-- $1 account text   $2 id text   $3 who acknowledges text or null
-- $4 silenced until int8 milliseconds: 0 ends a silence, null leaves
-- Returns 1 row when there is such an alert that fires.
UPDATE alert
   SET acknowledged_at = CASE WHEN $3::text IS NULL THEN acknowledged_at
                              ELSE coalesce(acknowledged_at, now()) END,
       acknowledged_by = coalesce(acknowledged_by, $3),
       silenced_until = CASE WHEN $4::int8 IS NULL THEN silenced_until
                             ELSE to_timestamp(nullif($4::int8, 0) / 1000.0) END,
       version = version + 1
 WHERE account = $1 AND id = $2 AND state = 'firing'
RETURNING id
