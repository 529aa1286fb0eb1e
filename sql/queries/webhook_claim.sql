-- Take deliveries that are due: at most $2 of an endpoint at once, so that a slow one keeps nobody
-- else waiting. Two alerters take different ones. Safe to repeat after the claim has run out.
-- $1 limit int8   $2 of one endpoint int8
-- Returns rows: id text, endpoint text, type text, body text, attempts int8, attempts_max int8 (0 =
-- the schedule's), url text, kind text, timeout_ms int8, sealed bytea.
WITH due AS (
    SELECT d.id,
           row_number() OVER (PARTITION BY d.endpoint ORDER BY d.next_at, d.id)
               + (SELECT count(*) FROM webhook_delivery o
                   WHERE o.endpoint = d.endpoint AND o.state = 'pending'
                     AND o.claimed_until > now()) AS place
      FROM webhook_delivery d JOIN webhook_endpoint e ON e.id = d.endpoint AND e.enabled
     WHERE d.state = 'pending' AND d.next_at <= now() AND d.claimed_until <= now()
), chosen AS (
    SELECT d.id FROM webhook_delivery d JOIN due USING (id)
     WHERE due.place <= $2::int8 AND d.state = 'pending' AND d.claimed_until <= now()
     ORDER BY d.next_at
     LIMIT $1::int8
       FOR UPDATE OF d SKIP LOCKED
)
UPDATE webhook_delivery d
   SET claimed_until = now() + make_interval(secs => e.timeout_ms / 1000.0 + 15)
  FROM chosen, webhook_endpoint e
 WHERE d.id = chosen.id AND e.id = d.endpoint
RETURNING d.id, d.endpoint, d.type, d.body, d.attempts::int8, coalesce(d.attempts_max, 0)::int8,
          e.url, e.kind, e.timeout_ms::int8, e.sealed
