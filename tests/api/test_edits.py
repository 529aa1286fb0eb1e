"""Changing a job that exists: merge patches, limits, the class."""

import json
import threading
import time

import pytest
import requests
from conftest import SPEC, pass_precheck, unique_spec

SECRET = "hunter2-in-a-patch"


def patch(api, job, body, expect=200, **options):
    return api._expect(api.call("PATCH", "/v1/jobs/" + job["id"], body, **options), expect)


def test_a_patch_changes_what_it_names_and_nothing_else(api):
    job = api.post("/v1/jobs", unique_spec(api, labels={"a": "1", "b": "2"}, retry={"connection_minutes": 100}))
    got = patch(api, job, {"name": "renamed", "labels": {"a": None, "c": "3"}})
    assert got["name"] == "renamed" and got["labels"] == {"b": "2", "c": "3"}
    assert got["retry"] == job["retry"] and got["source"] == job["source"] and got["warnings"] == job["warnings"]
    assert patch(api, job, {"retry": {"connection_minutes": None}})["retry"]["connection_minutes"] == 720
    answer = api.http.patch(api.url + "/v1/jobs/" + job["id"], data=b'{"name": "again"}',
                            headers={"Content-Type": "application/merge-patch+json"})
    assert answer.status_code == 200 and answer.json()["name"] == "again"


def test_changes_that_name_no_version_do_not_get_into_each_others_way(api, job):
    codes = []

    def change(number):
        with requests.Session() as session:
            for i in range(25):
                answer = session.patch(api.url + "/v1/jobs/" + job["id"], headers=api.http.headers,
                                       json={"labels": {"from%d" % number: str(i)}})
                codes.append(answer.status_code)

    threads = [threading.Thread(target=change, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [200] * 100
    assert api.get("/v1/jobs/" + job["id"])["labels"].items() >= {"from%d" % n: "24" for n in range(4)}.items()


def test_a_light_change_keeps_the_precheck_and_another_takes_it_back(api, job):
    pass_precheck(api, job)
    assert patch(api, job, {"name": "light", "throttle": {"full": {"rps": 100}}})["state"] == "precheck_passed"
    got = patch(api, job, {"conflict_mode": "overwrite"})
    assert got["state"] == "configured" and got["conflict_mode"] == "overwrite" and got["name"] == "light"
    assert api.post("/v1/jobs/%s/start" % job["id"], expect=409)["code"] == "precheck_required"
    pass_precheck(api, job)
    assert api.post("/v1/jobs/%s/start" % job["id"])["state"] == "queued"


def test_the_credentials_of_an_end_that_is_not_named_stay(api):
    job = api.post("/v1/jobs", unique_spec(api, source={"url": "redis://u:%s@127.0.0.1:16001" % SECRET}))
    before = api.sql("SELECT sealed FROM job WHERE id = %s", job["id"])[0][0]
    answer = api.call("PATCH", "/v1/jobs/" + job["id"], {"destination": {"url": "redis://other.example:6379"}})
    got = answer.json()
    assert got["destination"]["label"] == "other.example:6379"
    assert got["source"]["auth"] == {"configured": True, "username": "u"} and SECRET not in answer.text
    assert bytes(api.sql("SELECT sealed FROM job WHERE id = %s", job["id"])[0][0]) != bytes(before)
    got = patch(api, job, {"source": {"url": "redis://127.0.0.1:16001"}})
    assert got["source"]["auth"]["configured"] is False
    assert api.sql("SELECT sealed FROM job WHERE id = %s", job["id"]) == [(None,)]


def test_a_draft_becomes_complete_and_a_job_a_draft_again(api):
    job = api.post("/v1/jobs", {"kind": "migration", "source": SPEC["source"]})
    assert "-to-?-" in job["name"]
    whole = patch(api, job, {"destination": {"url": "redis://complete.example:1"}})
    assert whole["state"] == "configured" and "-to-complete.example:1-" in whole["name"], whole["name"]
    assert patch(api, job, {"destination": None})["state"] == "draft"
    named = patch(api, job, {"name": "mine"})
    assert patch(api, named, {"destination": {"url": "redis://other.example:1"}})["name"] == "mine"


def test_a_database_of_the_url_goes_with_the_url(api):
    job = api.post("/v1/jobs", unique_spec(api, source={"url": "redis://127.0.0.1:16001/3"}))
    assert job["objects"]["databases"] == [{"source": 3, "destination": 3}]
    assert patch(api, job, {"conflict_mode": "overwrite"})["objects"]["databases"] == job["objects"]["databases"]
    assert patch(api, job, {"name": "x"})["warnings"] == job["warnings"]
    assert patch(api, job, {"source": {"url": "redis://127.0.0.1:16001"}})["objects"]["databases"] is None


def test_a_wrong_patch_is_refused_whole(api, job):
    problem = patch(api, job, {"name": "never", "nonsense": 1, "retry": {"other_minutes": 5000}}, expect=422)
    assert {e["pointer"] for e in problem["errors"]} == {"/nonsense", "/retry/other_minutes"}
    assert api.get("/v1/jobs/" + job["id"]) == job
    assert patch(api, job, {"name": "x"}, expect=412, headers={"If-Match": '"999.x"'})["code"] == "etag_mismatch"
    wrong = api.call("PATCH", "/v1/jobs/%s?dry_run=true" % job["id"], {"nonsense": 1})
    assert wrong.status_code == 422, wrong.text


def test_a_patch_that_is_only_tried_changes_nothing(api, job):
    tried = api.call("PATCH", "/v1/jobs/%s?dry_run=true" % job["id"],
                     {"destination": {"url": "redis://elsewhere.example"}})
    assert tried.status_code == 202, tried.text
    assert tried.headers["Location"] == "/v1/connectivity-tests/" + tried.json()["id"]
    assert api.get(tried.headers["Location"])["state"] in ("running", "passed", "failed")
    assert api.get("/v1/jobs/" + job["id"]) == job


def test_after_the_start_only_light_changes_and_ends_at_rest_are_taken(api, job):
    pass_precheck(api, job)
    api.post("/v1/jobs/%s/start" % job["id"])
    problem = patch(api, job, {"name": "n", "conflict_mode": "overwrite"}, expect=409)
    assert problem["code"] == "invalid_state" and "conflict_mode may change before the start only" in problem["detail"]
    assert patch(api, job, {"labels": {"hot": "yes"}})["labels"] == {"hot": "yes"}
    api.post("/v1/jobs/%s/pause" % job["id"])
    assert patch(api, job, {"source": SPEC["source"]})["state"] == "paused"
    assert patch(api, job, {"name": "still"})["state"] == "paused"
    events = api.get("/v1/jobs/%s/events" % job["id"], headers={"Accept": "application/json"})["items"]
    assert [e["detail"] for e in events if e["type"] == "edited"] == ["labels", "source", "name"]


def test_edit_ends_is_allowed_just_where_another_login_is_taken(api, job):
    pass_precheck(api, job)
    api.post("/v1/jobs/%s/start" % job["id"])
    path = "/v1/jobs/" + job["id"]
    seen = {}
    for state in ("paused", "running", "blocked", "queued", "failed", "stopping", "retrying", "stopped"):
        api.sql("UPDATE job SET state = %s WHERE id = %s", state, job["id"])
        said = "edit_ends" in api.get(path)["allowed_actions"]
        answer = api.call("PATCH", path, {"source": {"auth": {"password": "another"}}})
        assert answer.status_code == (200 if said else 409), (state, said, answer.text)
        seen[state] = said
    assert [state for state, said in seen.items() if said] == ["paused", "blocked", "failed", "retrying"]


def test_a_released_job_does_not_change(api, job):
    api._expect(api.call("DELETE", "/v1/jobs/" + job["id"]), 200)
    assert patch(api, job, {"name": "x"}, expect=409)["code"] == "invalid_state"


def test_limits_are_put_as_a_whole(api, job):
    path = "/v1/jobs/%s/throttle" % job["id"]
    none = {"rps": None, "bytes_per_second": None}
    none_full = dict(none, source_qps=None)
    first = api.get(path)
    assert first["effective"] == {"full": none_full, "incremental": none, "window": None}
    answer = api.call("PUT", path, {"full": {"rps": 1000}, "incremental": {"bytes_per_second": 65536, "rps": -1}})
    got = answer.json()
    assert answer.status_code == 200 and answer.headers["ETag"] == got["etag"] != first["etag"]
    assert got["effective"] == {"full": dict(none_full, rps=1000),
                                "incremental": {"rps": None, "bytes_per_second": 65536}, "window": None}
    assert api.get("/v1/jobs/" + job["id"])["throttle"] == got["configured"]
    off = api._expect(api.call("PUT", path, {"full": {"enabled": False, "rps": 5}}), 200)
    assert off["effective"] == {"full": none_full, "incremental": none, "window": None} and off["configured"]["full"]["rps"] == 5
    assert api._expect(api.call("PUT", path, {}), 200)["configured"] == first["configured"]
    for body, pointer in (({"full": {"rps": 0}}, "/full/rps"), ({"full": 5}, "/full"),
                          ({"incremental": {"bytes_per_second": 1}}, "/incremental/bytes_per_second"),
                          # It limits a copy by SCAN; this job follows.
                          ({"full": {"source_qps": 5}}, "/full/source_qps"),
                          ({"nonsense": 1}, "/nonsense")):
        problem = api._expect(api.call("PUT", path, body), 422)
        assert [e["pointer"] for e in problem["errors"]] == [pointer]
    assert api._expect(api.call("PUT", path, {"schedule": [{}]}), 422)["code"] == "validation_failed"
    assert api.call("PUT", path, {}, headers={"If-Match": first["etag"]}).status_code == 412


def test_a_class_is_chosen_after_the_precheck(api, job):
    path = "/v1/jobs/%s/purchase" % job["id"]
    assert api.post(path, {"instance_class": "unlimited"}, expect=409)["code"] == "precheck_required"
    pass_precheck(api, job)
    assert api.post(path, {}, expect=422)["errors"][0]["pointer"] == "/instance_class"
    assert api.post(path, {"instance_class": "huge"}, expect=422)["code"] == "validation_failed"
    got = api.post(path, {"instance_class": "unlimited", "resource_group": "blue"})
    assert got["state"] == "precheck_passed" and got["instance_class"] == "unlimited"
    assert got["resource_group"] == "blue"
    assert api.post("/v1/jobs/%s/start" % job["id"])["state"] == "queued"


def test_a_class_can_be_chosen_with_the_start_and_the_warnings_confirmed(api, job):
    pass_precheck(api, job, "warn")
    got = api.post("/v1/jobs/%s/purchase?ignore_warnings=true" % job["id"],
                   {"instance_class": "unlimited", "auto_start": True})
    assert got["state"] == "queued"
    assert json.dumps(got).count("purchase") >= 1


def test_the_class_changes_by_a_patch_at_any_time(api, job):
    """Before it is chosen the patch is a wish that the start follows; later it is a resize."""
    assert patch(api, job, {"instance_class": "small"})["instance_class"] == "small"
    pass_precheck(api, job)
    api.post("/v1/jobs/%s/purchase" % job["id"], {"instance_class": "medium"})
    got = patch(api, job, {"instance_class": "xxlarge"})
    assert got["instance_class"] == "2xlarge" and got["state"] == "precheck_passed"
    assert api.post("/v1/jobs/%s/start" % job["id"])["instance_class"] == "2xlarge"
    assert patch(api, job, {"instance_class": "large", "name": "both"})["instance_class"] == "large"
    assert api.get("/v1/jobs/%s/throttle" % job["id"])["effective"]["incremental"]["rps"] == 6000
    got = patch(api, job, {"instance_class": None, "verification": None, "alerts": []})
    assert got["instance_class"] == "unlimited" and got["state"] == "queued" and got["name"] == "both"
    assert patch(api, job, {"verification": {"after_full": True}}, expect=422)["code"] == "not_supported_yet"
    api.post("/v1/jobs/%s/stop" % job["id"])
    assert patch(api, job, {"instance_class": "small"}, expect=409)["code"] == "invalid_state"
    assert patch(api, job, {"alerts": None})["state"] == "stopped"


# ---- a new address of a started job: what a worker finds is told by the test

def moved(api, find):
    """PATCH of the source's address, while a worker's finding is written; the answer."""
    job = api.post("/v1/jobs", unique_spec(api))
    api.sql("UPDATE job SET state = 'paused', started_at = now() WHERE id = %s", job["id"])
    answers = []
    asking = threading.Thread(target=lambda: answers.append(requests.patch(
        api.url + "/v1/jobs/" + job["id"], json={"source": {"url": "redis://moved.example"}}, timeout=60,
        headers={"Authorization": "Bearer " + api.key})))
    asking.start()
    deadline = time.monotonic() + 30
    while find and asking.is_alive():
        assert time.monotonic() < deadline
        for run, spec in api.sql("SELECT id, spec FROM precheck WHERE job = %s AND purpose = 'connectivity'"
                                 " AND state = 'queued'", job["id"]):
            assert "destination" not in spec, "only what moves is looked at"
            api.sql("INSERT INTO precheck_item (precheck, id, result, ignorable, item) VALUES"
                    " (%s, 'src.identity', %s, false, jsonb_build_object('id', 'src.identity', 'result', %s,"
                    " 'message', 'It is another one'))", run, find, find)
            api.sql("UPDATE precheck SET state = %s, finished_at = now() WHERE id = %s",
                    "passed" if find == "pass" else "failed", run)
        time.sleep(0.05)
    asking.join()
    return answers[0], api.get("/v1/jobs/" + job["id"])["source"]["label"]


def test_an_address_where_a_worker_finds_another_server_is_refused(api):
    answer, label = moved(api, "fail")
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["detail"]) == (409, "config_drift", "source: It is another one")
    assert "moved" not in label
    for find in ("pass", "skipped"):  # the same server; nobody knows
        answer, label = moved(api, find)
        assert answer.status_code == 200 and label == "moved.example:6379", answer.text


@pytest.mark.full
def test_an_address_that_no_worker_looks_at_in_time_is_taken(api):
    began = time.monotonic()
    answer, label = moved(api, None)
    assert answer.status_code == 200 and label == "moved.example:6379" and time.monotonic() - began < 30
