"""Alert rules, alerts and webhook endpoints as the API keeps them."""

import pytest
from support.api_server import make_id


def problem_codes(answer):
    return {e["pointer"]: e["code"] for e in answer.json().get("errors", [])}


def test_a_rule_has_the_defaults_of_its_type(api):
    rule = api.post("/v1/alert-rules", {"type": "latency"})
    assert (rule["threshold"], rule["resolve_threshold"], rule["for_seconds"]) == (60, 48, 60)
    assert rule["suppress_until_caught_up"] and rule["severity"] == "warning" and rule["enabled"]
    error = api.post("/v1/alert-rules", {"type": "error"})
    assert error["threshold"] is None and error["severity"] == "critical"
    assert error["repeat_interval_seconds"] == 14400 and not error["suppress_until_caught_up"]
    safe = api.post("/v1/alert-rules", {"type": "safe_for", "threshold": 100})
    assert safe["resolve_threshold"] == 120
    types = {t["type"]: t for t in api.get("/v1/alert-rules/types")["items"]}
    assert types["latency"]["threshold"] == 60 and types["error"]["threshold"] is None
    # A figure has its unit beside it, also in a list.
    assert (rule["unit"], error["unit"], safe["unit"]) == ("seconds", None, "seconds")
    assert api.post("/v1/alert-rules", {"type": "full_timeout"})["unit"] == "hours"
    listed = {r["id"]: r["unit"] for r in api.get("/v1/alert-rules?limit=200")["items"]}
    assert listed[rule["id"]] == "seconds" and listed[error["id"]] is None


@pytest.mark.parametrize("body, pointer", [
    ({}, "/type"),
    ({"type": "weather"}, "/type"),
    ({"type": "latency", "threshold": 0.5}, "/threshold"),
    ({"type": "latency", "threshold": "5"}, "/threshold"),
    ({"type": "error", "threshold": 5}, "/threshold"),
    ({"type": "latency", "threshold": 5, "resolve_threshold": 6}, "/resolve_threshold"),
    ({"type": "safe_for", "threshold": 50, "resolve_threshold": 6}, "/resolve_threshold"),
    ({"type": "latency", "for_seconds": 3601}, "/for_seconds"),
    ({"type": "latency", "repeat_interval_seconds": 60}, "/repeat_interval_seconds"),
    ({"type": "latency", "severity": "loud"}, "/severity"),
    ({"type": "latency", "labels": {"a": 1}}, "/labels"),
    ({"type": "latency", "contacts": [make_id("whe")]}, "/contacts/0"),
    ({"type": "latency", "job_id": make_id("job")}, "/job_id"),
    ({"type": "latency", "colour": "red"}, "/colour"),
])
def test_a_wrong_member_of_a_rule_is_named(api, body, pointer):
    answer = api.call("POST", "/v1/alert-rules", body)
    assert answer.status_code == 422 and pointer in problem_codes(answer), answer.text


def test_what_is_not_built_is_refused_as_such(api):
    answer = api.call("POST", "/v1/alert-rules", {"type": "verification_diff"})
    assert answer.status_code == 422 and answer.json()["code"] == "not_supported_yet"


def test_a_rule_is_changed_listed_and_deleted(api, job):
    rule = api.post("/v1/alert-rules", {"type": "latency", "job_id": job["id"], "threshold": 10})
    path = "/v1/alert-rules/" + rule["id"]
    changed = api.call("PATCH", path, {"threshold": 20, "enabled": False}, headers={"If-Match": rule["etag"]}).json()
    assert (changed["threshold"], changed["resolve_threshold"], changed["enabled"]) == (20, 16, False)
    assert changed["job_id"] == job["id"]
    assert api.call("PATCH", path, {"threshold": 30}, headers={"If-Match": rule["etag"]}).status_code == 412
    assert rule["id"] in [r["id"] for r in api.get("/v1/alert-rules?limit=200")["items"]]
    assert api.call("DELETE", path).status_code == 204
    assert api.call("GET", path).status_code == 404


def test_rules_and_receivers_of_another_account_are_not_there(api):
    tenant = api.post("/v1/accounts", {"name": "other"})["id"]
    key = api.post("/v1/api-keys", {"name": "k", "scopes": ["admin"], "account_id": tenant})["key"]
    other = {"headers": {"Authorization": "Bearer " + key}}
    rule = api.post("/v1/alert-rules", {"type": "error"})
    receiver = api.post("/v1/webhook-endpoints", {"url": "https://pager.example/x"})
    for path in ("/v1/alert-rules/" + rule["id"], "/v1/webhook-endpoints/" + receiver["id"],
                 "/v1/webhook-endpoints/" + receiver["id"] + "/deliveries"):
        assert api.call("GET", path, **other).status_code == 404
    assert api.call("DELETE", "/v1/alert-rules/" + rule["id"], **other).status_code == 404
    assert api.call("GET", "/v1/alert-rules", **other).json()["items"] == []
    answer = api.call("POST", "/v1/alert-rules", {"type": "error", "contacts": [receiver["id"]]}, **other)
    assert problem_codes(answer) == {"/contacts/0": "invalid"}


def test_a_signing_secret_is_shown_once(api):
    made = api.post("/v1/webhook-endpoints", {"url": "https://pager.example/hooks", "headers": {"Authorization": "Bearer s3cret-header"}})
    assert made["secret"].startswith("whsec_")
    path = "/v1/webhook-endpoints/" + made["id"]
    shown = api.call("GET", path)
    assert "secret" not in shown.json() and "s3cret" not in shown.text
    rotated = api.post(path + "/rotate-secret", {})
    assert rotated["secret"] != made["secret"]
    stored = api.sql("SELECT sealed::text, url FROM webhook_endpoint WHERE id = %s", made["id"])
    assert made["secret"] not in str(stored) and "s3cret" not in str(stored)


def test_a_receiver_that_is_another_by_now_is_not_sent_to(api):
    made = api.post("/v1/webhook-endpoints", {"url": "https://pager.example/hooks"})
    path = "/v1/webhook-endpoints/" + made["id"]
    changed = api.call("PATCH", path, {"url": "https://other.example/hooks"}).json()
    stale, fresh = {"If-Match": made["etag"]}, {"If-Match": changed["etag"]}
    assert api.post(path + "/test", headers=stale, expect=412)["code"] == "etag_mismatch"
    assert api.get(path + "/deliveries")["items"] == []
    sent = api.post(path + "/test", headers=fresh)
    api.sql("UPDATE webhook_delivery SET state = 'failed' WHERE id = %s", sent["id"])
    again = {"delivery_id": sent["id"]}
    assert api.post(path + "/redeliver", again, headers=stale, expect=412)["code"] == "etag_mismatch"
    assert [d["state"] for d in api.get(path + "/deliveries")["items"]] == ["failed"]
    assert api.post(path + "/redeliver", again, headers=fresh)["state"] == "pending"


@pytest.mark.parametrize("body, pointer", [
    ({}, "/url"),
    ({"url": "ftp://x.example/"}, "/url"),
    ({"url": "no url"}, "/url"),
    ({"url": "https://user:pw@x.example/"}, "/url"),
    ({"url": "https://x.example/", "kind": "fax"}, "/kind"),
    ({"url": "https://x.example/", "timeout_ms": 10}, "/timeout_ms"),
    ({"url": "https://x.example/", "event_types": ["weather"]}, "/event_types/0"),
    ({"url": "https://x.example/", "secret": "short"}, "/secret"),
    ({"url": "https://x.example/", "headers": {"webhook-id": "mine"}}, "/headers"),
    ({"url": "https://x.example/", "headers": {"x": "a\r\nb: c"}}, "/headers"),
    ({"url": "https://x.example/", "headers": {"a b": "c"}}, "/headers"),
])
def test_a_wrong_member_of_a_receiver_is_named(api, body, pointer):
    answer = api.call("POST", "/v1/webhook-endpoints", body)
    assert answer.status_code == 422 and pointer in problem_codes(answer), answer.text


def test_alerts_are_listed_acknowledged_and_silenced(api, job):
    rule = api.post("/v1/alert-rules", {"type": "error"})
    ids = [make_id("alt") for _ in range(3)]
    for state, alert in zip(("pending", "firing", "resolved"), ids):
        api.sql("INSERT INTO alert (id, account, rule, job, type, severity, state, detail, since, fired_at)"
                  " SELECT %s, account, %s, id, 'error', 'critical', %s, 'x', now(), now() FROM job WHERE id = %s"
                  " RETURNING 1", alert, None if state == "resolved" else rule["id"] if state == "firing" else None,
                  state, job["id"])
    shown = [a["id"] for a in api.get("/v1/alerts?limit=200&job_id=" + job["id"])["items"]]
    assert sorted(shown) == sorted(ids[1:])
    assert [a["id"] for a in api.get("/v1/alerts?state=firing&job_id=" + job["id"])["items"]] == [ids[1]]
    path = "/v1/alerts/" + ids[1]
    assert api.post(path + "/acknowledge", {})["acknowledged_by"].startswith("key:")
    assert api.post(path + "/silence", {"until": "2100-01-01T00:00:00.000Z"})["silenced_until"].startswith("2100")
    assert api.post(path + "/silence", {"until": None})["silenced_until"] is None
    assert api.call("POST", path + "/silence", {"until": "2001-01-01T00:00:00Z"}).status_code == 422
    assert api.call("POST", path + "/silence", {}).status_code == 422
    assert api.call("POST", "/v1/alerts/" + ids[2] + "/acknowledge", {}).status_code == 409
    assert api.call("GET", "/v1/alerts?state=loud").status_code == 422
