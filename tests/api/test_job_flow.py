"""From a draft to a started job and beyond: purchase, classes, schedule, clone, batch, release, restart."""

import datetime
import time

import pytest

from conftest import pass_precheck, unique_spec
from support.api_server import make_id


def ready(api, **members):
    """A job whose precheck passed."""
    job = api.post("/v1/jobs", unique_spec(api, **members))
    pass_precheck(api, job)
    return job


def path_of(job, action=""):
    return "/v1/jobs/%s%s" % (job["id"], action and "/" + action)


def soon(seconds):
    at = datetime.datetime.utcnow() + datetime.timedelta(seconds=seconds)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def set_state(api, job, state):
    """What a worker would report."""
    api.sql("UPDATE job SET state = %s, version = version + 1, event_count = event_count + 1 WHERE id = %s",
            state, job["id"])
    api.sql("INSERT INTO job_event (job, number, type, state, sentence) SELECT id, event_count, state, state, 'x'"
            " FROM job WHERE id = %s", job["id"])


# ---- classes

def test_r_180_the_classes_have_the_caps_of_their_model(api):
    caps = {c["name"]: c["incremental_commands_per_second"] for c in api.get("/v1/instance-classes")["items"]}
    assert caps == {"small": 2000, "medium": 5000, "large": 6000, "xlarge": 7000, "2xlarge": 11000, "unlimited": None}


@pytest.mark.parametrize("said, name, cap", [("small", "small", 2000), ("xxlarge", "2xlarge", 11000),
                                             ("unlimited", "unlimited", None)])
def test_a_class_is_bought_and_caps_what_may_be_followed(api, said, name, cap):
    job = ready(api)
    bought = api.post(path_of(job, "purchase"), {"instance_class": said})
    assert bought["instance_class"] == name and bought["state"] == "precheck_passed"
    assert api.get(path_of(job, "throttle"))["effective"]["incremental"]["rps"] == cap
    started = api.post(path_of(job, "start"))
    assert started["instance_class"] == name and started["state"] == "queued"


def test_the_stricter_of_class_and_throttle_holds(api):
    job = ready(api, throttle={"incremental": {"rps": 500}})
    api.post(path_of(job, "purchase"), {"instance_class": "small"})
    assert api.get(path_of(job, "throttle"))["effective"]["incremental"]["rps"] == 500
    api.call("PUT", path_of(job, "throttle"), {"incremental": {"rps": 9000}})
    assert api.get(path_of(job, "throttle"))["effective"]["incremental"]["rps"] == 2000


def test_a_class_can_be_changed_while_it_runs_and_not_before_it_is_bought(api):
    job = ready(api)
    refused = api.call("PUT", path_of(job, "class"), {"instance_class": "small"})
    assert refused.status_code == 409 and refused.json()["code"] == "invalid_state"
    api.post(path_of(job, "start"), {"instance_class": "small"})
    resized = api.call("PUT", path_of(job, "class"), {"instance_class": "2xlarge"})
    assert resized.status_code == 200 and resized.json()["instance_class"] == "2xlarge"
    assert api.call("PUT", path_of(job, "class"), {"instance_class": "huge"}).status_code == 422
    set_state(api, job, "stopped")
    assert api.call("PUT", path_of(job, "class"), {"instance_class": "small"}).status_code == 409


def test_the_class_a_specification_wishes_is_the_one_it_starts_with(api):
    job = ready(api, instance_class="medium")
    assert api.post(path_of(job, "start"))["instance_class"] == "medium"


def test_r_177_r_178_purchase_and_start_are_there_once_the_precheck_passed(api):
    job = api.post("/v1/jobs", unique_spec(api))
    assert not {"start", "purchase"} & set(job["allowed_actions"])
    refused = api.call("POST", path_of(job, "purchase"), {"instance_class": "small"})
    assert refused.status_code == 409 and refused.json()["code"] == "precheck_required"
    pass_precheck(api, job)
    passed = api.get(path_of(job))
    assert {"start", "purchase"} <= set(passed["allowed_actions"])
    assert api.get(path_of(job, "prechecks/latest"))["success_rate"] == 100


def test_r_172_no_start_without_a_passed_precheck(api):
    job = api.post("/v1/jobs", unique_spec(api))
    assert api.call("POST", path_of(job, "start"), {}).json()["code"] == "precheck_required"
    pass_precheck(api, job, result="fail")
    assert api.call("POST", path_of(job, "start"), {}).json()["code"] == "precheck_required"


def test_r_179_the_resource_group_is_default_until_another_is_named(api):
    job = ready(api)
    assert api.get(path_of(job))["resource_group"] == "default"
    assert api.post(path_of(job, "purchase"),
                    {"instance_class": "small", "resource_group": "team-a"})["resource_group"] == "team-a"


def test_r_182_buy_and_start_in_one_step(api):
    job = ready(api)
    started = api.post(path_of(job, "purchase"), {"instance_class": "large", "auto_start": True})
    assert started["state"] == "queued" and started["instance_class"] == "large" and started["started_at"]


# ---- schedule

def test_r_055_a_start_waits_for_its_time(api):
    job = ready(api, migration={"start_at": soon(3600)})
    waiting = api.post(path_of(job, "start"), {"instance_class": "small"})
    assert waiting["state"] == "scheduled" and waiting["started_at"] is None
    assert waiting["migration"]["start_at"].endswith(".000Z") and waiting["dts_status"] == "PreCheckPass"
    now = api.post(path_of(job, "start"))
    assert now["state"] == "queued" and now["instance_class"] == "small", "asked for again it is at once"


def test_a_scheduled_job_starts_when_its_time_has_come(api):
    job = ready(api, migration={"start_at": soon(3600)})
    assert api.post(path_of(job, "start"))["state"] == "scheduled"
    api.sql("UPDATE job SET spec = jsonb_set(spec, '{migration,start_at}', '\"2020-01-01T00:00:00.000Z\"') WHERE id = %s",
            job["id"])
    deadline = time.monotonic() + 60
    while api.get(path_of(job))["state"] == "scheduled":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    started = api.get(path_of(job))
    assert started["state"] == "queued" and started["started_at"] >= started["migration"]["start_at"]


def test_a_scheduled_job_waits_while_applications_use_its_destination(api):
    job = ready(api, migration={"start_at": soon(3600)})
    api.post(path_of(job, "start"))
    live = api.post("/v1/instances", {"name": "live", "endpoint": {"url": "redis://" + job["destination"]["label"]}})
    api.post("/v1/instances/%s/set-live" % live["id"])
    api.sql("UPDATE job SET spec = jsonb_set(spec, '{migration,start_at}', '\"2020-01-01T00:00:00.000Z\"') WHERE id = %s",
            job["id"])
    time.sleep(6)  # twice as long as between two looks
    assert api.get(path_of(job))["state"] == "scheduled"
    api.post("/v1/instances/%s/clear-live" % live["id"])
    deadline = time.monotonic() + 60
    while api.get(path_of(job))["state"] == "scheduled":
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_scheduled_job_can_be_stopped(api):
    job = ready(api, migration={"start_at": soon(3600)})
    api.post(path_of(job, "start"))
    assert api.post(path_of(job, "stop"))["state"] == "stopped"


def test_a_start_time_that_has_passed_is_at_once(api):
    job = ready(api, migration={"start_at": "2020-01-01T00:00:00Z"})
    assert api.post(path_of(job, "start"))["state"] == "queued"


@pytest.mark.parametrize("when", ["tomorrow", 5, "2099-01-01T00:00:00Z", "2026-02-30T00:00:00Z"])
def test_a_wrong_start_time_is_named(api, when):
    problem = api.post("/v1/jobs", unique_spec(api, migration={"start_at": when}), expect=422)
    assert problem["errors"][0]["pointer"] == "/migration/start_at"


# ---- clone, batch

def test_a_clone_is_the_same_once_more_with_its_credentials(api):
    job = api.post("/v1/jobs", unique_spec(api, source={"url": "redis://app:word@s.example"}, labels={"a": "b"},
                                           retry={"connection_minutes": 60}, name="one"))
    twin = api.call("POST", path_of(job, "clone"), {})
    assert twin.status_code == 201 and twin.headers["Location"] == "/v1/jobs/" + twin.json()["id"]
    twin = twin.json()
    assert twin["id"] != job["id"] and twin["state"] == "configured" and twin["name"] != "one"
    for member in ("source", "destination", "labels", "retry", "objects", "conflict_mode"):
        assert twin[member] == job[member], member
    sealed = api.sql("SELECT sealed IS NOT NULL FROM job WHERE id = %s", twin["id"])[0][0]
    assert sealed and twin["source"]["auth"]["configured"] is True


def test_a_clone_takes_changes(api):
    job = api.post("/v1/jobs", unique_spec(api))
    twin = api.post(path_of(job, "clone"), {"name": "elsewhere", "destination": {"url": "redis://e.example"}})
    assert twin["name"] == "elsewhere" and twin["destination"]["label"] == "e.example:6379"
    assert twin["source"] == job["source"]
    wrong = api.post(path_of(job, "clone"), {"nonsense": 1}, expect=422)
    assert wrong["errors"][0]["pointer"] == "/nonsense"


def test_a_batch_does_what_it_can_and_says_what_it_could_not(api):
    one, two = ready(api), ready(api)
    draft = api.post("/v1/jobs", {"kind": "migration"})
    ids = [one["id"], draft["id"], two["id"], make_id("job")]
    answer = api.call("POST", "/v1/jobs/batch", {"action": "start", "ids": ids})
    assert answer.status_code == 207
    rows = answer.json()["items"]
    assert [(r["id"], r["status"], r["state"]) for r in rows] == [
        (one["id"], 202, "queued"), (draft["id"], 409, "draft"), (two["id"], 202, "queued"), (ids[3], 404, None)]
    assert rows[1]["code"] == "invalid_state" and rows[1]["detail"]
    api.call("POST", "/v1/jobs/batch", {"action": "pause", "ids": [one["id"], two["id"]]})
    assert {api.get(path_of(j))["state"] for j in (one, two)} == {"paused"}
    api.call("POST", "/v1/jobs/batch", {"action": "resume", "ids": [one["id"]]})
    assert api.get(path_of(one))["state"] == "starting"
    assert api.call("POST", "/v1/jobs/batch", {"action": "start", "ids": ["x"] * 51}).status_code == 422
    assert api.call("POST", "/v1/jobs/batch", {"action": "forget", "ids": ["x"]}).status_code == 422


def test_a_batch_chooses_as_the_action_alone_does_whatever_was_chosen_before(api):
    job = ready(api)
    api.post("/v1/jobs/batch", {"action": "start", "ids": [job["id"]]}, expect=207)
    assert api.get(path_of(job))["instance_class"] == "unlimited"

    def wanted():
        return api.sql("SELECT wanted FROM job WHERE id = %s", job["id"])[0][0]

    api.sql("UPDATE job SET state = 'paused' WHERE id = %s", job["id"])
    api.post(path_of(job, "resume"), {"on_full_resync_needed": "flush_destination"})
    assert wanted()["on_full_resync_needed"] == "flush_destination"
    api.sql("UPDATE job SET state = 'paused' WHERE id = %s", job["id"])
    api.post("/v1/jobs/batch", {"action": "resume", "ids": [job["id"]]}, expect=207)
    assert wanted()["on_full_resync_needed"] == "fail"
    api.sql("UPDATE job SET state = 'running', wanted = wanted || '{\"drain\": false}' WHERE id = %s", job["id"])
    api.post("/v1/jobs/batch", {"action": "stop", "ids": [job["id"]]}, expect=207)
    assert wanted()["drain"] is True


def test_a_batch_touches_nothing_of_another_account(api):
    job = ready(api)
    import requests
    key = api.add_key(api.add_account("stranger"), "admin")
    rows = requests.post(api.url + "/v1/jobs/batch", json={"action": "delete", "ids": [job["id"]]}, timeout=10,
                         headers={"Authorization": "Bearer " + key}).json()["items"]
    assert rows[0]["status"] == 404 and api.get(path_of(job))["state"] == "precheck_passed"


# ---- release, undelete, restart

def test_a_released_job_is_found_by_its_state_and_can_be_taken_back(api):
    job = ready(api, name="kept")
    api.call("DELETE", path_of(job))
    assert job["id"] not in [j["id"] for j in api.get("/v1/jobs?limit=200")["items"]]
    assert job["id"] in [j["id"] for j in api.get("/v1/jobs?limit=200&state=released")["items"]]
    back = api.post(path_of(job, "undelete"))
    assert back["state"] == "configured" and back["name"] == "kept"
    assert api.call("POST", path_of(job, "undelete"), {}).status_code == 409
    draft = api.post("/v1/jobs", {"kind": "migration"})
    api.call("DELETE", path_of(draft))
    assert api.post(path_of(draft, "undelete"))["state"] == "draft"


@pytest.mark.parametrize("was, back", (("stopped", "stopped"), ("completed", "completed"),
                                       ("failed", "failed"), ("blocked", "failed")))
def test_a_started_job_that_is_taken_back_is_where_it_was(api, was, back):
    job = ready(api)
    api.post(path_of(job, "start"))
    set_state(api, job, was)
    api.sql("UPDATE task SET claimed_before = true WHERE job = %s", job["id"])
    api._expect(api.call("DELETE", path_of(job)), 200)
    got = api.post(path_of(job, "undelete"))
    assert got["state"] == back and ("precheck" in got["allowed_actions"]) is False
    refused = api.call("POST", path_of(job, "restart"), {})
    assert refused.status_code == 409 and "forget" in refused.json()["detail"]


def test_a_job_that_was_given_up_comes_back_only_where_nobody_took_its_place(api):
    job = ready(api)
    api.post(path_of(job, "start"))
    set_state(api, job, "failed")
    api._expect(api.call("DELETE", path_of(job)), 200)
    place = {"url": "redis://" + job["destination"]["label"]}
    other = api.post("/v1/jobs", dict(unique_spec(api), destination=place))
    pass_precheck(api, other)
    api.post(path_of(other, "start"))
    assert api.call("POST", path_of(job, "undelete"), {}).json()["code"] == "selection_overlaps"
    assert api.get(path_of(job))["state"] == "released"


def test_r_053_a_job_begins_anew_only_when_nothing_of_it_is_left_behind(api):
    job = ready(api)
    api.post(path_of(job, "start"))
    set_state(api, job, "stopped")
    api.sql("UPDATE task SET claimed_before = true WHERE job = %s", job["id"])
    refused = api.call("POST", path_of(job, "restart"), {})
    assert refused.status_code == 409 and "forget" in refused.json()["detail"]
    assert api.get(path_of(job))["state"] == "stopped", "a refusal changes nothing"
    api.sql("UPDATE job SET event_count = event_count + 1 WHERE id = %s", job["id"])
    api.sql("INSERT INTO job_event (job, number, type, state, sentence) SELECT id, event_count, 'forgotten', state, 'x'"
            " FROM job WHERE id = %s", job["id"])
    again = api.post(path_of(job, "restart"))
    assert again["state"] == "configured" and again["finished_at"] is None
    assert api.sql("SELECT claimed_before FROM task WHERE job = %s", job["id"])[0][0] is False
    assert api.call("POST", path_of(job, "start"), {}).status_code == 409, "it needs a precheck once more"


def test_a_job_that_never_wrote_begins_anew_at_once(api):
    job = ready(api)
    api.post(path_of(job, "start"))
    assert api.post(path_of(job, "stop"))["state"] == "stopped"
    again = api.post(path_of(job, "restart"))
    assert again["state"] == "configured" and again["started_at"] is None
    got = api._expect(api.call("PATCH", path_of(job), {"source": {"url": "redis://another.example"}}), 200)
    assert got["source"]["label"] == "another.example:6379", "before its start everything may change"


# ---- lists

def test_r_165_lists_are_filtered_by_what_was_said_about_jobs(api):
    tag = make_id("x")
    mine = api.post("/v1/jobs", unique_spec(api, environment=tag[:32], worker_pool=tag[:30]))
    other = api.post("/v1/jobs", unique_spec(api, environment="elsewhere"))
    for query in ("environment=" + tag[:32], "worker_pool=" + tag[:30]):
        assert [j["id"] for j in api.get("/v1/jobs?" + query)["items"]] == [mine["id"]]
    api.sql("UPDATE job SET attention = '{\"code\": \"needs_recopy\"}' WHERE id = %s", other["id"])
    waiting = [j["id"] for j in api.get("/v1/jobs?limit=200&attention=true")["items"]]
    api.sql("UPDATE job SET attention = NULL WHERE id = %s", other["id"])
    assert other["id"] in waiting and mine["id"] not in waiting


def test_every_action_is_allowed_or_refused_with_a_reason(api):
    job = ready(api)
    for state in ("draft", "configured", "precheck_passed", "running", "paused", "blocked", "stopped", "released"):
        set_state(api, job, state)
        answer = api.get(path_of(job))
        blocked = {b["action"]: b["reason"] for b in answer["blocked_actions"]}
        assert not set(answer["allowed_actions"]) & set(blocked) and all(blocked.values())
        assert len(answer["allowed_actions"]) + len(blocked) >= 17
        assert answer["dts_status"]


def test_r_009_what_is_supported_can_be_read_and_is_what_is_taken(api):
    can = api.get("/v1/capabilities")
    assert "redis 7.0" in can["source"]["tested"] and "valkey 9.1" in can["destination"]["tested"]
    clusters = {"source": {"url": "redis+cluster://a,b"}, "destination": {"url": "redis+cluster://c"}}
    assert "cluster" in can["source"]["checked_topologies"] and "cluster" not in can["source"]["topologies"]
    warnings = api.post("/v1/jobs/preview", dict(unique_spec(api), **clusters))["warnings"]
    assert "checked_only" in {w["code"] for w in warnings}, warnings
    for mode in can["source"]["read_modes"]:
        api.post("/v1/jobs/preview", unique_spec(api, migration={"read_mode": mode, "incremental": mode != "scan"}))
    for mode in can["conflict_modes"]:
        made = api.call("POST", "/v1/jobs/preview", unique_spec(api, conflict_mode=mode))
        assert made.status_code == 200 or made.json()["errors"][0]["pointer"] == "/confirm_flush", made.text
    assert api.call("POST", "/v1/jobs/preview", unique_spec(api, conflict_mode="merge")).status_code == 422
