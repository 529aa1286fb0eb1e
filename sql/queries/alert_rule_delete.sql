-- Delete a rule; what it had found stays as history and is over. Safe to repeat.
-- $1 account text   $2 id text
-- Returns 1 row when there was one.
WITH over AS (
    UPDATE alert
       SET state = 'resolved', resolved_at = now(), version = version + 1,
           detail = 'The rule was deleted'
     WHERE rule = $2 AND account = $1 AND state <> 'resolved'
)
DELETE FROM alert_rule WHERE account = $1 AND id = $2
RETURNING id
