-- How one check of a run counts. Safe to repeat.
-- $1 precheck text   $2 id text
-- Returns 0 or 1 row: result, ignorable bool.
SELECT result, ignorable FROM precheck_item WHERE precheck = $1 AND id = $2
