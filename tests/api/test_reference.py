"""What stands in tables can be read, and looks at servers are queued for workers: the API dials nobody."""

import pytest
import requests


def test_each_check_can_be_read_by_its_id(api):
    rows = api.get("/v1/checks")["items"]
    assert len(rows) >= 64 and all(row["built"] for row in rows)
    for row in rows:
        assert api.get("/v1/checks/" + row["id"]) == row
    assert api.call("GET", "/v1/checks/nonsense").status_code == 404


def test_the_type_of_a_problem_leads_to_what_it_means(api):
    problem = api.call("GET", "/v1/checks/nonsense").json()
    answer = requests.get(api.url + problem["type"], timeout=10)  # without a key
    assert answer.status_code == 200
    found = answer.json()
    assert found["type"] == problem["type"] and found["code"] == "not_found" and found["status"] == 404
    assert found["retry"] == "never" and found["title"] == problem["title"]
    assert api.get("/problems/store-conflict")["retry"] in ("now", "later")
    assert api.call("GET", "/problems/nonsense").status_code == 404


def test_the_line_of_an_account_names_a_reason_for_each_rule(api):
    for role in ("source", "destination"):
        for mode in ("auto", "psync", "scan"):
            for version in ("6.0.16", "7.0.15", "8.6.3", "9.1.2", None):
                answer = api.get("/v1/acl?role=%s&read_mode=%s%s" % (
                    role, mode, "&version=" + version if version else ""))
                words = answer["line"].split()
                assert words[:6] == ["ACL", "SETUSER", "keyferry", "reset", "on", ">PASSWORD"]
                assert words[6:] == [rule["rule"] for rule in answer["rules"]]
                assert len(set(words)) == len(words) and all(rule["why"] for rule in answer["rules"])
                # No right that changes a server's settings, or ends it.
                assert not {"+@all", "+@admin", "+config", "+config|set", "+shutdown", "+debug"} & set(words)


def test_a_test_waits_for_a_worker_and_its_password_is_sealed(api):
    body = {"source": {"url": "redis://:canary-7f3a@10.9.8.7:6379"}}
    answer = api.call("POST", "/v1/connectivity-tests", body)
    assert answer.status_code == 202
    test = answer.json()
    assert answer.headers["Location"] == "/v1/connectivity-tests/" + test["id"]
    assert test["state"] == "running" and test["probe"] == "read_only"
    assert [(end["end"], end["label"], end["steps"]) for end in test["ends"]] == [("source", "10.9.8.7:6379", [])]
    assert "canary" not in answer.text
    found = api.call("POST", "/v1/discover", {"endpoint": body["source"]})
    assert found.status_code == 202 and found.json()["state"] == "running" and found.json()["facts"] is None
    assert "canary" not in found.text
    assert api.sql("SELECT count(*) FROM precheck WHERE precheck::text LIKE %s", "%canary%") == [(0,)]


def test_an_id_of_another_kind_finds_nothing(api):
    test = api.post("/v1/connectivity-tests", {"source": {"url": "redis://10.9.8.7"}})
    assert api.call("GET", "/v1/discover/" + test["id"]).status_code == 404
    assert api.call("GET", "/v1/prechecks/" + test["id"]).status_code == 404
    assert requests.get(api.url + "/v1/connectivity-tests/" + test["id"], timeout=10).status_code == 401


def test_only_failed_is_a_flag_of_a_jobs_precheck(api, job):
    path = "/v1/jobs/%s/prechecks" % job["id"]
    assert api.call("POST", path, {"only_failed": "yes"}).status_code == 422
    run = api.call("POST", path, {"only_failed": True})
    assert run.status_code == 202 and run.json()["items"] == []  # there was none before


@pytest.mark.parametrize("path", (
    "/v1/instance-classes", "/v1/checks", "/v1/commands", "/v1/runbooks", "/v1/alert-rules/types", "/v1/workers",
    "/v1/worker-pools", "/v1/egress-addresses", "/v1/master-keys"))
def test_a_list_that_is_made_whole_can_be_read_in_pages_too(api, path):
    whole = api.get(path)
    assert set(whole) == {"items", "next_cursor"} and whole["next_cursor"] is None
    size = max(1, len(whole["items"]) // 3)
    seen, cursor = [], ""
    while cursor is not None:
        page = api.get("%s?limit=%d%s" % (path, min(size, 200), cursor))
        assert len(page["items"]) <= size
        seen += page["items"]
        cursor = "&cursor=" + page["next_cursor"] if page["next_cursor"] else None
    assert len(seen) == len(whole["items"])
    if path not in ("/v1/workers", "/v1/worker-pools"):  # those tell what changes meanwhile
        assert seen == whole["items"]
    assert api.call("GET", path + "?limit=0").status_code == 422
    assert api.call("GET", path + "?cursor=zzz").status_code == 422
