"""Runs of the precheck through the API; what a worker finds is written by the tests."""

from conftest import SPEC, finish_precheck, pass_precheck, unique_spec


def test_a_run_moves_the_job_and_is_the_latest(api, job):
    path = "/v1/jobs/" + job["id"]
    assert api.call("GET", path + "/prechecks/latest").status_code == 404
    answer = api.call("POST", path + "/prechecks", {})
    run = answer.json()
    assert answer.status_code == 202
    assert answer.headers["Location"] == "%s/prechecks/%s" % (path, run["id"])
    assert run["state"] == "running" and run["items"] == [] and run["job_id"] == job["id"]
    assert run["counts"] == dict.fromkeys(("pass", "warn", "fail", "ignored", "skipped", "error"), 0)
    assert api.get(path)["state"] == "prechecking"
    assert api.get(path + "/prechecks/latest") == run
    assert api.post(path + "/prechecks", expect=409)["code"] == "invalid_state"
    finish_precheck(api, run["id"], job["id"])
    run = api.get(path + "/prechecks/" + run["id"])
    assert run["state"] == "passed" and run["success_rate"] == 100 and run["finished_at"]
    assert api.get(path + "/prechecks/%s/items/dst.eviction" % run["id"])["message"] == "evicts"
    assert api.call("GET", path + "/prechecks/%s/items/nonsense" % run["id"]).status_code == 404


def test_a_run_that_nobody_takes_says_what_it_waits_for(api):
    # Where there is no worker of that pool it would look as if it ran for ever.
    job = api.post("/v1/jobs", unique_spec(api, worker_pool="nobodys"))
    path = "/v1/jobs/%s/prechecks" % job["id"]
    run = api.post(path)
    assert (run["state"], run["started_at"], run["waiting_for"]) == ("running", None, "A free worker of the pool nobodys")
    api.sql("UPDATE precheck SET state = 'running', started_at = now() WHERE id = %s", run["id"])
    assert api.get(path + "/" + run["id"])["waiting_for"] is None


def test_runs_are_listed_newest_first(api, job):
    made = [pass_precheck(api, job) for _ in range(3)]
    path = "/v1/jobs/%s/prechecks" % job["id"]
    page = api.get(path + "?limit=2")
    assert [r["id"] for r in page["items"]] == made[:0:-1]
    assert [r["id"] for r in api.get(path + "?limit=2&cursor=" + page["next_cursor"])["items"]] == made[:1]


def test_a_run_belongs_to_its_job(api, job):
    run = pass_precheck(api, job)
    other = api.post("/v1/jobs", unique_spec(api))
    assert api.call("GET", "/v1/jobs/%s/prechecks/%s" % (other["id"], run)).status_code == 404
    assert api.call("POST", "/v1/jobs/%s/prechecks/%s/items/dst.eviction/ignore" % (other["id"], run),
                    {"reason": "because"}).status_code == 404


def test_a_warning_is_accepted_with_a_reason_and_the_job_moves_on(api, job):
    path = "/v1/jobs/%s/prechecks/%s" % (job["id"], pass_precheck(api, job, "warn"))
    ignore = path + "/items/dst.eviction/ignore"
    for body in ({}, {"reason": "x"}, {"reason": 5}, {"reason": "because", "more": 1}):
        assert api.call("POST", ignore, body).status_code == 422
    assert api.call("POST", path + "/items/nonsense/ignore", {"reason": "because"}).status_code == 404
    run = api.post(ignore, {"reason": "it is a cache"})
    assert run["state"] == "passed" and run["counts"]["ignored"] == 1
    item = run["items"][0]
    assert item["result"] == "ignored" and item["reason"] == "it is a cache" and item["ignored_at"]
    assert api.get("/v1/jobs/" + job["id"])["state"] == "precheck_passed"


def test_a_failure_cannot_be_accepted(api, job):
    path = "/v1/jobs/%s/prechecks/%s" % (job["id"], pass_precheck(api, job, "fail", ignorable=False))
    problem = api.post(path + "/items/dst.eviction/ignore", {"reason": "because"}, expect=409)
    assert problem["code"] == "not_ignorable"
    assert api.get("/v1/jobs/" + job["id"])["state"] == "precheck_failed"


def test_a_run_can_be_cancelled_once(api, job):
    run = api.post("/v1/jobs/%s/prechecks" % job["id"])
    path = "/v1/jobs/%s/prechecks/%s/cancel" % (job["id"], run["id"])
    assert api.post(path)["state"] == "cancelled"
    assert api.post(path, expect=409)["code"] == "invalid_state"
    assert api.get("/v1/jobs/" + job["id"])["state"] == "configured"


def test_a_run_that_is_another_by_now_is_not_cancelled(api, job):
    for run, path in ((api.post("/v1/prechecks", SPEC), "/v1/prechecks/"),
                      (api.post("/v1/jobs/%s/prechecks" % job["id"]), "/v1/jobs/%s/prechecks/" % job["id"])):
        cancel = path + run["id"] + "/cancel"
        api.sql("UPDATE precheck SET version = version + 1 WHERE id = %s", run["id"])
        stale = api.post(cancel, headers={"If-Match": run["etag"]}, expect=412)
        assert stale["code"] == "etag_mismatch" and api.get(path + run["id"])["state"] == "running"
        fresh = api.get(path + run["id"])["etag"]
        assert api.post(cancel, headers={"If-Match": fresh})["state"] == "cancelled"


def test_a_run_stands_alone_and_saves_no_job(api):
    jobs = api.sql("SELECT count(*) FROM job")
    answer = api.call("POST", "/v1/prechecks", dict(SPEC, probe="read_only"))
    run = answer.json()
    assert answer.status_code == 202 and answer.headers["Location"] == "/v1/prechecks/" + run["id"]
    assert run["job_id"] is None and run["probe"] == "read_only" and run["state"] == "running"
    assert api.sql("SELECT count(*) FROM job") == jobs
    finish_precheck(api, run["id"], None, "fail")
    assert api.get("/v1/prechecks/" + run["id"])["state"] == "failed"
    second = api.post("/v1/prechecks", SPEC)
    assert api.post("/v1/prechecks/%s/cancel" % second["id"])["state"] == "cancelled"


def test_a_run_alone_needs_both_ends_and_a_known_probe(api):
    problem = api.post("/v1/prechecks", {"kind": "migration", "source": SPEC["source"]}, expect=422)
    assert [e["pointer"] for e in problem["errors"]] == ["/destination"]
    assert api.call("POST", "/v1/prechecks", dict(SPEC, probe="rough")).status_code == 422


def test_waiting_for_a_run_ends_with_it(api, job):
    answer = api.call("POST", "/v1/prechecks", SPEC, headers={"Prefer": "wait=1"})
    assert answer.status_code == 202 and answer.json()["state"] == "running"
