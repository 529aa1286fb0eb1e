-- What a run of the check engine is for, and what it takes over from the run before.

ALTER TABLE precheck ADD COLUMN purpose text NOT NULL DEFAULT 'precheck'
    CHECK (purpose IN ('precheck', 'connectivity', 'discover', 'start'));
ALTER TABLE precheck ADD COLUMN fresh_since timestamptz;
COMMENT ON COLUMN precheck.purpose IS 'precheck; connectivity = only the way and the login; discover = what a server is; start = what may have changed since the precheck';
COMMENT ON COLUMN precheck.fresh_since IS 'When the oldest of its findings was made; null = all in this run';

ALTER TABLE precheck_item ADD COLUMN carried bool NOT NULL DEFAULT false;
COMMENT ON COLUMN precheck_item.carried IS 'Found by an earlier run and taken over: this one repeats only what did not pass';

DROP VIEW precheck_shown;
CREATE VIEW precheck_shown AS
    SELECT p.id, p.account, coalesce(p.job, '') AS job, p.state, p.spec_digest, p.probe, p.spec,
           p.facts, p.plan, p.last_error,
           (SELECT coalesce(jsonb_agg(i.item || jsonb_build_object('result', i.result) ||
                            CASE WHEN i.ignored_at IS NULL THEN '{}'
                                 ELSE jsonb_build_object('reason', i.reason, 'ignored_by', i.ignored_by,
                                                         'ignored_at', kf_time(i.ignored_at)) END
                            ORDER BY i.number), '[]')
              FROM precheck_item i WHERE i.precheck = p.id) AS items,
           p.version, kf_ms(p.created_at) AS created_ms, kf_ms(p.started_at) AS started_ms,
           kf_ms(p.finished_at) AS finished_ms, p.purpose,
           kf_ms(coalesce(p.fresh_since, p.finished_at)) AS fresh_ms
      FROM precheck p;
COMMENT ON VIEW precheck_shown IS 'A run with its items: the columns store_precheck.c reads, in its order';

CREATE FUNCTION kf_end(jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS
    $$ SELECT lower($1 -> 'endpoints' -> 0 ->> 'host') || ':' || ($1 -> 'endpoints' -> 0 ->> 'port') $$;
COMMENT ON FUNCTION kf_end IS 'host:port of the first server of an endpoint; null for a file';
