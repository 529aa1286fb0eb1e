-- Secrets that are sealed with one of some keys, in the order of their places: about eight million
-- bytes at most, and one at least. Safe to repeat.
-- $1 numbers of keys text[]   $2 kind text   $3 row text: behind that place   $4 limit int8
-- Returns rows: kind, row, identity, sealed bytea.
SELECT kind, row_id, identity, sealed
  FROM (SELECT s.*, sum(octet_length(sealed)) OVER (ORDER BY kind, row_id) AS bytes
          FROM (SELECT kind, row_id, identity, sealed
                  FROM sealed_secret
                 WHERE kf_sealed_key(sealed) = ANY ($1::text[]::int8[])
                   AND (kind, row_id) > ($2::text, $3::text)
                 ORDER BY kind, row_id
                 LIMIT $4::int8) s) t
 WHERE bytes - octet_length(sealed) < 8000000
 ORDER BY kind, row_id
