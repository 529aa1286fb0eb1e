"""What an operator is told of a running job: rules that fire, notices that arrive, at least once
and under one id, whoever was down meanwhile."""

import os
import signal
import threading
import time

import pytest
from support.service import Service
from support.webhooks import Receiver

NOBODYS = ("169.254.169.254", "0.0.0.0", "[::ffff:169.254.169.254]")


@pytest.fixture(scope="module")
def alerting(nothing_left_running):
    # The standard's waits are hours; what matters is that it comes back.
    running = Service(env={"KEYFERRY_WEBHOOK_RETRIES": "1 1 1 1 2 2 2 2 5 5 5 5 5 5 5",
                           "KEYFERRY_WEBHOOK_HTTP_HOSTS": "127.0.0.1 [::ffff:a9fe:a9fe] " + " ".join(NOBODYS)})
    yield running.share()
    running.close()


@pytest.fixture
def service(alerting):
    yield alerting
    for kind in ("alert-rules", "webhook-endpoints"):
        for row in alerting.request("GET", "/v1/%s?limit=200" % kind)["items"]:
            alerting.request("DELETE", "/v1/%s/%s" % (kind, row["id"]))


@pytest.fixture
def receiver():
    with Receiver() as found:
        yield found


def subscribe(service, receiver, **members):
    made = service.request("POST", "/v1/webhook-endpoints", dict({"url": receiver.url}, **members))
    receiver.secret = made["secret"]
    return made


def fires_once_and_ends_once(service, source, destination, receiver, threshold, for_seconds):
    """A job that has caught up falls behind: it may apply one command a second."""
    subscribe(service, receiver)
    job = service.job(source.url(), destination.url())
    rule = service.request("POST", "/v1/alert-rules", {
        "type": "latency", "threshold": threshold, "for_seconds": for_seconds, "resolve_for_seconds": 2,
        "job_id": job.id, "repeat_interval_seconds": 300})
    job.check_and_start()
    job.wait_caught_up()
    job.hold_back(source, rps=1)
    pipe = source.client().pipeline(transaction=False)
    for i in range(5000):
        pipe.incr("counter")
    pipe.execute()
    fired = receiver.wait(lambda n: n["type"] == "alert.firing", timeout=60 + for_seconds)
    data = fired["body"]["data"]
    assert data["job_id"] == job.id and data["rule_id"] == rule["id"] and data["value"] > threshold
    alerts = service.request("GET", "/v1/alerts?state=firing&job_id=" + job.id)["items"]
    assert [a["id"] for a in alerts] == [data["alert_id"]] and alerts[0]["notices"] == 1
    service.request("PUT", job.path + "/throttle", {})
    receiver.wait(lambda n: n["type"] == "alert.resolved", timeout=60)
    time.sleep(3)
    assert len(receiver.of("alert.firing")) == 1 and len(receiver.of("alert.resolved")) == 1
    assert receiver.refused == []
    assert service.request("GET", "/v1/alerts?state=firing&job_id=" + job.id)["items"] == []


def test_a_latency_rule_fires_once_and_ends_once(service, source, destination, receiver):
    fires_once_and_ends_once(service, source, destination, receiver, threshold=2, for_seconds=2)


@pytest.mark.full
def test_a_latency_of_five_seconds_sustained_for_ten(service, source, destination, receiver):
    fires_once_and_ends_once(service, source, destination, receiver, threshold=5, for_seconds=10)


def test_a_notice_outlives_a_receiver_and_an_alerter_that_are_down(service, source, destination, receiver):
    endpoint = subscribe(service, receiver)
    receiver.stop()
    service.request("POST", "/v1/alert-rules", {"type": "error"})
    # A destination that is not there: the job fails its precheck, which is no error; a job that is
    # blocked is one. Another writer's position is the shortest way there.
    job = service.job(source.url(), destination.url())
    job.check_and_start()
    job.wait_caught_up()
    destination.client().delete("{kf}:%s:0" % job.id)
    source.client().set("a", 1)
    job.wait_state("blocked")
    deadline = time.monotonic() + 60
    path = "/v1/webhook-endpoints/%s/deliveries" % endpoint["id"]
    while True:
        deliveries = service.request("GET", path)["items"]
        if deliveries and deliveries[0]["attempts"] >= 2:
            break
        assert time.monotonic() < deadline, deliveries
        time.sleep(0.1)
    assert deliveries[0]["state"] == "pending" and deliveries[0]["attempt_list"][0]["error"]
    for pid in service.pids("alerter"):
        os.kill(pid, signal.SIGKILL)
    receiver.start()
    notice = receiver.wait(lambda n: n["type"] == "alert.firing", timeout=60)
    deadline = time.monotonic() + 60
    while service.request("GET", path)["items"][0]["state"] != "delivered":
        assert time.monotonic() < deadline, service.request("GET", path)
        time.sleep(0.1)
    time.sleep(2)
    assert {n["id"] for n in receiver.notices} == {notice["id"]} == {deliveries[0]["id"]}


def test_a_hanging_receiver_keeps_nobody_waiting(service, receiver):
    free = threading.Event()
    with Receiver(answer=lambda *_: free.wait(100) and 200) as slow:
        stuck = service.request("POST", "/v1/webhook-endpoints", {"url": slow.url, "timeout_ms": 30000})
        quick = subscribe(service, receiver)
        for _ in range(20):
            service.request("POST", "/v1/webhook-endpoints/%s/test" % stuck["id"])
        deadline = time.monotonic() + 60
        while slow.requests == 0:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        service.request("POST", "/v1/webhook-endpoints/%s/test" % quick["id"])
        receiver.wait(lambda n: n["type"] == "webhook.test", timeout=25)  # before the slow one is given up
        assert slow.of("webhook.test") == []
        free.set()


def test_an_answer_of_gone_switches_a_receiver_off_and_a_redirect_is_not_followed(service, receiver):
    endpoint = subscribe(service, receiver)
    path = "/v1/webhook-endpoints/" + endpoint["id"]
    receiver.answer = (302, {"Location": receiver.url + "/elsewhere"})
    sent = service.request("POST", path + "/test")

    def ended(delivery):
        deadline = time.monotonic() + 60
        while True:
            found = [d for d in service.request("GET", path + "/deliveries")["items"] if d["id"] == delivery["id"]][0]
            if found["state"] != "pending":
                return found
            assert time.monotonic() < deadline, found
            time.sleep(0.05)

    failed = ended(sent)
    assert failed["state"] == "failed" and failed["attempt_list"][0]["status"] == 302
    assert receiver.requests == 1
    receiver.answer = 200
    service.request("POST", path + "/redeliver", {"delivery_id": sent["id"]})
    assert ended(sent)["state"] == "delivered"
    assert [n["id"] for n in receiver.notices] == [sent["id"]] * 2
    receiver.answer = 410
    ended(service.request("POST", path + "/test"))
    off = service.request("GET", path)
    assert off["enabled"] is False and "410" in off["disabled_reason"]
    service.request("POST", path + "/test", expect=(409,))


def test_addresses_that_are_nobodys_receivers_are_not_dialled(service):
    paths = []
    for host in NOBODYS:
        made = service.request("POST", "/v1/webhook-endpoints", {"url": "http://%s/x" % host, "timeout_ms": 2000})
        paths.append("/v1/webhook-endpoints/" + made["id"])
        service.request("POST", paths[-1] + "/test")
    deadline = time.monotonic() + 60
    for path in paths:
        while True:
            found = service.request("GET", path + "/deliveries")["items"][0]
            if found["state"] == "failed":
                break
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
        assert found["attempt_list"][0]["error"] == "the address may not be dialled"


def test_events_of_jobs_are_sent_to_those_who_asked(service, source, destination, receiver):
    subscribe(service, receiver, event_types=["job.*"])
    with Receiver() as other:
        subscribe(service, other, event_types=["job.blocked", "alert.*"])
        job = service.job(source.url(), destination.url())
        job.check_and_start()
        job.wait_caught_up()
        job.stop()
        kinds = ("job.precheck.passed", "job.started", "job.copied", "job.caught_up", "job.stopped")
        for kind in kinds:  # they come in any order
            receiver.wait(lambda n, kind=kind: n["type"] == kind and n["body"]["data"]["job_id"] == job.id)
        ours = [n for n in receiver.notices if n["body"]["data"]["job_id"] == job.id]
        assert len(set(n["id"] for n in ours)) == len(ours)
        for kind in kinds:
            assert [n["type"] for n in ours].count(kind) == 1, ours
        assert [n for n in other.notices if n["body"]["data"]["job_id"] == job.id] == []


def test_an_alertmanager_is_told_what_fires(service, source, destination, receiver):
    pushes = []
    receiver.answer = lambda headers, body: pushes.append(body) or 200
    made = service.request("POST", "/v1/webhook-endpoints", {"url": receiver.url, "kind": "alertmanager",
                                                             "headers": {"Authorization": "Bearer alertmanager-pass"}})
    service.request("POST", "/v1/alert-rules", {"type": "precheck_failed", "severity": "info"})
    job = service.job(source.url(), "redis://127.0.0.1:1")
    job.precheck()
    # What ended within five minutes is told, too.
    def of_ours(notice):
        return [a for a in notice["body"] if a["labels"]["job_id"] == job.id]

    pushed = receiver.wait(lambda n: isinstance(n["body"], list) and of_ours(n))
    alert = of_ours(pushed)[0]
    assert alert["labels"]["severity"] == "info"
    assert alert["startsAt"].endswith("Z") and alert["endsAt"] > alert["startsAt"]
    assert pushed["headers"]["Authorization"] == "Bearer alertmanager-pass"
    assert all("alertmanager-pass" not in text for text in service.logs().values())
    assert made["kind"] == "alertmanager"


def test_a_full_destination_is_seen_before_it_refuses(service, source, redis_server, receiver):
    destination = redis_server("--maxmemory", "20mb", "--maxmemory-policy", "allkeys-lru")
    subscribe(service, receiver)
    job = service.job(source.url(), destination.url())
    for rule in ({"type": "destination_memory", "threshold": 50}, {"type": "eviction"}):
        service.request("POST", "/v1/alert-rules", dict(rule, job_id=job.id, for_seconds=0))
    job.check_and_start(ignore_warnings=True)
    job.wait_caught_up()
    memory = job.wait(lambda j: j["destination_memory"]["used_bytes"], "the memory in use")
    assert memory["destination_memory"]["max_bytes"] == 20 << 20
    # A job that has seen an eviction stands still and measures no more: first it fills up, then it overflows.
    for kind, severity, numbers in (("destination_memory", "warning", range(14)), ("eviction", "critical", range(14, 40))):
        for number in numbers:
            source.client().set("large:%d" % number, os.urandom(1 << 20))
        fired = receiver.wait(lambda n, kind=kind: n["type"] == "alert.firing" and n["body"]["data"]["type"] == kind,
                              timeout=60)
        assert fired["body"]["data"]["severity"] == severity


@pytest.mark.full
def test_memory_that_fills_up_is_told_before_it_is_full(service, source, redis_server, receiver):
    """safe_for by the measured growth: five megabytes a second into two hundred."""
    destination = redis_server("--maxmemory", "200mb", "--maxmemory-policy", "noeviction")
    subscribe(service, receiver)
    job = service.job(source.url(), destination.url())
    service.request("POST", "/v1/alert-rules", {"type": "safe_for", "threshold": 600, "for_seconds": 0, "job_id": job.id})
    job.check_and_start(ignore_warnings=True)
    job.wait_caught_up()
    began, written = time.monotonic(), 0
    while time.monotonic() - began < 20:
        source.client().set("large:%d" % written, os.urandom(500_000))
        written += 1
        time.sleep(max(0, written * 0.1 - (time.monotonic() - began)))
    # All that goes before it, the spool's ten gigabytes, lasts for half an hour.
    found = job.get()
    rate = written * 500_000 / (time.monotonic() - began)
    left = (found["destination_memory"]["max_bytes"] - found["destination_memory"]["used_bytes"]) / rate
    assert found["safe_for"]["limited_by"] == "memory"
    assert 0.6 * left < found["safe_for"]["seconds"] < 2.5 * left, (found["safe_for"], left)
    fired = receiver.wait(lambda n: n["type"] == "alert.firing" and n["body"]["data"]["type"] == "safe_for")
    assert fired["body"]["data"]["value"] < 600
    job.stop()
