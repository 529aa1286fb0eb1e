"""Registered servers, and roles that let other accounts use them. Without workers: nothing is dialled."""

import json

import pytest

from conftest import SPEC, pass_precheck
from support.api_server import make_id
from support.tenant import Tenant

SECRET = "the-owners-own-word"


@pytest.fixture
def owner(api):
    return Tenant(api.url, api.key, name="owner")


@pytest.fixture
def guest(api):
    return Tenant(api.url, api.key, name="guest")


def register(tenant, host="a.example", password=SECRET, **members):
    return tenant.ok("POST", "/v1/instances", dict(
        {"name": "cache", "endpoint": {"url": "redis://:%s@%s:6379" % (password, host)}}, **members))


def make_role(owner, guest, instance, **members):
    body = {"name": "migration", "trusted_accounts": [guest.id], "instances": [instance["id"]],
            "permissions": ["instance.describe", "data.read", "data.replicate", "data.heartbeat"]}
    return owner.ok("POST", "/v1/roles", dict(body, **members))


def spec_by_role(owner, instance, **members):
    return dict({"kind": "migration", "destination": {"url": "redis://d.example:6379"},
                 "source": {"account_id": owner.id, "role_name": "migration", "instance_id": instance["id"]}}, **members)


def test_an_instance_is_registered_changed_and_forgotten(owner):
    made = register(owner, labels={"team": "web"}, region="eu")
    path = "/v1/instances/" + made["id"]
    assert made["endpoint"]["label"] == "a.example:6379" and made["endpoint"]["auth"]["configured"] is True
    assert made["auth_updated_at"] and made["live"]["is_live"] is False and made["facts"] is None
    changed = owner.ok("PATCH", path, {"name": "other", "labels": {}}, **{"If-Match": made["etag"]})
    assert changed["name"] == "other" and changed["region"] == "eu" and changed["endpoint"] == made["endpoint"]
    assert owner.call("PATCH", path, {"name": "x"}, **{"If-Match": made["etag"]}).status_code == 412
    moved = owner.ok("PATCH", path, {"endpoint": {"url": "redis://b.example"}})
    assert moved["endpoint"]["label"] == "b.example:6379" and moved["endpoint"]["auth"]["configured"] is False
    assert [i["id"] for i in owner.ok("GET", "/v1/instances?name=OTH")["items"]] == [made["id"]]
    owner.ok("DELETE", path)
    assert owner.call("GET", path).status_code == 404


def test_a_password_of_an_instance_is_sealed_and_in_no_answer(api, owner):
    made = register(owner)
    texts = [json.dumps(made), owner.call("GET", "/v1/instances").text, owner.call("GET", "/v1/audit").text, api.log()]
    rows = api.sql("SELECT i::text FROM instance i WHERE id = %s", made["id"])[0][0]
    for text in texts + [rows]:
        assert SECRET not in text


def test_another_accounts_instance_does_not_exist(owner, guest):
    made = register(owner)
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/discover"), ("POST", "/set-live"),
                         ("POST", "/clear-live")):
        answer = guest.call(method, "/v1/instances/" + made["id"] + path, {} if method in ("POST", "PATCH") else None)
        assert answer.status_code == 404, (method, path, answer.text)
    rotated = guest.call("POST", "/v1/instances/%s/rotate-secret" % made["id"], {"auth": {"password": "x"}})
    assert rotated.status_code == 404
    assert guest.ok("GET", "/v1/instances")["items"] == []
    refused = guest.call("POST", "/v1/jobs", dict(SPEC, source={"instance_id": made["id"]}))
    assert refused.status_code == 422 and refused.json()["errors"][0]["pointer"] == "/source/instance_id"


def test_a_job_names_an_instance_and_holds_no_password(api, owner):
    made = register(owner)
    job = owner.ok("POST", "/v1/jobs", dict(SPEC, source={"instance_id": made["id"]}))
    assert job["state"] == "configured" and job["source"]["label"] == "a.example:6379"
    assert job["source"]["reference"] == {"instance_id": made["id"]} and job["source"]["auth"]["configured"] is True
    assert api.sql("SELECT sealed IS NULL FROM job WHERE id = %s", job["id"])[0][0] is True
    changed = owner.ok("PATCH", "/v1/jobs/" + job["id"], {"conflict_mode": "overwrite"})
    assert changed["source"] == job["source"]
    preview = owner.ok("POST", "/v1/jobs/preview", dict(SPEC, source={"instance_id": made["id"]}))
    assert '"source":{"instance_id":"%s"}' % made["id"] in preview["curl"]
    refused = owner.call("DELETE", "/v1/instances/" + made["id"])
    assert refused.status_code == 409 and refused.json()["code"] == "in_use"
    assert "or delete it where it was not started" in refused.json()["detail"]  # this one cannot be stopped
    moved = owner.call("PATCH", "/v1/instances/" + made["id"], {"endpoint": {"url": "redis://b.example"}})
    assert moved.status_code == 409
    owner.ok("DELETE", "/v1/jobs/" + job["id"])
    owner.ok("DELETE", "/v1/instances/" + made["id"])


@pytest.mark.parametrize("source, pointer", [
    ({"instance_id": "inst_00000000000000000000000000"}, "/source/instance_id"),
    ({"instance_id": "nonsense"}, "/source/instance_id"),
    ({"instance_id": "inst_00000000000000000000000000", "inline": {}}, "/source"),
    ({"instance_id": "inst_00000000000000000000000000", "url": "redis://x"}, "/source"),
    ({"instance_id": "inst_00000000000000000000000000", "role_name": "r"}, "/source/account_id"),
    ({"instance_id": "inst_00000000000000000000000000", "account_id": "acct_00000000000000000000000000"},
     "/source/role_name"),
    ({"instance_id": "inst_00000000000000000000000000", "external_id": "x"}, "/source/external_id"),
    ({"account_id": "acct_00000000000000000000000000", "role_name": "r"}, "/source/instance_id"),
    ({"resolved": {"endpoints": [{"host": "x"}]}, "reference": {"instance_id": "y"}}, "/source"),
])
def test_a_wrong_reference_is_named(owner, source, pointer):
    for path in ("/v1/jobs", "/v1/jobs/preview", "/v1/prechecks"):
        answer = owner.call("POST", path, dict(SPEC, source=source))
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["pointer"] == pointer, answer.text


def test_no_job_starts_towards_a_live_instance(api, owner):
    made = register(owner, host="live.example")
    job = owner.ok("POST", "/v1/jobs", dict(SPEC, destination={"url": "redis://LIVE.example"}))
    api.sql("INSERT INTO precheck (id, account, job, state, probe, ignore_warnings, spec, spec_digest, finished_at)"
            " SELECT %s, account, id, 'passed', 'full', false, spec, spec_digest, now() FROM job WHERE id = %s",
            make_id("pck"), job["id"])
    api.sql("UPDATE job SET state = 'precheck_passed' WHERE id = %s", job["id"])
    live = owner.ok("POST", "/v1/instances/%s/set-live" % made["id"], {"reason": "traffic was switched"})
    assert live["live"]["is_live"] is True and live["live"]["reason"] == "traffic was switched"
    refused = owner.call("POST", "/v1/jobs/%s/start" % job["id"])
    assert refused.status_code == 409 and refused.json()["code"] == "destination_live"
    owner.ok("POST", "/v1/instances/%s/clear-live" % made["id"])
    owner.ok("POST", "/v1/jobs/%s/start" % job["id"])
    owner.ok("POST", "/v1/jobs/%s/pause" % job["id"])
    owner.ok("POST", "/v1/instances/%s/set-live" % made["id"])
    assert owner.call("POST", "/v1/jobs/%s/resume" % job["id"]).json()["code"] == "destination_live"


def test_one_thing_at_a_time_is_asked_of_an_instance(owner):
    made = register(owner)
    path = "/v1/instances/" + made["id"]
    asked = owner.ok("POST", path + "/discover")
    assert asked["work"]["kind"] == "discover" and asked["work"]["state"] == "queued"
    assert owner.call("POST", path + "/rotate-secret", {"auth": {"password": "new"}}).status_code == 409


# ---- roles

def test_r_004_a_role_shares_an_instance_with_the_trusted_account_only(api, owner, guest):
    made = register(owner)
    role = make_role(owner, guest, made)
    shared = guest.ok("GET", "/v1/shared-instances")["items"]
    assert [(s["account_id"], s["role_name"], s["instance_id"], s["label"]) for s in shared] == [
        (owner.id, "migration", made["id"], "a.example:6379")]
    third = Tenant(api.url, api.key, name="third")
    assert third.ok("GET", "/v1/shared-instances")["items"] == []
    assert third.call("GET", "/v1/roles/" + role["id"]).status_code == 404
    assert guest.call("GET", "/v1/roles/" + role["id"]).status_code == 404, "only its owner sees the role itself"
    assert guest.call("PATCH", "/v1/roles/" + role["id"], {"enabled": True}).status_code == 404


def test_r_005_the_guest_configures_the_job_and_the_owner_cannot_touch_it(owner, guest):
    made = register(owner)
    make_role(owner, guest, made)
    job = guest.ok("POST", "/v1/jobs", spec_by_role(owner, made))
    assert job["state"] == "configured"
    assert job["source"]["reference"] == {"account_id": owner.id, "role_name": "migration", "instance_id": made["id"]}
    assert SECRET not in json.dumps(job)
    assert owner.call("PATCH", "/v1/jobs/" + job["id"], {"name": "mine"}).status_code == 404
    assert owner.call("DELETE", "/v1/instances/" + made["id"]).json()["code"] == "in_use"


def test_r_008_without_trust_a_job_is_refused_and_nothing_is_told(owner, guest, api):
    made = register(owner)
    third = Tenant(api.url, api.key, name="third")
    other = register(owner, host="b.example")
    make_role(owner, guest, made, external_id="handshake")
    answers = []
    for tenant, source in (
            (third, {"account_id": owner.id, "role_name": "migration", "instance_id": made["id"]}),
            (guest, {"account_id": owner.id, "role_name": "migration", "instance_id": made["id"]}),
            (guest, {"account_id": owner.id, "role_name": "migration", "instance_id": made["id"], "external_id": "no"}),
            (guest, {"account_id": owner.id, "role_name": "nothing", "instance_id": made["id"], "external_id": "x"}),
            (guest, {"account_id": make_id("acct"), "role_name": "migration", "instance_id": made["id"]}),
            (guest, {"account_id": owner.id, "role_name": "migration", "instance_id": other["id"],
                     "external_id": "handshake"})):
        answer = tenant.call("POST", "/v1/jobs", dict(SPEC, source=source))
        assert answer.status_code == 403 and answer.json()["code"] == "role_not_trusted", answer.text
        answers.append(answer.json()["detail"].replace(source["account_id"], "A").replace(source["instance_id"], "I")
                       .replace(source["role_name"], "R"))
    assert len(set(answers)) == 1, "who is not let in learns nothing (R-104, R-106)"
    job = guest.ok("POST", "/v1/jobs", spec_by_role(owner, made, source={
        "account_id": owner.id, "role_name": "migration", "instance_id": made["id"], "external_id": "handshake"}))
    owner.ok("PATCH", "/v1/roles/" + owner.ok("GET", "/v1/roles")["items"][0]["id"], {"enabled": False})
    refused = guest.call("POST", "/v1/jobs/%s/prechecks" % job["id"])
    assert refused.status_code == 403 and refused.json()["code"] == "role_not_trusted"


@pytest.mark.parametrize("role, job, word", [
    ({"permissions": ["data.read"]}, {}, "data.replicate"),
    ({"permissions": ["data.read", "data.replicate"]}, {}, "data.heartbeat"),
    ({"permissions": ["data.replicate", "data.heartbeat"]}, {}, "data.read"),
    ({"databases": [3]}, {}, "objects.databases"),
    ({"databases": [3]}, {"objects": {"databases": [{"source": 3}, {"source": 4}]}}, "database 4"),
    ({"destinations": ["other.example"]}, {}, "d.example:6379"),
    ({"destinations": ["d.example:6380"]}, {}, "d.example:6379"),
    ({"not_before": "2100-01-01T00:00:00Z"}, {}, "not valid yet"),
    ({"not_after": "2020-01-01T00:00:00Z"}, {}, "any more"),
])
def test_a_role_allows_what_it_says_and_no_more(owner, guest, role, job, word):
    made = register(owner)
    make_role(owner, guest, made, **role)
    refused = guest.call("POST", "/v1/jobs", spec_by_role(owner, made, **job))
    assert refused.status_code == 403 and refused.json()["code"] == "role_permission_missing", refused.text
    assert word in refused.json()["detail"]


@pytest.mark.parametrize("role, job", [
    ({"permissions": ["data.read"]}, {"migration": {"incremental": False}}),
    ({"permissions": ["data.read", "data.replicate"]}, {"heartbeat": {"mode": "off"}}),
    ({"databases": [3, 4]}, {"objects": {"databases": [{"source": 3}]}}),
    ({"destinations": ["d.example"]}, {}),
    ({"destinations": ["x.example", "d.example:6379"]}, {}),
])
def test_what_a_role_allows_is_configured(owner, guest, role, job):
    made = register(owner)
    make_role(owner, guest, made, **role)
    assert guest.ok("POST", "/v1/jobs", spec_by_role(owner, made, **job))["state"] == "configured"


def test_a_destination_of_another_account_needs_data_write(owner, guest):
    made = register(owner)
    role = make_role(owner, guest, made)
    spec = dict(SPEC, destination={"account_id": owner.id, "role_name": "migration", "instance_id": made["id"]})
    assert "data.write" in guest.call("POST", "/v1/jobs", spec).json()["detail"]
    owner.ok("PATCH", "/v1/roles/" + role["id"], {"permissions": ["data.write"]})
    assert guest.ok("POST", "/v1/jobs", spec)["state"] == "configured"


def test_a_role_can_be_tried_before_a_job(owner, guest):
    made = register(owner)
    make_role(owner, guest, made)
    body = {"account_id": owner.id, "role_name": "migration", "instance_id": made["id"]}
    assert guest.ok("POST", "/v1/roles/check", dict(body, permissions=["data.read"])) == {
        "allowed": True, "code": None, "detail": None}
    verdict = guest.ok("POST", "/v1/roles/check", dict(body, permissions=["data.write"]))
    assert verdict["allowed"] is False and verdict["code"] == "role_permission_missing"
    assert guest.ok("POST", "/v1/roles/check", dict(body, role_name="x"))["code"] == "role_not_trusted"


def test_wrong_members_of_a_role_are_named(owner, guest):
    made = register(owner)
    good = {"name": "r", "trusted_accounts": [guest.id], "instances": [made["id"]], "permissions": ["data.read"]}
    rows = (({"name": "a b"}, "/name"), ({"name": None}, "/name"), ({"trusted_accounts": []}, "/trusted_accounts"),
            ({"trusted_accounts": [owner.id]}, "/trusted_accounts/0"), ({"instances": [make_id("inst")]}, "/instances/0"),
            ({"permissions": ["root"]}, "/permissions/0"), ({"databases": [256]}, "/databases/0"),
            ({"databases": []}, "/databases"), ({"prefixes": []}, "/prefixes"), ({"destinations": []}, "/destinations"),
            ({"max_session_seconds": 899}, "/max_session_seconds"), ({"password": "x"}, "/password"),
            ({"not_before": "2030-01-01T00:00:00Z", "not_after": "2029-01-01T00:00:00Z"}, "/not_after"))
    for change, pointer in rows:
        answer = owner.call("POST", "/v1/roles", dict(good, **change))
        assert answer.status_code == 422, (change, answer.text)
        assert [e["pointer"] for e in answer.json()["errors"]] == [pointer], answer.text
    owner.ok("POST", "/v1/roles", good)
    assert owner.call("POST", "/v1/roles", good).json()["code"] == "name_taken"


def test_nobody_shares_what_is_not_his(owner, guest):
    made = register(owner)
    answer = guest.call("POST", "/v1/roles", {"name": "r", "trusted_accounts": [owner.id], "instances": [made["id"]],
                                              "permissions": ["data.read"]})
    assert answer.status_code == 422 and answer.json()["errors"][0]["pointer"] == "/instances/0"


def test_a_reader_sees_roles_and_only_an_administrator_changes_them(owner, guest):
    made = register(owner)
    role = make_role(owner, guest, made)
    key = owner.make_key(("operate",))["key"]
    assert owner.call("GET", "/v1/roles/" + role["id"], key=key).status_code == 200
    for method, path in (("POST", "/v1/roles"), ("PATCH", "/v1/roles/" + role["id"]),
                         ("DELETE", "/v1/roles/" + role["id"]), ("POST", "/v1/roles/%s/revoke-sessions" % role["id"])):
        body = None if method == "DELETE" else {}
        assert owner.call(method, path, body, key=key).status_code == 403
