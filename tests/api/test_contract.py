"""The contract as its own tester: requests made from it, answers held against it, and who may ask at all."""

import random
import re
import time

import pytest
import requests

from conftest import SPEC, pass_precheck
from support.api_server import ApiServer, make_id
from support.contract import Contract
from support.generate import Maker
from support.postgres import Postgres
from support.tenant import Tenant


@pytest.fixture(scope="module")
def server():
    database = Postgres()  # of its own: the first account is the operator's
    with ApiServer(database, env={"KEYFERRY_LOG_LEVEL": "info"}) as server:
        yield server
    database.close()


@pytest.fixture(scope="module")
def tenant(server):
    """Its own account: what the requests do to it is nobody else's business."""
    return Tenant(server.url, server.key, quotas={"jobs": None, "api_keys": None, "instances": None})


def things(tenant):
    """Ids of one of each, as the path parameters name them."""
    instance = tenant.ok("POST", "/v1/instances", {"name": "i", "endpoint": {"url": "redis://i.example"}})
    job = tenant.ok("POST", "/v1/jobs", SPEC)
    run = tenant.ok("POST", "/v1/jobs/%s/prechecks" % job["id"])
    role = tenant.ok("POST", "/v1/roles", {"name": make_id("r")[:20], "trusted_accounts": [make_id("acct")],
                                           "instances": [instance["id"]], "permissions": ["data.read"]})
    key = tenant.make_key()
    rule = tenant.ok("POST", "/v1/alert-rules", {"type": "error"})
    endpoint = tenant.ok("POST", "/v1/webhook-endpoints", {"url": "https://pager.example/"})
    return {"rule": [rule["id"]], "endpoint": [endpoint["id"]], "runbook": ["alert.latency"],
            "job": [job["id"]], "instance": [instance["id"]], "role": [role["id"]], "precheck": [run["id"]],
            "account": [tenant.id], "key": [key["id"]], "check": ["dst.eviction"]}


def ask(server, tenant, seed, count):
    document = requests.get(server.url + "/openapi.json", timeout=10).json()
    contract = Contract(document)
    known = things(tenant)
    maker = Maker(document, random.Random(seed), known)
    http = requests.Session()
    http.trust_env = False
    http.headers["Authorization"] = "Bearer " + tenant.key
    seen, wrong = {}, []
    for i in range(count):
        method, template, path, query, headers, body = maker.request()
        # What closes the account or takes the very key away would end the test, not the server.
        if template.startswith("/v1/accounts") and method in ("DELETE", "PATCH"):
            continue
        answer = http.request(method, server.url + path, params=query, headers=headers, timeout=60,
                              **({} if body is None else {"json": body}))
        seen.setdefault((method, template), {}).setdefault(answer.status_code, 0)
        seen[(method, template)][answer.status_code] += 1
        try:
            assert answer.status_code < 500, answer.text[:500]
            if answer.status_code != 304:
                contract.check(method, re.sub(r"\{[^}]*\}", "x", template), answer)
        except AssertionError as why:
            wrong.append("seed %s, request %d: %s %s %s %s\n  %s" % (seed, i, method, path, query, str(body)[:600], why))
        made = answer.json() if answer.status_code == 201 else {}
        kind = {"job_": "job", "inst": "instance", "role": "role", "ak_0": "key"}.get(made.get("id", "")[:4])
        if kind:
            known[kind] = (known[kind] + [made["id"]])[-8:]
    assert not wrong, "%d deviations:\n%s" % (len(wrong), "\n".join(wrong[:8]))
    return maker, seen


def check_reach(maker, seen, count):
    """The generator must get past the doors, or it proves nothing."""
    asked = {key for key in seen}
    missing = [(m, t) for m, t, _, _ in maker.operations if (m, t) not in asked
               and not (t.startswith("/v1/accounts") and m in ("DELETE", "PATCH"))]
    assert not missing, missing
    codes = {}
    for rows in seen.values():
        for code, n in rows.items():
            codes[code] = codes.get(code, 0) + n
    assert sum(n for c, n in codes.items() if c < 300) > count * 0.15, codes
    assert {200, 201, 202, 404, 409, 422} <= set(codes), codes


def test_what_the_contract_allows_is_answered_as_it_says_and_never_with_500(server, tenant):
    seed = int(time.time())
    maker, seen = ask(server, tenant, seed, 1200)
    check_reach(maker, seen, 1200)


@pytest.mark.full
def test_twenty_thousand_requests_from_the_contract(server, tenant):
    for part in range(10):
        maker, seen = ask(server, tenant, int(time.time()) + part, 2100)
        check_reach(maker, seen, 2100)


def test_the_check_would_notice(server, tenant):
    """The control: an answer that is not in the contract, and one that lacks a member."""
    document = requests.get(server.url + "/openapi.json", timeout=10).json()
    answer = tenant.call("GET", "/v1/me")
    Contract(document).check("GET", "/v1/me", answer)
    document["components"]["schemas"]["Me"]["required"].append("shoe_size")
    with pytest.raises(AssertionError, match="shoe_size"):
        Contract(document).check("GET", "/v1/me", answer)
    with pytest.raises(AssertionError):
        Contract(document).check("GET", "/v1/jobs", answer)


# ---- every route x every wrong caller

LEVELS = {"read": 1, "operate": 2, "admin": 3}


def test_every_route_refuses_every_wrong_caller(server, tenant):
    """Made from the contract: a route that is added is asked without a word about it."""
    document = requests.get(server.url + "/openapi.json", timeout=10).json()
    ids = {name: values[0] for name, values in things(tenant).items()}
    stranger = Tenant(server.url, server.key, name="stranger")
    narrow = {scope: stranger.make_key((scope,))["key"] for scope in ("read", "operate")}
    mine = {scope: tenant.make_key((scope,))["key"] for scope in ("read", "operate")}
    expired = server.add_key(tenant.id, "admin", expired=True)
    asked = 0
    for path, item in sorted(document["paths"].items()):
        for method, operation in sorted(item.items()):
            if method == "parameters" or operation.get("security") == []:
                continue
            where = re.sub(r"\{(\w+)\}", lambda m: ids.get(m.group(1), make_id({"test": "cnt", "discovery": "dsc"}.get(
                m.group(1), "x"))), path)
            body = {} if method in ("post", "put", "patch") else None

            def status(key):
                nonlocal asked
                asked += 1
                headers = {} if key is None else {"Authorization": key}
                answer = requests.request(method, server.url + where, headers=dict(headers, Accept="application/json"),
                                          json=body, timeout=30)
                assert answer.status_code < 500, (method, path, answer.text)
                return answer.status_code

            assert status(None) == 401, (method, path)
            assert status("Bearer kf_00000000_" + "A" * 43) == 401, (method, path)
            assert status("Bearer " + expired) == 401, (method, path)
            for scope, level in LEVELS.items():
                if level < LEVELS[operation["x-scope"]]:
                    assert status("Bearer " + mine[scope]) == 403, (method, path, scope)
            if set(re.findall(r"\{(\w+)\}", path)) - {"account", "check", "runbook", "worker"}:
                # An empty body may be wrong before the id is looked at; what belongs to others is never shown.
                code = status("Bearer " + stranger.key)
                assert code in (404, 422), (method, path, code)
                assert code == 404 or body is not None, (method, path, code)
            for scope, key in narrow.items():
                if LEVELS[scope] < LEVELS[operation["x-scope"]]:
                    assert status("Bearer " + key) == 403, (method, path, scope)
    assert asked > 300, asked
    assert tenant.call("GET", "/v1/jobs/" + ids["job"]).status_code == 200, "nothing of it was changed"
