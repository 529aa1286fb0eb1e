-- Specifications of jobs, by their digests, for who has not made something of them yet. Safe to repeat.
-- $1 ids text[]
-- Returns a row each: spec_sum text, spec jsonb.
SELECT spec_sum, spec FROM job WHERE id = ANY ($1::text[])
