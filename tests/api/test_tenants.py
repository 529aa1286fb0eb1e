"""Accounts that cannot see each other, keys with limits, and who changed what."""

import concurrent.futures
import datetime
import re
import time

import pytest
import requests

from support.api_server import ApiServer, make_id
from support.service import ROOT
from support.tenant import Tenant


def make_tenant(api, **members):
    return Tenant(api.url, api.key, **members)


@pytest.fixture
def tenant(api):
    return make_tenant(api)


def test_only_the_operator_makes_accounts(api, tenant):
    answer = tenant.call("POST", "/v1/accounts", {"name": "mine"})
    assert answer.status_code == 403 and answer.json()["code"] == "forbidden"
    assert [a["id"] for a in tenant.call("GET", "/v1/accounts").json()["items"]] == [tenant.id]
    assert tenant.call("PATCH", "/v1/accounts/" + tenant.id, {"name": "x"}).status_code == 403
    assert tenant.call("GET", "/v1/accounts/" + api.account).status_code == 404
    assert tenant.call("DELETE", "/v1/accounts/" + api.account).status_code == 404
    assert api.get("/v1/accounts/" + tenant.id)["status"] == "active"


def test_an_operators_key_that_is_no_administrator_makes_no_accounts(api):
    key = api.post("/v1/api-keys", {"name": "small", "scopes": ["operate"]})["key"]
    answer = requests.post(api.url + "/v1/accounts", json={"name": "x"}, timeout=10,
                           headers={"Authorization": "Bearer " + key})
    assert answer.status_code == 403


def test_a_suspended_account_does_not_log_in_until_it_is_active_again(api, tenant):
    etag = api.get("/v1/accounts/" + tenant.id)["etag"]
    changed = api.call("PATCH", "/v1/accounts/" + tenant.id, {"status": "suspended"}, headers={"If-Match": etag})
    assert changed.status_code == 200 and changed.json()["status"] == "suspended"
    assert tenant.call("GET", "/v1/me").status_code == 401
    stale = api.call("PATCH", "/v1/accounts/" + tenant.id, {"status": "active"}, headers={"If-Match": etag})
    assert stale.status_code == 412
    api.call("PATCH", "/v1/accounts/" + tenant.id, {"status": "active"})
    assert tenant.call("GET", "/v1/me").status_code == 200


def test_an_account_with_jobs_is_not_closed(api, tenant):
    job = tenant.call("POST", "/v1/jobs", {"kind": "migration"}).json()
    refused = api.call("DELETE", "/v1/accounts/" + tenant.id)
    assert refused.status_code == 409 and refused.json()["code"] == "in_use"
    tenant.call("DELETE", "/v1/jobs/" + job["id"])
    assert api.call("DELETE", "/v1/accounts/" + tenant.id).json()["status"] == "closed"
    assert tenant.call("GET", "/v1/me").status_code == 401
    assert tenant.id not in [a["id"] for a in api.get("/v1/accounts?limit=200")["items"]]


def test_the_operators_account_stays(api):
    mine = "/v1/accounts/" + api.account
    assert api.call("DELETE", mine).status_code == 409
    assert api.call("PATCH", mine, {"status": "suspended"}).status_code == 422


def test_quotas_are_kept_and_named(api):
    tenant = make_tenant(api, quotas={"jobs": 2, "api_keys": 3})
    for _ in range(2):
        assert tenant.call("POST", "/v1/jobs", {"kind": "migration"}).status_code == 201
    refused = tenant.call("POST", "/v1/jobs", {"kind": "migration"})
    assert refused.status_code == 409 and refused.json()["code"] == "quota_exceeded"
    tenant.make_key()
    tenant.make_key()
    assert tenant.call("POST", "/v1/api-keys", {"name": "k", "scopes": ["read"]}).json()["code"] == "quota_exceeded"
    usage = tenant.call("GET", "/v1/me").json()["usage"]
    assert usage["jobs"] == {"limit": 2, "used": 2} and usage["api_keys"] == {"limit": 3, "used": 3}
    assert usage["instances"]["limit"] == 200
    api.call("PATCH", "/v1/accounts/" + tenant.id, {"quotas": {"jobs": None}})
    assert tenant.call("POST", "/v1/jobs", {"kind": "migration"}).status_code == 201
    assert tenant.call("GET", "/v1/me").json()["usage"]["jobs"]["limit"] is None


def test_two_requests_at_once_do_not_pass_a_quota_together(api):
    import concurrent.futures
    tenant = make_tenant(api, quotas={"jobs": 3})
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda _: tenant.call("POST", "/v1/jobs", {"kind": "migration"}).status_code, range(12)))
    assert sorted(codes) == [201] * 3 + [409] * 9


def test_a_key_is_shown_once_and_kept_as_a_hash(api, tenant):
    made = tenant.make_key(("operate",))
    assert re.fullmatch(r"kf_[0-9a-z]{8}_[A-Za-z0-9_-]{43}", made["key"]) and made["scopes"] == ["operate"]
    path = "/v1/api-keys/" + made["id"]
    shown = tenant.call("GET", path)
    listed = tenant.call("GET", "/v1/api-keys")
    assert "key" not in shown.json() and made["key"] not in shown.text + listed.text + api.log()
    for table in ("api_key", "audit", "idempotency"):
        rows = api.sql("SELECT coalesce(string_agg(t::text, ''), '') FROM %s t" % table)[0][0]
        assert made["key"].split("_", 2)[2] not in rows
    assert tenant.call("GET", "/v1/jobs", key=made["key"]).status_code == 200
    assert tenant.call("GET", "/v1/api-keys", key=made["key"]).status_code == 403


def test_a_repeated_creation_does_not_show_the_key_again(api, tenant):
    body = {"name": "once", "scopes": ["read"]}
    first = tenant.call("POST", "/v1/api-keys", body, **{"Idempotency-Key": make_id("x")})
    key = first.request.headers["Idempotency-Key"]
    again = tenant.call("POST", "/v1/api-keys", body, **{"Idempotency-Key": key})
    assert again.headers["Idempotent-Replayed"] == "true"
    assert first.json()["key"] and again.json()["key"] is None and again.json()["id"] == first.json()["id"]


def test_a_revoked_key_stops_at_once_but_never_the_last_administrator(tenant):
    made = tenant.make_key(("admin",))
    assert tenant.call("DELETE", "/v1/api-keys/" + made["id"]).json()["status"] == "revoked"
    assert tenant.call("GET", "/v1/me", key=made["key"]).status_code == 401
    own = tenant.call("GET", "/v1/me").json()["api_key"]["id"]
    refused = tenant.call("DELETE", "/v1/api-keys/" + own)
    assert refused.status_code == 409 and refused.json()["code"] == "in_use"
    soon = (datetime.datetime.utcnow() + datetime.timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert tenant.call("PATCH", "/v1/api-keys/" + own, {"expires_at": soon}).status_code == 409


def test_a_rotated_key_and_its_successor_overlap(tenant):
    old = tenant.make_key(("operate",), allowed_cidrs=["127.0.0.0/8", "::1"])
    new = tenant.call("POST", "/v1/api-keys/%s/rotate" % old["id"], {"overlap_seconds": 1}).json()
    assert new["scopes"] == ["operate"] and new["allowed_cidrs"] == ["127.0.0.0/8", "::1"]
    assert tenant.call("GET", "/v1/api-keys/" + old["id"]).json()["replaced_by"] == new["id"]
    assert tenant.call("GET", "/v1/me", key=new["key"]).status_code == 200
    deadline = time.monotonic() + 30
    while tenant.call("GET", "/v1/me", key=old["key"]).status_code != 401:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert tenant.call("GET", "/v1/me", key=new["key"]).status_code == 200
    again = tenant.call("POST", "/v1/api-keys/%s/rotate" % old["id"], {})
    assert again.status_code == 409


def test_with_an_overlap_both_keys_work(tenant):
    old = tenant.make_key()
    new = tenant.call("POST", "/v1/api-keys/%s/rotate" % old["id"], {"overlap_seconds": 600}).json()
    assert [tenant.call("GET", "/v1/me", key=k["key"]).status_code for k in (old, new)] == [200, 200]


def test_a_key_is_only_taken_from_its_addresses(tenant):
    elsewhere = tenant.make_key(allowed_cidrs=["10.0.0.0/8", "2001:db8::/32"])
    answer = tenant.call("GET", "/v1/me", key=elsewhere["key"])
    assert answer.status_code == 403 and "127.0.0.1" in answer.json()["detail"]
    here = tenant.make_key(allowed_cidrs=["10.0.0.0/8", "127.0.0.1"])
    assert tenant.call("GET", "/v1/me", key=here["key"]).status_code == 200


def test_wrong_members_of_a_key_are_named(tenant):
    rows = (({"scopes": ["read"]}, "/name"), ({"name": "k"}, "/scopes"), ({"name": "k", "scopes": ["all"]}, "/scopes/0"),
            ({"name": "k", "scopes": ["read"], "allowed_cidrs": ["10.0.0.0/33"]}, "/allowed_cidrs/0"),
            ({"name": "k", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
            ({"name": "k", "scopes": ["read"], "expires_at": "2030-02-30T00:00:00Z"}, "/expires_at"),
            ({"name": "k", "scopes": ["read"], "secret": "x"}, "/secret"),
            ({"name": "k", "scopes": ["read"], "account_id": make_id("acct")}, "/account_id"))
    for body, pointer in rows:
        answer = tenant.call("POST", "/v1/api-keys", body)
        assert answer.status_code == 422, (body, answer.text)
        assert [e["pointer"] for e in answer.json()["errors"]] == [pointer], answer.text


def test_every_change_is_in_the_audit_log_with_what_it_changed(api, tenant):
    job = tenant.call("POST", "/v1/jobs", {"kind": "migration", "name": "one",
                                           "source": {"url": "redis://:hidden-word@h.example"}}).json()
    tenant.call("PATCH", "/v1/jobs/" + job["id"], {"name": "two"})
    tenant.call("GET", "/v1/jobs/" + job["id"])
    tenant.call("POST", "/v1/jobs/%s/start" % job["id"])  # refused: it changes nothing
    tenant.call("DELETE", "/v1/jobs/" + job["id"])
    rows = tenant.call("GET", "/v1/audit?object=" + job["id"]).json()["items"]
    assert [r["action"] for r in rows] == ["jobs.delete", "jobs.update", "jobs.create"]
    assert all(r["actor"] == "key:" + tenant.key.split("_")[1] and r["peer"] == "127.0.0.1" for r in rows)
    assert rows[1]["before"]["name"] == "one" and rows[1]["after"]["name"] == "two"
    assert "state" not in rows[1]["after"], "what stays the same is not a change"
    assert rows[0]["before"]["state"] == "draft" and rows[0]["after"]["state"] == "released"
    assert rows[2]["before"] is None and rows[2]["after"]["spec"]["source"]["auth"]["configured"] is True
    assert "hidden-word" not in str(rows)
    assert api.get("/v1/audit?object=" + job["id"])["items"] == [], "another account's log"


def test_the_audit_log_is_read_in_pages_and_by_filters(tenant):
    for i in range(5):
        tenant.make_key()
    seen, cursor = [], ""
    while True:
        page = tenant.call("GET", "/v1/audit?action=api-keys.create&limit=2" + cursor).json()
        seen += [r["object"] for r in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = "&cursor=" + page["next_cursor"]
    assert len(seen) == len(set(seen)) == 5
    assert tenant.call("GET", "/v1/audit?since=2100-01-01T00:00:00Z").json()["items"] == []
    assert tenant.call("GET", "/v1/audit?since=yesterday").status_code == 422


def test_a_change_and_its_audit_row_are_one_transaction(api, tenant):
    api.sql("ALTER TABLE audit ADD CONSTRAINT refused CHECK (account <> '%s') NOT VALID" % tenant.id)
    try:
        assert tenant.call("POST", "/v1/jobs", {"kind": "migration"}).status_code >= 500
        assert tenant.call("GET", "/v1/jobs").json()["items"] == []
    finally:
        api.sql("ALTER TABLE audit DROP CONSTRAINT refused")
    assert tenant.call("POST", "/v1/jobs", {"kind": "migration"}).status_code == 201


def test_events_of_a_small_account_are_found_without_walking_those_of_others(api, job):
    """What the statement reads grows with what it answers, not with what others have done."""
    tenant = Tenant(api.url, api.key)
    mine = tenant.ok("POST", "/v1/jobs", {"kind": "migration"})
    api.sql("INSERT INTO job_event (job, number, type, state, sentence)"
            " SELECT %s, n, 'x', 'configured', 'x' FROM generate_series(1000, 20999) n", job["id"])
    api.sql("ANALYZE job_event")
    assert [e["job_id"] for e in tenant.ok("GET", "/v1/events")["items"]] == [mine["id"]]
    statement = (ROOT / "sql" / "queries" / "event_recent.sql").read_text()
    api.sql("SET plan_cache_mode = force_generic_plan")  # as a prepared statement comes to it
    api.sql("PREPARE recent AS " + statement)
    (plan,) = api.sql("EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE recent(%s, 0, '', 0, 51)", tenant.id)[0]
    api.sql("DEALLOCATE recent")
    api.sql("RESET plan_cache_mode")
    api.sql("DELETE FROM job_event WHERE job = %s AND number >= 1000", job["id"])

    def looked_at(node):
        own = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        return max([own] + [looked_at(child) for child in node.get("Plans", [])])

    assert looked_at(plan[0]["Plan"]) < 100, plan


def test_too_many_requests_are_429_and_headers_say_how_many_are_left(postgres):
    with ApiServer(postgres, env={"KEYFERRY_API_REQUESTS_PER_SECOND": "5"}) as slow:
        answers = [slow.call("GET", "/v1/version") for _ in range(30)]
        assert {a.status_code for a in answers} == {200}, "what needs no key is not counted"
        with concurrent.futures.ThreadPoolExecutor(8) as many:  # one after the other they may be slower than that
            answers = [slow.call("GET", "/v1/me")] + list(many.map(lambda _: slow.call("GET", "/v1/me"), range(200)))
        refused = [a for a in answers if a.status_code == 429]
        assert answers[0].status_code == 200 and refused
        # Two seconds' worth at once: what is left never exceeds the limit that stands beside it.
        assert answers[0].headers["RateLimit-Limit"] == "10"
        assert all(0 <= int(a.headers["RateLimit-Remaining"]) <= 10 for a in answers)
        assert int(answers[0].headers["RateLimit-Remaining"]) > min(int(a.headers["RateLimit-Remaining"]) for a in answers)
        assert refused[0].json()["code"] == "rate_limited" and refused[0].headers["Retry-After"] == "1"
        other = slow.add_key(slow.account, "read")
        assert requests.get(slow.url + "/v1/me", headers={"Authorization": "Bearer " + other},
                            timeout=10).status_code == 200, "another key has its own allowance"
        deadline = time.monotonic() + 60
        while slow.call("GET", "/v1/me").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.3)
