-- Changes of an account, newest first. Safe to repeat.
-- $1 account text   $2 numbers below this one int8, 0 = all   $3 limit int8   $4 object text or null
-- $5 action text or null   $6 actor text or null   $7 since ms int8, 0 = all   $8 until ms int8, 0 = all
-- Returns 1 row: array json.
SELECT coalesce(json_agg(shown ORDER BY number DESC), '[]')
  FROM (SELECT number, json_build_object(
                   'id', 'aud_' || lpad(number::text, 26, '0'), 'at', kf_time(at), 'actor', actor, 'action', action,
                   'kind', kind, 'object', object, 'before', before, 'after', after,
                   'request_id', request_id, 'peer', peer) AS shown
          FROM audit
         WHERE account = $1 AND ($2::int8 = 0 OR number < $2::int8)
           AND ($4::text IS NULL OR object = $4) AND ($5::text IS NULL OR action = $5)
           AND ($6::text IS NULL OR actor = $6)
           AND ($7::int8 = 0 OR at >= to_timestamp($7::int8 / 1000.0))
           AND ($8::int8 = 0 OR at < to_timestamp($8::int8 / 1000.0))
         ORDER BY number DESC
         LIMIT $3::int8) a
