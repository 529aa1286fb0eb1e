-- How often each command was met by a job, by name. Safe to repeat.
-- $1 job text
-- Returns 1 row: array jsonb.
SELECT coalesce(jsonb_agg(jsonb_build_object('command', command, 'applied', applied, 'skipped', skipped,
                                             'rejected', rejected) ORDER BY command), '[]')
  FROM command_count WHERE job = $1
