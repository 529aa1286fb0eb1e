-- Write down an attempt and what comes next. Safe to repeat: an attempt has its number.
-- $1 id text   $2 attempt int4   $3 duration int4 ms   $4 status int4 or null   $5 error text or
-- null   $6 answer text or null   $7 state text   $8 next attempt in int8 ms
-- Returns nothing.
WITH attempt AS (
    INSERT INTO webhook_attempt (delivery, number, at, duration_ms, status, error, answer)
    SELECT $1, $2::int4, now() - make_interval(secs => $3::int4 / 1000.0), $3::int4, $4::int4, $5, $6
     WHERE EXISTS (SELECT 1 FROM webhook_delivery WHERE id = $1)
    ON CONFLICT DO NOTHING
)
UPDATE webhook_delivery
   SET attempts = $2::int4, state = $7, claimed_until = '-infinity',
       next_at = now() + make_interval(secs => $8::int8 / 1000.0),
       finished_at = CASE WHEN $7 <> 'pending' THEN now() END
 WHERE id = $1 AND state = 'pending' AND attempts < $2::int4
