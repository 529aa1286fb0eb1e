-- Say whether applications use a server. Safe to repeat.
-- $1 account text   $2 id text   $3 version int8   $4 live bool   $5 reason text
-- Returns 1 row when written, 0 when there is none of that version.
UPDATE instance
   SET is_live = $4::bool, live_reason = $5,
       live_at = CASE WHEN NOT $4::bool THEN NULL WHEN is_live THEN live_at ELSE now() END,
       version = version + 1, updated_at = now()
 WHERE account = $1 AND id = $2 AND version = $3::int8
RETURNING id
