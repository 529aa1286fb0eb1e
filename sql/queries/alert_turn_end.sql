-- Give the turn away. Safe to repeat.
-- $1 alerter text
-- Returns nothing.
UPDATE alerter_turn SET until = '-infinity' WHERE alerter = $1
