-- Write down that credentials are given out, on both sides' audit. Repeated, it fails: the id is unique.
-- $1 id text   $2 role text   $3 role version int8   $4 owner text   $5 account text   $6 job text
-- $7 end text   $8 instance text   $9 worker text   $10 lease epoch int8   $11 seconds int8
WITH opened AS (
    INSERT INTO role_session (id, role, role_version, owner, account, job, end_name, instance, worker,
                              lease_epoch, expires_at)
    VALUES ($1, $2, $3::int8, $4, $5, $6, $7, $8, $9, $10::int8, clock_timestamp() + make_interval(secs => $11::int8))
    RETURNING *
)
INSERT INTO audit (account, actor, action, kind, object, after)
SELECT side.account, 'worker:' || o.worker, 'roles.session.opened', 'roles', o.role,
       jsonb_build_object('session', o.id, 'job', o.job, 'end', o.end_name, 'instance', o.instance,
                          'account', o.account)
  FROM opened o, LATERAL (SELECT o.owner AS account UNION SELECT o.account) side
