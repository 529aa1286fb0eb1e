"""The alerter over jobs whose numbers are written by the tests: each type of rule fires on what is
bad for it and on nothing else, tells each alert once, and several alerters are as one."""

import contextlib
import json
import re
import time

import pytest
import requests
from support.alerter import Alerter
from support.api_server import ApiServer, make_id
from support.postgres import Postgres
from support.webhooks import Receiver

AHEAD = 4102444800000  # a heartbeat of then does not grow old while a test looks
TAIL = {"phase": "incremental", "heartbeat_state": 1, "latency_at_ms": AHEAD, "sampled_at_ms": AHEAD, "latency_us": 2000}


def ago(seconds):
    return int((time.time() - seconds) * 1000)


def cases():
    """type: (state, progress) of a job that is bad, and of one that just is not."""
    return {
        "latency": (("running", dict(TAIL, latency_us=61000000)), ("running", dict(TAIL, latency_us=47000000))),
        "error": (("failed", {}), ("retrying", {})),
        "blocked": (("blocked", {}), ("paused", {})),
        "precheck_failed": (("precheck_failed", {}), ("running", TAIL)),
        "full_timeout": (("running", {"phase": "full"}), ("running", TAIL)),
        "stalled": (("running", {"phase": "full", "moved_at_ms": ago(700)}), ("running", {"phase": "full", "moved_at_ms": ago(10)})),
        "retrying": (("retrying", {}), ("running", TAIL)),
        "heartbeat_stale": (("running", dict(TAIL, heartbeat_interval_ms=2000, latency_at_ms=ago(20))),
                            ("running", dict(TAIL, heartbeat_interval_ms=60000, latency_at_ms=ago(20)))),
        "destination_memory": (("running", dict(TAIL, destination_memory_bytes=90, destination_memory_max_bytes=100)),
                               ("running", dict(TAIL, destination_memory_bytes=60, destination_memory_max_bytes=100))),
        "eviction": (("running", dict(TAIL, destination_evicted_keys=3)), ("running", TAIL)),
        "certificate_expiring": (("running", dict(TAIL, certificate_until_ms=ago(-86400 * 13))),
                                 ("running", dict(TAIL, certificate_until_ms=ago(-86400 * 18)))),
        "role_expiring": (("running", dict(TAIL, role_until_ms=ago(-86400 * 13))), ("running", dict(TAIL, role_until_ms=ago(-86400 * 18)))),
        "safe_for": (("running", dict(TAIL, destination_memory_bytes=1000, destination_memory_max_bytes=2000,
                                      destination_memory_growth=1)),
                     ("running", dict(TAIL, destination_memory_bytes=1000, destination_memory_max_bytes=9000,
                                      destination_memory_growth=1))),
    }


@pytest.fixture(scope="module")
def server(nothing_left_running):
    database = Postgres()
    with ApiServer(database, env={"KEYFERRY_WEBHOOK_HTTP_HOSTS": "127.0.0.1"}) as running:
        yield running
    database.close()


@pytest.fixture
def alerter(server):
    with Alerter(server) as running:
        yield running


@pytest.fixture
def receiver(server):
    with Receiver() as found:
        found.secret = server.post("/v1/webhook-endpoints", {"url": found.url})["secret"]
        yield found
    for kind in ("webhook-endpoints", "alert-rules"):
        for row in server.get("/v1/%s?limit=200" % kind)["items"]:
            assert server.call("DELETE", "/v1/%s/%s" % (kind, row["id"])).status_code == 204


def put(server, job, state, progress, caught_up=True):
    """What a worker and the control plane would have written by now."""
    server.sql("UPDATE job SET state = %s, started_at = now() - interval '30 hours', retry_state = jsonb_build_object("
               "'since', kf_time(now() - interval '20 minutes'), 'deadline_at', kf_time(now() + interval '9 hours'))"
               " WHERE id = %s", state, job)
    server.sql("INSERT INTO task (job, number, progress) VALUES (%s, 0, %s)"
               " ON CONFLICT (job, number) DO UPDATE SET progress = excluded.progress", job, json.dumps(progress))
    if caught_up:
        server.sql("INSERT INTO job_event (job, number, type, state, sentence) VALUES (%s, 1000, 'caught_up', 'running', 'x')"
                   " ON CONFLICT DO NOTHING", job)


def make_job(server, labels, state="running", progress=None, **options):
    server.made = getattr(server, "made", 0) + 1
    job = server.post("/v1/jobs", {"kind": "migration", "labels": labels, "source": {"url": "redis://s.example:6379"},
                                   "destination": {"url": "redis://d%d.example:6379" % server.made}})["id"]
    put(server, job, state, TAIL if progress is None else progress, **options)
    return job


def make_rule(server, **members):
    return server.post("/v1/alert-rules", dict({"for_seconds": 0, "resolve_for_seconds": 0}, **members))


def eventually(condition, timeout=60):
    deadline = time.monotonic() + timeout
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline
        time.sleep(0.05)


def looks(alerter, count=2):
    """Until it has looked so often since now."""
    seen = alerter.value("keyferry_alerter_evaluations_total")
    eventually(lambda: alerter.value("keyferry_alerter_evaluations_total") >= seen + count)


@contextlib.contextmanager
def alerter_ended(alerter):
    try:
        yield
    finally:
        alerter.stop()


def told(receiver, kind, **members):
    return [n for n in receiver.of(kind) if all(n["body"]["data"][k] == v for k, v in members.items())]


def test_each_type_of_rule_fires_on_what_is_bad_for_it_and_on_nothing_else(server, alerter, receiver):
    jobs = {}
    for kind, (bad, well) in cases().items():
        make_rule(server, type=kind, labels={"case": kind})
        jobs[kind] = make_job(server, {"case": kind}, *bad), make_job(server, {"case": kind}, *well)
    assert set(jobs) == {t["type"] for t in server.get("/v1/alert-rules/types")["items"]}
    for kind, (bad, _) in jobs.items():
        receiver.wait(lambda n, bad=bad: n.get("type") == "alert.firing" and n["body"]["data"]["job_id"] == bad)
    looks(alerter)
    assert sorted((n["body"]["data"]["type"], n["body"]["data"]["job_id"]) for n in receiver.of("alert.firing")) == \
        sorted((kind, bad) for kind, (bad, _) in jobs.items())
    for kind, (bad, _) in jobs.items():
        put(server, bad, *cases()[kind][1])
    for kind, (bad, _) in jobs.items():
        receiver.wait(lambda n, bad=bad: n.get("type") == "alert.resolved" and n["body"]["data"]["job_id"] == bad)
    looks(alerter)
    assert len(receiver.of("alert.firing")) == len(receiver.of("alert.resolved")) == len(jobs)
    assert receiver.refused == [] and server.get("/v1/alerts?state=firing")["items"] == []


def test_who_is_woken_is_told_what_the_job_stands_for(server, alerter, receiver):
    blocked = make_job(server, {"why": "asked"}, "paused", {})
    failed = make_job(server, {"why": "asked"}, "paused", {})
    make_rule(server, type="error", labels={"why": "asked"})
    server.sql("UPDATE job SET state = 'blocked', attention = '{\"code\": \"role_revoked\"}' WHERE id = %s", blocked)
    server.sql("UPDATE job SET state = 'failed', last_error = '{\"code\": \"source_unreachable\"}' WHERE id = %s", failed)
    for job, code in ((blocked, "role_revoked"), (failed, "source_unreachable")):
        receiver.wait(lambda n, job=job: n.get("type") == "alert.firing" and n["body"]["data"]["job_id"] == job)
        assert told(receiver, "alert.firing", job_id=job)[0]["body"]["data"]["detail"].endswith(", " + code)
        alert, = server.get("/v1/alerts?state=firing&job_id=" + job)["items"]
        assert alert["unit"] is None and alert["detail"].endswith(", " + code), alert


def test_a_rule_looks_at_its_labels_its_job_and_its_account(server, alerter, receiver):
    tenant = server.post("/v1/accounts", {"name": "another"})["id"]
    theirs = {"headers": {"Authorization": "Bearer " + server.add_key(tenant, "admin")}}
    blocked = [make_job(server, {"team": "red"}, "blocked", {}), make_job(server, {"team": "blue"}, "blocked", {}),
               make_job(server, {"team": "red", "tier": "gold"}, "blocked", {})]
    by_label = make_rule(server, type="blocked", labels={"team": "red", "tier": "gold"})
    by_job = make_rule(server, type="blocked", job_id=blocked[1])
    of_account = make_rule(server, type="error", labels={})
    other = server.post("/v1/alert-rules", {"type": "blocked", "for_seconds": 0}, **theirs)
    for rule, jobs in ((by_label, [blocked[2]]), (by_job, [blocked[1]]), (of_account, blocked)):
        for job in jobs:
            receiver.wait(lambda n, job=job, rule=rule: n.get("type") == "alert.firing" and
                          (n["body"]["data"]["rule_id"], n["body"]["data"]["job_id"]) == (rule["id"], job))
    looks(alerter)
    ours = [n for n in receiver.of("alert.firing") if n["body"]["data"]["job_id"] in blocked]
    assert len(ours) == 5 and not [n for n in ours if n["body"]["data"]["rule_id"] == other["id"]]
    assert server.get("/v1/alerts", **theirs)["items"] == []
    assert server.call("DELETE", "/v1/alert-rules/" + other["id"], **theirs).status_code == 204
    for job in blocked:
        put(server, job, "stopped", {})


def test_before_the_first_catch_up_lateness_is_no_alert(server, alerter, receiver):
    late = dict(TAIL, latency_us=90000000)
    job = make_job(server, {"case": "late"}, "running", late, caught_up=False)
    patient = make_rule(server, type="latency", job_id=job)
    eager = make_rule(server, type="latency", job_id=job, suppress_until_caught_up=False)
    receiver.wait(lambda n: n.get("type") == "alert.firing" and n["body"]["data"]["rule_id"] == eager["id"])
    looks(alerter)
    assert told(receiver, "alert.firing", rule_id=patient["id"]) == []
    put(server, job, "running", late)
    receiver.wait(lambda n: n.get("type") == "alert.firing" and n["body"]["data"]["rule_id"] == patient["id"])


@pytest.mark.full
def test_an_alert_is_repeated_as_set_until_somebody_takes_care(server, alerter, receiver):
    job = make_job(server, {"case": "repeat"}, "blocked", {})
    rule = make_rule(server, type="blocked", job_id=job, repeat_interval_seconds=300)
    first = receiver.wait(lambda n: n.get("type") == "alert.firing" and n["body"]["data"]["rule_id"] == rule["id"])
    alert = first["body"]["data"]["alert_id"]

    def let_pass(seconds):
        server.sql("UPDATE alert SET notified_at = notified_at - make_interval(secs => %s) WHERE id = %s", seconds, alert)
        looks(alerter)
        return len(told(receiver, "alert.firing", alert_id=alert))

    looks(alerter)
    assert let_pass(280) == 1
    assert let_pass(30) == 2 and let_pass(10) == 2
    until = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + 3600))
    server.post("/v1/alerts/%s/silence" % alert, {"until": until})
    assert let_pass(400) == 2
    server.post("/v1/alerts/%s/silence" % alert, {"until": None})
    eventually(lambda: len(told(receiver, "alert.firing", alert_id=alert)) == 3)
    server.post("/v1/alerts/%s/acknowledge" % alert, {})
    assert let_pass(4000) == 3
    assert len({n["id"] for n in receiver.of("alert.firing")}) == len(receiver.of("alert.firing"))
    put(server, job, "running", TAIL)
    receiver.wait(lambda n: n.get("type") == "alert.resolved" and n["body"]["data"]["alert_id"] == alert)


def test_of_several_alerters_one_acts_and_another_takes_over_when_it_is_killed(server, receiver):
    with Alerter(server) as first:
        first.wait_acting()
        with Alerter(server) as second:
            looks(first)
            assert second.value("keyferry_alerter_is_acting") == 0 == second.value("keyferry_alerter_evaluations_total")
            job = make_job(server, {"case": "takeover"}, "blocked", {})
            rule = make_rule(server, type="blocked", job_id=job)
            receiver.wait(lambda n: n.get("type") == "alert.firing" and n["body"]["data"]["rule_id"] == rule["id"])
            first.kill()
            second.wait_acting()
            looks(second)
            assert len(told(receiver, "alert.firing", rule_id=rule["id"])) == 1
            put(server, job, "running", TAIL)
            receiver.wait(lambda n: n.get("type") == "alert.resolved" and n["body"]["data"]["rule_id"] == rule["id"])
            # One that is asked to end gives the turn away at once.
            with Alerter(server) as third:
                second.stop()
                began = time.monotonic()
                third.wait_acting()
                assert time.monotonic() - began < 20
    assert receiver.refused == []


@pytest.mark.full
def test_a_receiver_that_is_down_for_a_minute_and_alerters_that_are_killed_lose_and_double_nothing(server, receiver):
    receiver.stop()
    alerter = Alerter(server, retries="1 2 4 8 16 32 64").start()
    make_rule(server, type="blocked", labels={"case": "minute"})
    began, jobs = time.monotonic(), []
    while time.monotonic() - began < 60:
        jobs += [make_job(server, {"case": "minute"}, "blocked", {}) for _ in range(2)]
        time.sleep(2.5)
        alerter.kill()
        alerter.start()
        time.sleep(2.5)
    receiver.start()
    with alerter_ended(alerter):
        for job in jobs:
            receiver.wait(lambda n, job=job: n.get("type") == "alert.firing" and n["body"]["data"]["job_id"] == job, timeout=120)
        for job in jobs:
            put(server, job, "running", TAIL)
        for job in jobs:
            receiver.wait(lambda n, job=job: n.get("type") == "alert.resolved" and n["body"]["data"]["job_id"] == job, timeout=120)
        looks(alerter)
    assert receiver.refused == []
    print("%d alerts, %d requests" % (len(jobs), receiver.requests))
    for kind in ("alert.firing", "alert.resolved"):
        notices = receiver.of(kind)
        # One id each, and each id for one job: what came twice came under its id.
        assert len({n["id"] for n in notices}) == len(jobs) == len({n["body"]["data"]["job_id"] for n in notices})


def test_metrics_of_the_alerter_count_what_it_does(server, alerter, receiver):
    job = make_job(server, {"case": "counted"}, "blocked", {})
    make_rule(server, type="blocked", job_id=job)
    make_rule(server, type="error", job_id=job)
    eventually(lambda: len(told(receiver, "alert.firing", job_id=job)) == 2)
    looks(alerter)
    found = alerter.metrics()
    assert alerter.value("keyferry_alerter_deliveries_total", outcome="delivered") >= 2
    assert alerter.value("keyferry_alerter_rules") == 2 and alerter.value("keyferry_alerter_alerts_firing") == 2
    assert alerter.value("keyferry_alerter_rule_evaluations_total") >= 4
    assert 0 < alerter.value("keyferry_alerter_last_evaluation_seconds") < 60
    assert alerter.value("keyferry_alerter_evaluation_seconds_total") > 0
    assert alerter.value("keyferry_alerter_evaluation_failures_total") == 0
    assert not [name for name in found if name.startswith(("keyferry_http", "keyferry_worker"))]
    for name, family in found.items():
        assert family.help and (family.kind != "counter" or name.endswith("_total")), name
        assert all(set(labels) <= {"outcome"} for labels, _ in family.samples), name
    base = "http://127.0.0.1:%d" % alerter.port
    assert requests.get(base + "/healthz", timeout=10).status_code == 404
    assert requests.post(base + "/metrics", data="x", timeout=10).status_code == 405
    assert requests.head(base + "/metrics", timeout=10).status_code == 200
    assert make_id("job") not in json.dumps(list(found))


def test_a_second_one_at_the_same_address_takes_the_next_port(server, alerter):
    with Alerter(server, port=alerter.port) as second:
        port = int(re.search(r"event=metrics.ready port=(\d+)", second.output.read_text())[1])
        assert alerter.port < port < alerter.port + 64
        second.port = port
        assert second.value("keyferry_store_up") in (0, 1)
