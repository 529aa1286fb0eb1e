"""What a job is to do when it fails, whose retry times it has, and what a person must have seen before a start."""

import time

import pytest

from conftest import pass_precheck, unique_spec
from support.api_server import ApiServer
from support.contract import Contract
from support.postgres import Postgres


def path_of(job, action=""):
    return "/v1/jobs/%s%s" % (job["id"], action and "/" + action)


def until(api, job, condition, what, timeout=60):
    deadline = time.monotonic() + timeout
    while True:
        now = api.get(path_of(job))
        if condition(now):
            return now
        assert time.monotonic() < deadline, "not within %d s: %s; %s" % (timeout, what, now["retry_state"])
        time.sleep(0.2)


def history(api, job):
    page = api.call("GET", path_of(job, "events") + "?limit=200", headers={"Accept": "application/json"}).json()
    return page["items"]


# ---- auto_recovery

def happen(api, job, kind, state, hours_ago=0.0, actor=None):
    """What a worker would write, at a time that is over."""
    api.sql("UPDATE job SET state = %s, event_count = event_count + 1, version = version + 1,"
            " last_error = '{\"code\": \"source_connection_lost\", \"detail\": \"gone\"}' WHERE id = %s", state, job["id"])
    api.sql("INSERT INTO job_event (job, number, type, state, sentence, actor, at)"
            " SELECT id, event_count, %s, %s, 'said by the test', %s, now() - make_interval(secs => %s)"
            " FROM job WHERE id = %s", kind, state, actor, hours_ago * 3600, job["id"])


def failing(api, *hours_ago, **recovery):
    """A job that was started and then failed at these times."""
    job = api.post("/v1/jobs", unique_spec(api, auto_recovery=dict({"enabled": True}, **recovery)))
    happen(api, job, "start.requested", "queued", hours_ago[0] + 1, "key:x")
    for at in hours_ago:
        happen(api, job, "failed", "failed", at)
    return job


@pytest.fixture(scope="module")
def story(api):
    """Jobs that failed in all ways there are, looked at by the service until it has made up its mind."""
    jobs = {
        # The pause between a failure and the next attempt is five minutes: this one is past it.
        "due": failing(api, 5, 1),
        "too late": failing(api, 170, 1),
        "to come": failing(api, 3, 0.01, window_hours=10),
        "well in between": failing(api, 400),
        "not wanted": api.post("/v1/jobs", unique_spec(api)),
    }
    happen(api, jobs["well in between"], "caught_up", "running", 100)
    happen(api, jobs["well in between"], "failed", "failed", 1)
    happen(api, jobs["not wanted"], "start.requested", "queued", 2, "key:x")
    happen(api, jobs["not wanted"], "failed", "failed", 1)
    for wanted in ("stop.requested", "pause.requested", "cutover.started"):
        jobs[wanted] = failing(api, 3, 2)  # the attempt that came between was taken back
        happen(api, jobs[wanted], wanted, "stopping", 1.5, "key:x")
        happen(api, jobs[wanted], "failed", "failed", 1)
    last = failing(api, 3, 1)  # it was there when the others were looked at
    until(api, last, lambda job: job["state"] == "starting", "the last one is resumed")
    return jobs


def test_r_049_a_failed_job_is_tried_again_until_its_window_is_over(api, story):
    resumed = api.get(path_of(story["due"]))
    assert resumed["state"] == "starting" and resumed["retry_state"] is None, resumed
    told = [e for e in history(api, story["due"]) if e["type"] == "resumed"]
    assert len(told) == 1 and "auto_recovery" in told[0]["detail"], told
    # Its first failure lies further back than the window.
    over = api.get(path_of(story["too late"]))
    assert over["state"] == "failed" and over["retry_state"]["kind"] == "recovery", over
    assert over["retry_state"]["next_attempt_at"] is None and over["retry_state"]["attempt"] == 2


def test_a_recovery_says_when_it_is_tried_next_and_when_last(api, story):
    job = story["to come"]
    plan = api.get(path_of(job))["retry_state"]
    assert plan["kind"] == "recovery" and plan["error"]["code"] == "source_connection_lost", plan
    first, last = (api.sql("SELECT kf_time(min(at) + interval '10 hours'), kf_time(max(at) + interval '300 seconds')"
                           " FROM job_event WHERE job = %s AND type = 'failed'", job["id"])[0])
    assert (plan["deadline_at"], plan["next_attempt_at"]) == (first, last)
    # Who takes the wish back is obeyed.
    api.call("PATCH", path_of(job), {"auto_recovery": {"enabled": False}})
    until(api, job, lambda job: job["retry_state"] is None, "the plan is taken back")


def test_what_was_well_in_between_begins_a_new_window(api, story):
    assert api.get(path_of(story["well in between"]))["state"] == "starting"


def test_what_failed_on_its_way_out_stays_failed(api, story):
    for wanted in ("stop.requested", "pause.requested", "cutover.started"):
        assert api.get(path_of(story[wanted]))["state"] == "failed", wanted


def test_by_default_a_failed_job_stays_failed(api, story):
    got = api.get(path_of(story["not wanted"]))
    assert got["state"] == "failed" and got["retry_state"] is None


# ---- retry.scope

def sharing(api, source, **retry):
    return api.post("/v1/jobs", unique_spec(api, source={"url": source}, retry=dict({"scope": "shared"}, **retry)))


def minutes(api, job):
    retry = api.get(path_of(job))["retry"]
    return retry["connection_minutes"], retry["other_minutes"]


def test_r_147_jobs_that_share_an_end_share_the_newest_retry_times(api):
    first = sharing(api, "redis://shared.example:6379", connection_minutes=100, other_minutes=20)
    alone = api.post("/v1/jobs", unique_spec(api, source={"url": "redis://shared.example:6379"},
                                             retry={"connection_minutes": 200}))
    elsewhere = sharing(api, "redis://other.example:6379", connection_minutes=300)
    before = api.get(path_of(first))["etag"]
    second = sharing(api, "redis://shared.example:6379", connection_minutes=60, other_minutes=30)
    assert minutes(api, first) == minutes(api, second) == (60, 30)
    assert minutes(api, alone) == (200, 10) and minutes(api, elsewhere) == (300, 10)
    (told,) = [e for e in history(api, first) if e["type"] == "retry_policy.changed"]
    assert second["id"] in told["detail"] and "60" in told["detail"], told
    assert api.get(path_of(first))["etag"] != before
    # A change later on, too; and another value of the same is nobody's news.
    api.call("PATCH", path_of(first), {"retry": {"other_minutes": 5}})
    assert minutes(api, first) == minutes(api, second) == (60, 5)
    api.call("PATCH", path_of(first), {"retry": {"other_minutes": 5}})
    assert len([e for e in history(api, second) if e["type"] == "retry_policy.changed"]) == 1


def test_whoever_leaves_the_sharing_keeps_its_own(api):
    first, second = (sharing(api, "redis://leaving.example:6379", connection_minutes=90) for _ in range(2))
    api.call("PATCH", path_of(first), {"retry": {"scope": "job"}})
    api.call("PATCH", path_of(second), {"retry": {"connection_minutes": 80}})
    assert minutes(api, first) == (90, 10) and minutes(api, second) == (80, 10)


# ---- acknowledge_limits

def ready(api):
    job = api.post("/v1/jobs", unique_spec(api))
    pass_precheck(api, job)
    return job


def test_r_094_the_limits_are_told_before_a_start_and_that_they_were_seen_is_kept(api):
    notices = api.get("/v1/capabilities")["notices"]
    assert len(notices) > 3 and all(notices)
    job = ready(api)
    refused = api.call("POST", path_of(job, "start"), {"acknowledge_limits": False})
    assert refused.status_code == 422 and refused.json()["errors"][0]["pointer"] == "/acknowledge_limits"
    assert api.call("POST", path_of(job, "start"), {"acknowledge_limits": True}).status_code == 202
    (start,) = [e for e in history(api, job) if e["type"] == "start.requested"]
    assert start["detail"] == "the limits were acknowledged" and start["actor"].startswith("key:")
    other = ready(api)  # a service that does not insist
    assert api.call("POST", path_of(other, "start")).status_code == 202


@pytest.fixture(scope="module")
def strict():
    database = Postgres()
    with ApiServer(database, env={"KEYFERRY_ACKNOWLEDGE_LIMITS": "required"}) as server:
        server.contract = Contract(server.get("/openapi.json"))
        yield server
    database.close()


@pytest.mark.parametrize("action, body", [("start", {}), ("purchase", {"instance_class": "small", "auto_start": True})])
def test_r_095_a_service_that_insists_takes_no_start_without_it(strict, action, body):
    job = ready(strict)
    refused = strict.call("POST", path_of(job, action), body)
    assert refused.status_code == 422, refused.text
    assert [(e["pointer"], e["code"]) for e in refused.json()["errors"]] == [("/acknowledge_limits", "required")]
    assert strict.get(path_of(job))["state"] == "precheck_passed"
    done = strict.call("POST", path_of(job, action), dict(body, acknowledge_limits=True))
    assert done.status_code == 202 and done.json()["state"] == "queued", done.text


def test_r_181_many_starts_need_it_as_one_does(strict):
    job = ready(strict)
    body = {"action": "start", "ids": [job["id"]]}
    assert strict.call("POST", "/v1/jobs/batch", body).status_code == 422
    done = strict.call("POST", "/v1/jobs/batch", dict(body, acknowledge_limits=True)).json()
    assert done["items"][0]["state"] == "queued", done


# ---- limits of what is not done

def test_r_157_limits_of_the_copy_need_a_copy(api):
    answer = api.call("POST", "/v1/jobs/preview", unique_spec(
        api, migration={"full": False}, throttle={"full": {"enabled": True, "rps": 10}}))
    assert answer.status_code == 422
    codes = {e["pointer"]: e["code"] for e in answer.json()["errors"]}
    assert codes["/throttle/full/enabled"] == "invalid" and "/migration/full" in codes, codes
    kept = api.call("POST", "/v1/jobs/preview", unique_spec(api, throttle={"full": {"enabled": True, "rps": 10}}))
    assert kept.status_code == 200
