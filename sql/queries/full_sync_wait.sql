-- When the next full sync may be asked for. Safe to repeat.
-- $1 source text   $2 per hour int8
-- Returns 1 row: milliseconds int8.
SELECT greatest(1, (extract(epoch FROM (SELECT at FROM full_sync WHERE source = $1
                                         ORDER BY at DESC OFFSET $2::int8 - 1 LIMIT 1)
                    + interval '1 hour' - clock_timestamp()) * 1000)::int8)
