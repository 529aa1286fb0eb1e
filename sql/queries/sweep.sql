-- Drop what has had its time, so many rows of a kind at most. Safe to repeat.
WITH answers AS (
    DELETE FROM idempotency
     WHERE ctid = ANY (ARRAY(SELECT ctid FROM idempotency
                              WHERE created_at < now() - interval '24 hours' LIMIT 1000))
), points AS (
    DELETE FROM series
     WHERE ctid = ANY (ARRAY(SELECT ctid FROM series
                              WHERE step = 1 AND bucket < now() - interval '62 minutes'
                                 OR step = 10 AND bucket < now() - interval '24 hours 10 minutes'
                                 OR step = 60 AND bucket < now() - interval '31 days 1 hour'
                              LIMIT 50000))
), syncs AS (
    DELETE FROM full_sync WHERE at < now() - interval '2 hours'
), sessions AS (
    DELETE FROM role_session
     WHERE id = ANY (ARRAY(SELECT id FROM role_session
                            WHERE closed_at < now() - interval '90 days' LIMIT 1000))
), alerts AS (
    DELETE FROM alert
     WHERE id = ANY (ARRAY(SELECT id FROM alert
                            WHERE state = 'resolved' AND resolved_at < now() - interval '90 days'
                            LIMIT 1000))
), deliveries AS (
    DELETE FROM webhook_delivery
     WHERE id = ANY (ARRAY(SELECT id FROM webhook_delivery
                            WHERE state <> 'pending' AND finished_at < now() - interval '30 days'
                            LIMIT 1000))
), workers AS (
    DELETE FROM worker WHERE seen_at < now() - interval '1 day'
)
DELETE FROM precheck
 WHERE job IS NULL AND id = ANY (ARRAY(SELECT id FROM precheck
                                        WHERE job IS NULL AND created_at < now() - CASE purpose
                                              WHEN 'discover' THEN interval '1 hour' ELSE interval '7 days' END
                                        LIMIT 1000))
