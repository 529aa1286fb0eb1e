"""What a slow destination, a silent server and a long lag may not do: the source is never read
slowly, nobody waits for ever, no session is lost. Figures are printed (pytest -s, or the logs)."""

import random
import threading
import time

import pytest
from support import processes
from support.chaos import QUICK_RETRY, ActionLog, Divergence, Vacuous, finish, need, verdict
from support.compare import compare
from support.proxy import Proxy
from support.service import wait_marker
from support.workload import Pipe, fill, pack

SLOW = 50_000  # bytes a second
IMPATIENT = ("--client-output-buffer-limit", "replica 8mb 4mb 10", "--repl-backlog-size", "1mb")
SOON = [True, pytest.param(False, marks=pytest.mark.full)]  # a short form, and a long one


class Flood(threading.Thread):
    """Large values at a rate, over and over the same keys."""

    def __init__(self, server, rate):
        super().__init__(daemon=True)
        self.server, self.rate, self.written, self.over = server, rate, 0, threading.Event()
        self.start()

    def run(self):
        rng, pipe, began = random.Random(1), Pipe(self.server.url()), time.monotonic()
        while not self.over.is_set():
            value = b"%x" % rng.getrandbits(4 * 4000)
            pipe.run([pack("SET", "flood:%d" % rng.randrange(300), value) for _ in range(16)])
            self.written += 16 * len(value)
            time.sleep(max(0.0, self.written / self.rate - (time.monotonic() - began)))
        pipe.close()

    def stop(self):
        self.over.set()
        self.join(30)


def peak_rss(job, peaks):
    for role in ("apply", "receive"):
        for pid in job.pids(role):
            size = int(processes.status(pid).get("VmRSS", "0 kB").split()[0])
            peaks[role] = max(peaks.get(role, 0), size)


@pytest.mark.parametrize("short", SOON, ids=["short", "long"])
def test_a_slow_destination_never_makes_us_a_slow_reader_of_the_source(service, redis_server, short):
    """50 KB/s behind a source that writes forty times as much and cuts off a slow replica."""
    least = 12e6 if short else 100e6  # bytes written: more than its limits, many times
    log = ActionLog(1)
    source, destination = redis_server(*IMPATIENT), redis_server()
    fill(source.url(), 3000)
    with Proxy(destination.port) as proxy:
        job = service.job(source.url(), destination.url(port=proxy.port))
        proxy.rate = SLOW
        flood = Flood(source, 2_000_000)
        job.check_and_start(ignore_warnings=True)
        job.wait(lambda j: j["progress"]["full"]["keys_done"] > 0, "the first keys")
        begin, began, peaks, links = source.offset(), time.monotonic(), {}, set()
        while source.offset() - begin < least:
            need(time.monotonic() - began < 180, "the source writes too little", log)
            peak_rss(job, peaks)
            links.add(source.client().info("replication")["connected_slaves"])
            time.sleep(0.2)
        written = source.offset() - begin
        moved, flood_of = proxy.moved, flood.written
        flood.stop()
        stats = source.client().info("stats")
        log("%.0f s: %.1f MB written by the source, %.1f MB moved to the destination; connected "
            "replicas %s, full syncs %d; peak RSS %s KiB", time.monotonic() - began, written / 1e6, moved / 1e6,
            sorted(links), stats["sync_full"], peaks)
        print(log)
        need(moved < written / 5, "the destination was not slow", log)
        assert stats["sync_full"] == 1 and 0 not in links, log
        assert flood_of > least * 0.9 and max(peaks.values()) < 200 * 1024, log
        proxy.rate = 0
        finish(job, source, destination, log, keys=3000)


# ---------------------------------------------------------------- sessions


class Sessions(threading.Thread):
    """Keys that live 70 ms to 60 s and are renewed long before they run out. One that ran out on
    the source, because this machine stood still, is followed by another."""

    def __init__(self, server, count, seed):
        super().__init__(daemon=True)
        self.client, self.over, self.lock = server.client(), threading.Event(), threading.Lock()
        rng = random.Random(seed)
        self.ttl = [70] * 10 + [int(70 * (60_000 / 70) ** rng.random()) for _ in range(count - 10)]
        self.names = ["session:%d:0" % i for i in range(count)]
        self.due = [0.0] * count
        self.renewed = self.ran_out = 0
        pipe = self.client.pipeline(transaction=False)
        for name, ttl in zip(self.names, self.ttl):
            pipe.set(name, "of a user", px=ttl)
        pipe.execute()
        self.start()

    def round(self, ttl=None):
        now = time.monotonic()
        at = [i for i, due in enumerate(self.due) if due <= now or ttl]
        pipe = self.client.pipeline(transaction=False)
        for i in at:
            pipe.pexpire(self.names[i], ttl or self.ttl[i])
            self.due[i] = now + self.ttl[i] / 4000
        lost = [i for i, alive in zip(at, pipe.execute()) if not alive]
        self.renewed += len(at) - len(lost)
        for i in lost:
            self.ran_out += 1
            self.names[i] = "session:%d:%d" % (i, self.ran_out)
            self.client.set(self.names[i], "of a user", px=ttl or self.ttl[i])

    def run(self):
        while not self.over.is_set():
            self.round()
            time.sleep(0.005)

    def stop(self):
        """All of them have time now; their names."""
        self.over.set()
        self.join(30)
        self.round(600_000)
        return list(self.names)


def renewed_during_a_slow_copy(service, source, destination, expiry="held", seed=1):
    log = ActionLog(seed)
    fill(source.url(), 2500, seed=seed)
    sessions = Sessions(source, 300, seed)
    try:
        with Proxy(destination.port, seed) as proxy:
            proxy.rate = 100_000
            job = service.job(source.url(), destination.url(port=proxy.port), expiry=expiry)
            job.check_and_start(ignore_warnings=True)
            began = time.monotonic()
            job.wait(lambda j: j["phase"] == "incremental", "the tail")
            took = time.monotonic() - began
            proxy.rate = 0
            time.sleep(0.5)
            names = sessions.stop()
            log("copied in %.1f s; %d renewals of %d sessions, %d ran out on the source", took,
                sessions.renewed, len(names), sessions.ran_out)
            need(took > 3, "the copy was not slow", log)
            need(sessions.renewed > 1000, "they were hardly renewed", log)
            wait_marker(source, destination, job=job)
            job.stop()
    finally:
        sessions.over.set()
    there = destination.client()
    lost = [name for name in names if not there.exists(name)]
    log("%d of %d sessions lost", len(lost), len(names))
    print(log)
    if lost:
        raise Divergence("lost: %s\n%s" % (lost[:5], log))
    verdict(source, destination, log, keys=1500)


def test_sessions_that_are_renewed_during_a_slow_copy_are_all_kept(service, source, destination):
    renewed_during_a_slow_copy(service, source, destination)


@pytest.mark.control
def test_with_exact_expiries_they_are_lost(service, source, destination):
    with pytest.raises(Divergence) as found:
        renewed_during_a_slow_copy(service, source, destination, expiry="exact")
    print(found.value)
    assert "session:" in str(found.value)


# ---------------------------------------------------------------- settling

FILL = """
local at, from, to = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
for i = from, to do redis.call('SET', 'k:' .. i, i, 'PXAT', at + i % 60000) end"""
SUM = """
local sum, held, there = 0, 0, 0
for i = tonumber(ARGV[1]), tonumber(ARGV[2]) do
    local at = redis.call('PEXPIRETIME', 'k:' .. i)
    if at > 0 then there = there + 1 end
    if at > 4e12 then held = held + 1 end
    sum = (sum * 31 + at % 1000000007) % 1000000007
end
return {sum, there, held}"""
CHUNK = 100_000


def processor_seconds(server):
    used = server.client().info("cpu")
    return used["used_cpu_user"] + used["used_cpu_sys"]


def digest(server, keys):
    client = server.client()
    rows = [client.eval(SUM, 0, i, min(i + CHUNK, keys) - 1) for i in range(0, keys, CHUNK)]
    return [row[0] for row in rows], sum(row[1] for row in rows), sum(row[2] for row in rows)


@pytest.mark.parametrize("keys", [100_000, pytest.param(5_000_000, marks=pytest.mark.full)])
def test_a_stop_settles_the_expiry_of_every_key(service, source, destination, keys):
    """TTL 30 min; settling 5M keys shall go at 300k keys/s or more on two free cores (release)."""
    at = int(time.time() * 1000) + 30 * 60_000
    for i in range(0, keys, CHUNK):
        source.client().eval(FILL, 0, at, i, min(i + CHUNK, keys) - 1)
    job = service.job(source.url(), destination.url()).check_and_start()
    job.wait_caught_up(timeout=300)
    assert digest(destination, keys)[2] == keys, "they are held"
    began, busy = time.monotonic(), processor_seconds(destination)
    job.stop(timeout=300)
    took, busy = time.monotonic() - began, processor_seconds(destination) - busy
    assert digest(destination, keys) == digest(source, keys)
    assert digest(destination, keys)[1:] == (keys, 0)
    print("stop took %.2f s: %d keys/s settled; the destination was busy for %.2f s of it: %d keys/s" % (
        took, keys / took, busy, keys / busy))


# ---------------------------------------------------------------- silence


def test_a_source_that_falls_silent_before_the_login_is_given_up_and_taken_up_again(
        service, source, destination):
    with Proxy(source.port) as proxy:
        job = service.job(source.url(port=proxy.port), destination.url(), retry=QUICK_RETRY)
        job.check_and_start()
        job.wait_caught_up()
        proxy.mute = True
        proxy.cut()
        answer = job.wait(lambda j: j["state"] == "retrying" and j["last_error"] and
                          j["last_error"]["code"] == "timeout", "given up in time", timeout=90)
        assert "did not answer" in answer["last_error"]["detail"], answer["last_error"]
        source.client().set("meanwhile", 1)
        proxy.mute = False
        proxy.cut()
        wait_marker(source, destination, job=job)
        job.stop()
    assert destination.client().get("meanwhile") == b"1"


@pytest.mark.full
def test_links_that_stand_still_are_noticed_and_replaced(service, source, destination):
    """The stream's link after a minute, the destination's after two; connections that come
    afterwards are served."""
    log = ActionLog(1)
    with Proxy(source.port) as ours, Proxy(destination.port) as theirs:
        job = service.job(source.url(port=ours.port), destination.url(port=theirs.port),
                          retry=QUICK_RETRY)
        job.check_and_start()
        for proxy, most in ((ours, 80), (theirs, 150)):
            wait_marker(source, destination, job=job)
            proxy.stall()
            log("stalled %d connections", len(proxy.links()))
            wait_marker(source, destination, timeout=most)
            log("another connection was made")
        job.stop()
    assert compare(source.url(), destination.url()).equal, log
    print(log)
    if "stalled 0" in str(log):
        raise Vacuous("nothing was stalled\n%s" % log)
