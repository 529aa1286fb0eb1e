"""Sources from before PSYNC, from before absolute expiries, and sources that are replicas. A server
without PSYNC is a front of ours (support/old_server.py); that SYNC is meant as it says is shown
with a stock server too. The verdict is an independent client's."""

import random
import signal
import threading
import time

import pytest
from support import processes
from support.compare import compare
from support.failpoints import Failpoints
from support.old_server import OldServer
from support.proxy import Proxy
from support.service import wait_marker
from support.workload import Writer, check_model, fill
from support.zoo_servers import zoo_servers

KEYS = 3000
OVERWRITE = {"on_full_resync_needed": "overwrite"}


def item(precheck, check):
    return next(i for i in precheck["items"] if i["id"] == check)


def assert_equal(source, destination, keys=KEYS, ttl_tolerance_ms=0):
    report = compare(source.url(), destination.url(), ttl_tolerance_ms=ttl_tolerance_ms)
    assert report.equal, str(report)
    assert report.equal_keys > keys * 0.9, report
    return report


@pytest.fixture
def old(source):
    """Every write has to go through it."""
    with OldServer(source.port) as front:
        yield front


def test_a_source_that_cannot_send_a_snapshot_alone_is_read_over_one_link(
        service, source, destination):
    """It does not know REPLCONF rdb-only. What it sends is acknowledged, or no stream would come."""
    fill(source.url(), 300)
    with Proxy(source.port) as proxy:
        proxy.rewrite = (b"rdb-only", b"rdb-once")
        job = service.job(source.url(port=proxy.port), destination.url())
        job.check_and_start(ignore_warnings=True).wait_caught_up()
        wait_marker(source, destination, job=job)
        deadline = time.monotonic() + 60
        while source.client().info("replication")["slave0"]["offset"] == 0:
            assert time.monotonic() < deadline, "the source is not told what has arrived"
            time.sleep(0.1)
        assert source.client().info("stats")["sync_full"] == 1
        job.stop()
    assert compare(source.url(), destination.url()).equal


class OldWriter(threading.Thread):
    """Clients of a server that knows little: counters, lists, expiries that count from now."""

    def __init__(self, client):
        super().__init__(daemon=True)
        self.client, self.over, self.commands = client, threading.Event(), 0
        self.start()

    def run(self):
        rng = random.Random(4)
        while not self.over.is_set():
            n = rng.randrange(200)
            pipe = self.client.pipeline(transaction=False)
            pipe.incr("counter:%d" % n).rpush("list:%d" % n, self.commands)
            pipe.setex("session:%d" % n, 500 + n, "x").expire("counter:%d" % n, 3000 + n)
            pipe.set("fill:%d" % n, "rewritten").delete("fill:%d" % rng.randrange(KEYS))
            pipe.execute()
            self.commands += 6

    def stop(self):
        self.over.set()
        self.join(20)
        return self.commands


def caught_up(service, url, destination, **spec):
    job = service.job(url, destination.url(), **spec)
    check = job.precheck(ignore_warnings=True)
    assert check["state"] == "passed", check
    job.act("start")
    job.wait_caught_up()
    return job, check


def test_a_server_without_psync_is_read_by_sync_and_followed(service, source, destination, old):
    fill(source.url(), KEYS)
    writer = OldWriter(old_client(old))
    job, check = caught_up(service, old.url(), destination)
    assert item(check, "src.psync_permission")["result"] == "pass"
    assert "SYNC" in item(check, "src.psync_permission")["message"]
    assert item(check, "src.version")["result"] == "ignored"
    assert item(check, "src.backlog")["result"] == "ignored", "what a cut means has to be accepted"
    assert check["plan"]["method"] == "SYNC, one connection"
    time.sleep(1.5)
    assert writer.stop() > 300
    job.stop()
    # What counts from now is made absolute when it comes in: late by the way it took.
    assert_equal(source, destination, ttl_tolerance_ms=5000)
    assert old.syncs == 1 and old.heard == [], "a replica that came by SYNC says nothing"


def old_client(old):
    import redis

    return redis.Redis(port=old.port, socket_timeout=30)


def test_a_stop_behind_writes_that_are_still_on_their_way_drains_all_of_them(service, source, destination, old):
    client = old_client(old)
    job, _ = caught_up(service, old.url(), destination)
    for i in range(2000):
        client.incr("n")
    job.stop()
    assert destination.client().get("n") == b"2000"


def test_a_lost_connection_means_a_new_copy_that_somebody_decides(start_service, source, destination, old):
    """And whose decision goes beyond the full syncs that a source gives within an hour."""
    service = start_service(env={"KEYFERRY_FULL_SYNCS_PER_HOUR": "1"})
    fill(source.url(), KEYS, expiring=0)
    job, _ = caught_up(service, old.url(), destination)
    assert old.drop_replicas() == 1
    client = old_client(old)
    client.set("meanwhile", 1)
    blocked = job.wait_state("blocked")
    assert blocked["attention"]["code"] == "needs_recopy", blocked["attention"]
    assert old.syncs == 1, "nobody has decided, and the source has forked again"
    assert destination.client().get("meanwhile") is None
    job.act("resume", OVERWRITE)
    job.wait_caught_up()
    assert old.syncs == 2
    job.stop()
    assert_equal(source, destination)


def test_a_copy_by_sync_alone_is_judged(service, source, destination, old):
    fill(source.url(), KEYS)
    job = service.job(old.url(), destination.url(), migration={"incremental": False})
    assert job.precheck(ignore_warnings=True)["state"] == "passed"
    job.act("start")
    assert job.wait_state("completed")["consistency"] == "exact"
    assert_equal(source, destination)


def test_a_stock_server_can_be_asked_by_sync(service, source, destination):
    """With the account that the service asks for, and no other rights."""
    fill(source.url(), KEYS)
    acl = service.request("GET", "/v1/acl?role=source&read_mode=sync&version=7.0.15&user=mover")
    assert "+sync" in acl["line"] and "psync" not in acl["line"]
    source.client().execute_command(*acl["line"].replace("PASSWORD", "geheim").split())
    with Writer(source.url()) as writer:
        job, _ = caught_up(service, source.url(user="mover:geheim"), destination,
                           migration={"read_mode": "sync"})
        time.sleep(1)
        acknowledged = writer.stop()
    wait_marker(source, destination, job=job)
    assert source.calls("sync") >= 1 and source.calls("replconf") == 0
    job.stop()
    assert_equal(source, destination)
    assert acknowledged["commands"] > 300 and check_model(destination.url(), acknowledged) == []


def test_expiries_that_count_from_now_are_of_the_sources_clock(service, source, destination, old):
    old.clock_ahead = 7
    client = old_client(old)
    job, _ = caught_up(service, old.url(), destination)
    client.setex("a", 1000, 1)
    client.set("b", 1)
    client.expire("b", 2000)
    client.psetex("c", 3_000_000, 1)
    job.stop()
    for key in ("a", "b", "c"):
        late = destination.client().execute_command("PEXPIRETIME", key) - \
            source.client().execute_command("PEXPIRETIME", key)
        assert 6900 < late < 12_000, (key, late)  # seven seconds, and the way it took


def test_redis_6_tells_relative_expiries_and_they_come_out_the_same(service, redis_server, destination):
    """The stream of 6.0 says EXPIRE, SETEX, PX and the like as the client did."""
    source = redis_server(binary=zoo_servers(30)["redis-6.0"])
    client = source.client()
    client.set("copied", 1, ex=5000)
    job, _ = caught_up(service, source.url(), destination)
    client.setex("setex", 1000, 1)
    client.psetex("psetex", 1_000_001, 1)
    client.set("ex", 1, ex=2000)
    client.set("px", 1, px=3_000_003)
    for name in ("expire", "pexpire", "expireat", "renewed", "persisted", "moved"):
        client.set(name, 1, ex=100)
    client.expire("expire", 4000)
    client.pexpire("pexpire", 4_000_004)
    client.expireat("expireat", int(time.time()) + 5000)
    client.expire("renewed", 200)
    client.expire("renewed", 6000)
    client.persist("persisted")
    client.rename("moved", "moved away")
    client.restore("restored", 1_500_000, client.dump("ex"))
    with source.client().pipeline(transaction=True) as pipe:
        pipe.set("in a transaction", 1).expire("in a transaction", 700).execute()
    client.eval("redis.call('SETEX', KEYS[1], 800, 1)", 1, "by a script")
    wait_marker(source, destination, job=job)
    job.stop()
    report = compare(source.url(), destination.url(), ttl_tolerance_ms=5000)  # each is 100 s from the others
    assert report.equal and report.equal_keys == 15 and report.with_expiry == 13, str(report)


def test_a_relative_expiry_behind_a_backlog_counts_from_its_own_receipt(
        service, redis_server, destination):
    """Whoever applies it was away, and hundreds of receipts lie behind it when it is looked at."""
    source = redis_server(binary=zoo_servers(30)["redis-6.0"])
    client = source.client()
    job, _ = caught_up(service, source.url(), destination)
    (apply,) = service.wait_role("apply")
    processes.send(apply, signal.SIGSTOP)
    client.set("expire", 1)
    client.expire("expire", 1000)
    client.setex("setex", 1000, 1)
    for i in range(600):
        client.set("n", i)
        time.sleep(0.005)
    processes.send(apply, signal.SIGCONT)
    wait_marker(source, destination, job=job)
    job.stop()
    report = compare(source.url(), destination.url(), ttl_tolerance_ms=500)
    assert report.equal and report.with_expiry == 2, str(report)


def test_the_password_of_a_server_without_users_is_one_word(service, source, destination):
    with OldServer(source.port, password="mover:geheim") as old:
        source.client().set("k", 1)
        job, _ = caught_up(service, old.url("mover:geheim"), destination)
        assert destination.client().get("k") == b"1"
        job.stop()
        check = service.precheck(old.url("mover:falsch"), destination.url())
        assert item(check, "src.auth")["result"] == "fail"
        assert "falsch" not in str(check)
        answer = service.request("POST", "/v1/prechecks", {
            "kind": "migration", "destination": {"url": destination.url()},
            "source": {"url": old.url(), "auth": {"secret": "mover:geheim"}}})
        check = service._finished("/v1/prechecks/" + answer["id"], 60)
        assert item(check, "src.auth")["result"] == "pass"


# ---------------------------------------------------------------- sources that are replicas


def wait_link(replica):
    deadline = time.monotonic() + 60
    while replica.client().info("replication")["master_link_status"] != "up":
        assert time.monotonic() < deadline, "the replica has no primary"
        time.sleep(0.05)


def test_a_replica_as_the_source_keeps_the_database_its_stream_is_in(service, redis_server, destination):
    """A replica passes its primary's bytes on: no SELECT begins our stream, nor what follows a
    lost link."""
    primary = redis_server()
    fill(primary.url(), KEYS)
    primary.client(5).set("before", 1)
    replica = redis_server("--replicaof", "127.0.0.1 %d" % primary.port)
    wait_link(replica)
    primary.client(5).set("last", 1)  # the replica's stream is in database 5 from now on
    job, check = caught_up(service, replica.url(), destination)
    assert item(check, "src.role")["result"] == "ignored"
    there = destination.client(5)

    def arrives(key):
        primary.client(5).set(key, 1)
        deadline = time.monotonic() + 60
        while there.get(key) is None:
            assert time.monotonic() < deadline, "%s is not in database 5" % key
            time.sleep(0.02)

    arrives("first of the stream")
    receive = job.wait_child("receive")
    processes.send(receive, signal.SIGKILL)
    job.wait_child("receive", other_than=[receive])
    arrives("after the link was lost")
    job.pause()
    primary.client(5).set("while paused", 1)
    job.resume()
    arrives("after the pause")
    with Writer(primary.url()) as writer:
        time.sleep(0.5)
        acknowledged = writer.stop()
    wait_marker(primary, destination, job=job)
    job.stop()
    assert_equal(primary, destination)
    assert check_model(destination.url(), acknowledged) == []
    assert replica.client().info("stats")["sync_full"] == 1
    assert destination.client(0).exists("first of the stream", "after the pause") == 0


# ---------------------------------------------------------------- how often a source is asked


def test_full_syncs_are_counted_for_a_server_whatever_job_and_database_ask(start_service, redis_server):
    """Each job is started by somebody and gets its first; nobody has asked for a second."""
    with Failpoints() as points:
        service = start_service(env=points.env)
        source = redis_server()
        for db in (0, 3, 9):
            source.client(db).set("k", 1)
        jobs = [service.job(source.url(db), redis_server().url()).check_and_start() for db in (0, 3)]
        for job in jobs:
            job.wait_caught_up()
        # Neither another database nor another name makes it another server.
        for url in (source.url(9), "redis://localhost:%d/9" % source.port):
            points.order("receive.snapshot-begins", "kill")
            job = service.job(url, redis_server().url()).check_and_start()
            answer = job.wait(lambda j: j["last_error"], "an error")
            assert answer["last_error"]["code"] == "full_sync_budget", answer
        assert source.client().info("stats")["sync_full"] == 4


def test_a_third_job_of_a_source_within_an_hour_is_copied(service, source, redis_server):
    source.client().set("k", 1)
    for _ in range(3):
        service.job(source.url(), redis_server().url()).check_and_start().wait_caught_up()
