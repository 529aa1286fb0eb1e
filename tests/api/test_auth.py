"""Keys, scopes and accounts."""

import requests


def with_key(api, key, path="/v1/me", method="GET", body=None):
    headers = {} if key is None else {"Authorization": key}
    return requests.request(method, api.url + path, headers=headers, json=body, timeout=10)


def test_what_needs_no_key(api):
    for path in ("/healthz", "/readyz", "/openapi.json", "/v1/version"):
        assert with_key(api, None, path).status_code == 200


def test_without_a_good_key_every_call_is_401(api):
    known = api.key[:12]
    for key in (None, "", "Bearer", "Bearer ", "Basic " + api.key, "Bearer nonsense", "Bearer " + api.key + "x",
                "Bearer " + api.key[:-1], "Bearer " + known + "A" * 43, "Bearer kf_00000000_" + "A" * 43):
        answer = with_key(api, key)
        assert answer.status_code == 401, key
        assert answer.json()["code"] == "unauthorized"
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert api.key not in answer.text


def test_a_wrong_secret_part_and_an_unknown_key_answer_alike(api):
    one = with_key(api, "Bearer " + api.key[:12] + "A" * 43).json()
    two = with_key(api, "Bearer kf_00000000_" + "A" * 43).json()
    for answer in (one, two):
        del answer["request_id"], answer["instance"]
    assert one == two


def test_an_expired_key_and_one_of_a_suspended_account_are_401(api):
    account = api.add_account("other")
    assert with_key(api, "Bearer " + api.add_key(account, "admin", expired=True)).status_code == 401
    key = "Bearer " + api.add_key(account, "admin")
    assert with_key(api, key).status_code == 200
    api.sql("UPDATE account SET status = 'suspended' WHERE id = %s", account)
    assert with_key(api, key).status_code == 401


def test_a_scope_includes_the_ones_below_it_and_nothing_else(api, job):
    keys = {scope: "Bearer " + api.add_key(api.account, scope) for scope in ("read", "operate", "admin", "nothing")}
    path = "/v1/jobs/%s" % job["id"]
    rows = (("GET", path, ("read", "operate", "admin")), ("POST", path + "/prechecks", ("operate", "admin")),
            ("POST", path + "/cutover", ("admin",)), ("DELETE", path, ("operate", "admin")))
    for method, where, may in rows:
        for scope, key in keys.items():
            answer = with_key(api, key, where, method, {} if method == "POST" else None)
            if scope in may:
                assert answer.status_code != 403, (method, where, scope)
            else:
                assert answer.status_code == 403 and answer.json()["code"] == "forbidden", (method, where, scope)


def test_the_body_of_a_refused_call_is_not_read(api):
    answer = with_key(api, "Bearer nonsense", "/v1/jobs", "POST", {"name": "x" * 1000})
    assert answer.status_code == 401 and answer.headers["Connection"] == "close"


def test_another_accounts_things_do_not_exist(api, job):
    run = api.post("/v1/jobs/%s/prechecks" % job["id"])
    stranger = "Bearer " + api.add_key(api.add_account("stranger"), "admin")
    base = "/v1/jobs/" + job["id"]
    for method, path in (("GET", base), ("DELETE", base), ("GET", base + "/steps"), ("GET", base + "/events"),
                         ("POST", base + "/start"), ("POST", base + "/stop"), ("POST", base + "/prechecks"),
                         ("GET", base + "/prechecks"), ("GET", base + "/prechecks/latest"),
                         ("GET", base + "/prechecks/" + run["id"]), ("GET", "/v1/prechecks/" + run["id"]),
                         ("POST", "/v1/prechecks/%s/cancel" % run["id"])):
        answer = with_key(api, stranger, path, method, {} if method == "POST" else None)
        assert answer.status_code == 404, (method, path, answer.text)
    assert with_key(api, stranger, "/v1/jobs").json()["items"] == []
    assert with_key(api, stranger, "/v1/events").json()["items"] == []
    assert with_key(api, stranger, "/v1/jobs/summary").json()["states"].get("configured", 0) == 0


def test_me_says_whose_key_it_is(api):
    me = api.get("/v1/me")
    assert me["account"]["id"] == api.account and me["api_key"]["scopes"] == ["admin"]
    assert api.key not in str(me)
