-- Endpoints of an account that take a type of event. Safe to repeat.
-- $1 account text   $2 type text   $3 contacts text[]: only these; null or {} = all that asked for it
-- Returns 1 row: array json of ids.
SELECT coalesce(json_agg(id), '[]')
  FROM webhook_endpoint
 WHERE account = $1 AND enabled AND kind = 'standard'
   AND CASE WHEN coalesce(cardinality($3::text[]), 0) > 0 THEN id = ANY ($3::text[])
            ELSE event_types && ARRAY['*', split_part($2, '.', 1) || '.*', $2] END
