-- No rule looks at it any more: it was switched off, or changed. Safe to repeat.
-- $1 id text
-- Returns nothing.
UPDATE alert
   SET state = 'resolved', resolved_at = now(), version = version + 1,
       detail = 'The rule does not look at this job any more'
 WHERE id = $1 AND state <> 'resolved'
