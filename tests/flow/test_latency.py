"""How late a job says it is, against somebody else who looks: a client that counts on the source,
and another that watches the destination. Figures are printed (pytest -s)."""

import os
import re
import signal
import statistics
import threading
import time

import psycopg2
import pytest
import requests
from support import processes
from support.exposition import parse
from support.ports import free_port
from support.proxy import Proxy
from support.service import has_faults

BEAT = "DTS_REDIS_TIMESTAMP_HEARTBEAT"


class Observer(threading.Thread):
    """Counts on the source each 50 ms and watches the destination; `seen` is how late each count was."""

    def __init__(self, source, destination, key="observed"):
        super().__init__(daemon=True)
        self.source, self.destination, self.key = source, destination, key
        self.written, self.seen, self.over = [], [], threading.Event()

    def run(self):
        there = self.destination.client()
        threading.Thread(target=self.write, daemon=True).start()
        while not self.over.is_set():
            count, now = int(there.get(self.key) or 0), time.monotonic()
            while len(self.seen) < count:
                self.seen.append((now, now - self.written[len(self.seen)]))
            time.sleep(0.0005 if len(self.seen) < len(self.written) and now - self.written[len(self.seen)] < 0.1 else 0.005)

    def write(self):
        here = self.source.client()
        while not self.over.is_set():
            self.written.append(time.monotonic())
            here.incr(self.key)
            time.sleep(0.05)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join(10)


def readings(job, seconds):
    """What the job says, one for each sample of its worker."""
    found, end = {}, time.monotonic() + seconds
    while time.monotonic() < end or len(found) < 2:
        latency = job.get()["latency"]
        found[latency["sampled_at"]] = latency
        time.sleep(0.1)
    return list(found.values())


def compare_with_observer(job, observer, seconds, method):
    """(what the job said, what was observed) at the median, in ms."""
    began = time.monotonic()
    said = readings(job, seconds)
    assert {r["method"] for r in said} == {method}, said
    # A busy machine may miss a heartbeat; the median knows.
    assert {r["quality"] for r in said} - {"stale"} == {"measured" if method == "heartbeat" else "estimated"}, said
    observed = [late for at, late in list(observer.seen) if at >= began]
    assert len(observed) >= 10
    said_ms, observed_ms = statistics.median(r["ms"] for r in said), 1000 * statistics.median(observed)
    print("%s: the job says %.0f ms, observed %.1f ms" % (method, said_ms, observed_ms))
    return said_ms, observed_ms


def when_it_holds(look, holds):
    """What is looked at until it holds. A busy machine delays the one or the other, but not always."""
    for _ in range(6):
        found = look()
        if holds(found):
            break
    return found


def lag_of(proxy, seconds):
    """The stream comes later and later, and never stands still for long."""
    while proxy.stream_lag < seconds:
        proxy.stream_lag = min(seconds, proxy.stream_lag + (0.5 if seconds > 5 else seconds))
        time.sleep(0.6)
    time.sleep(seconds + 1.5)


@pytest.mark.parametrize("lag", [2, pytest.param(10, marks=pytest.mark.full), pytest.param(60, marks=pytest.mark.full)])
def test_latency_by_heartbeat_is_what_an_outside_observer_sees(service, source, destination, lag):
    with Proxy(source.port) as proxy:
        job = service.job(source.url(port=proxy.port), destination.url()).check_and_start()
        job.wait_caught_up()
        job.wait(lambda j: j["latency"]["quality"] == "measured", "a heartbeat")
        # Nobody writes: what is said stays right.
        in_time = lambda said: all(r["quality"] == "measured" and r["ms"] < 500 for r in said)  # noqa: E731
        idle = when_it_holds(lambda: readings(job, 1.5), in_time)
        assert in_time(idle), idle
        with Observer(source, destination) as observer:
            time.sleep(0.5)
            near = lambda pair: abs(pair[0] - pair[1]) <= max(5, 0.2 * pair[1])  # noqa: E731
            said, observed = when_it_holds(lambda: compare_with_observer(job, observer, 2, "heartbeat"), near)
            assert near((said, observed))
            lag_of(proxy, lag)
            said, observed = when_it_holds(lambda: compare_with_observer(job, observer, 3, "heartbeat"), near)
            assert observed >= 1000 * lag and near((said, observed))
        proxy.stream_lag = 0
        job.stop(timeout=120 + lag)


def account_without_psetex(server):
    server.client().execute_command(
        "ACL", "SETUSER", "plain", "on", ">pw", "~*", "&*", "+@all", "-psetex", "-setex", "-set")
    return "plain:pw"


@pytest.mark.parametrize("kind, lag", [("no right to PSETEX", 0), pytest.param("no right to PSETEX", 10, marks=pytest.mark.full),
                                       pytest.param("read only", 10, marks=pytest.mark.full)])
def test_a_source_that_takes_no_heartbeat_is_estimated(service, redis_server, source, destination, kind, lag):
    primary, user = source, None
    if kind == "read only":
        source = redis_server("--replicaof", "127.0.0.1 %d" % primary.port)
        deadline = time.monotonic() + 30
        while source.client().info("replication").get("master_link_status") != "up":
            assert time.monotonic() < deadline
            time.sleep(0.05)
    else:
        user = account_without_psetex(source)
    with Proxy(source.port) as proxy:
        job = service.job(source.url(port=proxy.port, user=user), destination.url()).check_and_start(ignore_warnings=True)
        job.wait_caught_up()
        job.wait(lambda j: j["latency"]["reason"] == "heartbeat_refused", "the refusal")
        estimated = lambda said: all(  # noqa: E731
            (r["method"], r["quality"], r["ms"]) == ("offset", "estimated", 0) for r in said)
        idle = when_it_holds(lambda: readings(job, 2), estimated)
        assert estimated(idle), idle
        if lag:
            with Observer(primary, destination) as observer:
                lag_of(proxy, lag)
                said, observed = compare_with_observer(job, observer, 4, "offset")
                assert observed >= 1000 * lag and abs(said - observed) <= 0.2 * observed
        assert [k for k in source.client().keys("*") if k.startswith(BEAT.encode())] == []
        proxy.stream_lag = 0
        job.stop(timeout=120)


@pytest.mark.skipif(not has_faults(), reason="a clock that is off needs a build with KF_FAULTS")
@pytest.mark.full
@pytest.mark.parametrize("hours", [1, -1])
def test_clocks_that_are_off_do_not_make_a_job_late(start_service, source, destination, hours):
    """All processes of ours an hour off, the control database not."""
    service = start_service(env={"KEYFERRY_TEST_CLOCK_SKEW_MS": str(hours * 3600 * 1000)})
    job = service.job(source.url(), destination.url()).check_and_start(ignore_warnings=True)
    job.wait_caught_up()
    job.wait(lambda j: j["latency"]["quality"] == "measured", "a heartbeat", timeout=20)
    said = readings(job, 3)
    assert all(r["quality"] == "measured" and r["ms"] < 2000 for r in said), said
    job.stop()


def heartbeat_row(service, job):
    connection = psycopg2.connect(host=str(service.data_dir / "postgres" / "run"), user="keyferry", dbname="keyferry")
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT key, state, kf_ms(written_at), kf_ms(seen_at), latency_us FROM heartbeat WHERE job = %s", (job.id,))
            return cursor.fetchone()
    finally:
        connection.close()


def key_of(job):
    return "%s:%s:0" % (BEAT, job.id)


def test_the_heartbeat_is_in_the_database_and_goes_with_the_job(service, source, destination):
    job = service.job(source.url(), destination.url()).check_and_start()
    job.wait_caught_up()
    job.wait(lambda j: j["latency"]["quality"] == "measured", "a heartbeat")
    key, state, written, seen, latency_us = heartbeat_row(service, job)
    assert key == key_of(job) and state == 1
    assert abs(time.time() * 1000 - written) < 10_000 and written <= seen + 1000 and 0 < latency_us < 5_000_000
    assert 0 < source.client().pttl(key) <= 10_000
    assert float(source.client().get(key)) == pytest.approx(time.time() * 1000, abs=10_000)
    assert destination.client().get(key) is None
    shard = service.request("GET", job.path + "/shards")["items"][0]
    assert shard["heartbeat_written_at"] is not None
    children = job.pids("receive")
    job.stop()
    assert processes.wait_gone(children, 30) == []
    # Taken away, or left to its end by a process that was asked to go: nobody writes it again.
    left = source.client().get(key)
    time.sleep(1.2)
    assert source.client().get(key) in (left, None)
    assert -2 <= source.client().pttl(key) <= 10_000 - 1_000 and source.client().pttl(key) != -1


@pytest.mark.full
def test_the_heartbeat_goes_by_itself_when_everything_is_killed(start_service, source, destination):
    service = start_service()
    job = service.job(source.url(), destination.url()).check_and_start()
    job.wait_caught_up()
    job.wait(lambda j: j["latency"]["quality"] == "measured", "a heartbeat")
    for role in ("up", "worker", "receive", "apply"):
        for pid in service.pids(role):
            processes.send(pid, signal.SIGKILL)
    assert source.client().get(key_of(job)) is not None
    deadline = time.monotonic() + 11
    while source.client().get(key_of(job)) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    service.start()
    job.wait_caught_up()
    job.stop()


@pytest.mark.full
def test_a_moment_of_refusal_does_not_end_the_heartbeat(service, source, destination):
    job = service.job(source.url(), destination.url()).check_and_start()
    job.wait_caught_up()
    job.wait(lambda j: j["latency"]["quality"] == "measured", "a heartbeat")
    source.client().config_set("maxmemory", 1)
    job.wait(lambda j: j["latency"]["method"] == "offset", "the estimate")
    assert heartbeat_row(service, job)[1] == 2 and job.get()["latency"]["reason"] == "heartbeat_refused"
    source.client().config_set("maxmemory", 0)
    job.wait(lambda j: j["latency"]["method"] == "heartbeat" and j["latency"]["quality"] == "measured", "the heartbeat again", timeout=30)
    assert heartbeat_row(service, job)[1] == 1
    job.stop()


@pytest.mark.full
def test_a_destination_that_stands_still_is_late_by_the_clock(service, source, destination):
    """While nothing gets through, the number grows; and it is stale when three heartbeats are missed."""
    job = service.job(source.url(), destination.url(), heartbeat={"interval_ms": 2000}).check_and_start()
    job.wait_caught_up()
    job.wait(lambda j: j["latency"]["quality"] == "measured", "a heartbeat")
    began = time.monotonic()
    destination.client().execute_command("CLIENT", "PAUSE", 14_000, "WRITE")
    seen = []
    while time.monotonic() - began < 13:
        seen.append((time.monotonic() - began, job.get()["latency"]))
        time.sleep(0.2)
    for at, latency in seen:
        assert latency["ms"] <= 1000 * at + 3000
        if at > 7:
            assert latency["ms"] >= 1000 * (at - 6), (at, latency)
    stale = [at for at, latency in seen if latency["quality"] == "stale"]
    assert stale and 6 <= min(stale) <= 12, stale
    job.wait(lambda j: j["latency"]["quality"] == "measured" and j["latency"]["ms"] < 1000, "well again", timeout=30)
    job.stop()


@pytest.mark.full
def test_workers_tell_what_their_tasks_do(start_service, source, destination):
    service = start_service(workers=2, env={"KEYFERRY_WORKER_METRICS_LISTEN": "127.0.0.1:%d" % free_port()})
    for number in range(500):
        source.client().set("before:%d" % number, number)
    job = service.job(source.url(), destination.url()).check_and_start()
    job.wait_caught_up()
    for number in range(300):
        source.client().set("behind:%d" % number, number)

    # Both were given the same address: the second has the next port that was free.
    ports = {int(found) for text in service.logs().values() for found in re.findall(r"event=metrics.ready port=(\d+)", text)}
    assert len(ports) == 2

    def total(name):
        return sum(value for at in ports for _, value in parse(
            requests.get("http://127.0.0.1:%d/metrics" % at, timeout=10).text)[name].samples)

    deadline = time.monotonic() + 30
    while total("keyferry_worker_commands_total") < 300:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert total("keyferry_worker_full_keys_total") == 500 and total("keyferry_worker_tasks_held") == 1
    assert total("keyferry_worker_children") == 2 and total("keyferry_worker_reports_total") > 2
    assert 0 < total("keyferry_worker_report_seconds_total") < 60
    job.stop()
