"""Large values are built under a temporary key: kills, stops and foreign hands in the middle."""

import signal
import time

import pytest
from support import processes
from support.chaos import ActionLog, finish, need
from support.proxy import Proxy
from support.workload import Pipe, pack

PIECES = {"KEYFERRY_PIECE_BYTES": "65536", "KEYFERRY_FULL_SYNCS_PER_HOUR": "100"}
ELEMENTS, STEP = 60_000, 500


def large_values(source):
    """One value of each kind that is built in pieces, and small ones before and behind them."""
    pipe = Pipe(source.url())
    for n in range(300):
        pipe.run([pack("SET", "small:%d" % n, n), pack("HSET", "packed:%d" % n, "f", n)])
    for at in range(0, ELEMENTS, STEP):
        names = ["%06d %s" % (n, "x" * 40) for n in range(at, at + STEP)]
        pipe.run([pack("HSET", "{a}hash", *(word for name in names for word in (name, name))),
                  pack("SADD", "set}", *names), pack("RPUSH", b"\0list", *names),
                  pack("ZADD", "zset", *(word for n, name in enumerate(names) for word in (n / 7, name)))])
    pipe.run([pack("PEXPIREAT", "{a}hash", int(time.time() * 1000) + 500_000)])
    pipe.close()


def temporary(destination):
    return list(destination.client().scan_iter("{*}kf:tmp:*", count=10_000))


def wait_for_a_part(destination, log, past=0, timeout=60):
    """The temporary key, once a value of more than `past` bytes is being built under it."""
    client, deadline = destination.client(), time.monotonic() + timeout
    while True:
        for key in temporary(destination):
            if (client.memory_usage(key, samples=0) or 0) > past:
                return key
        need(time.monotonic() < deadline, "no value was being built", log)
        time.sleep(0.005)


@pytest.fixture
def slow_copy(start_service, source, destination):
    """A copy whose destination takes 6 MB a second: each large value takes about a second."""
    service = start_service(env=PIECES)
    large_values(source)
    with Proxy(destination.port) as proxy:
        proxy.rate = 6_000_000
        job = service.job(source.url(), destination.url(port=proxy.port),
                          retry={"backoff": {"initial_ms": 100, "max_ms": 1000}})
        job.check_and_start()
        yield service, job, proxy


def test_a_value_in_pieces_arrives_whole_however_often_the_copy_is_killed(slow_copy, source, destination):
    service, job, proxy = slow_copy
    log, killed = ActionLog(1), []
    for past in (0, 300_000, 1_000_000, 0, 2_000_000):
        apply = job.wait_child("apply", other_than=killed)
        part = wait_for_a_part(destination, log, past)
        processes.send(apply, signal.SIGKILL)
        killed.append(apply)
        log("killed while %r was built, with %s", part, destination.counts())
    proxy.rate = 0
    job.wait_caught_up()
    assert temporary(destination) == []
    finish(job, source, destination, log, keys=600)
    client = destination.client()
    assert [client.hlen("{a}hash"), client.scard("set}"), client.llen(b"\0list"), client.zcard("zset")] == \
        [ELEMENTS] * 4


@pytest.mark.full
def test_a_value_is_not_there_before_it_is_whole(slow_copy, source, destination):
    _, job, proxy = slow_copy
    log, client, seen = ActionLog(1), destination.client(), 0
    lengths = {"{a}hash": client.hlen, "set}": client.scard, b"\0list": client.llen, "zset": client.zcard}
    deadline = time.monotonic() + 60
    while any(length(key) != ELEMENTS for key, length in lengths.items()):
        for key, length in lengths.items():
            assert length(key) in (0, ELEMENTS), key
        seen += len(temporary(destination))
        need(time.monotonic() < deadline, "the copy does not come to its end", log)
    assert seen > 0
    proxy.rate = 0
    job.wait_caught_up()
    job.stop()


@pytest.mark.parametrize("pause_first", [False, pytest.param(True, marks=pytest.mark.full)],
                         ids=["at once", "after a pause"])
def test_a_stop_within_a_value_leaves_no_part_of_it(slow_copy, destination, pause_first):
    _, job, proxy = slow_copy
    proxy.rate = 3_000_000
    log = ActionLog(1)
    wait_for_a_part(destination, log, 300_000)
    if pause_first:
        job.pause()
        assert len(temporary(destination)) == 1
    job.stop(drain=False)
    assert temporary(destination) == []


def test_a_part_of_a_copy_that_can_never_go_on_is_removed_with_it(slow_copy, destination):
    """Another copy would begin anew; the stop that takes its place must still know of the part."""
    _, job, proxy = slow_copy
    proxy.rate = 3_000_000
    wait_for_a_part(destination, ActionLog(1), 300_000)
    job.pause()
    assert len(temporary(destination)) == 1
    destination.client().hset("{kf}:%s:0" % job.id, "err", 1)
    job.stop(drain=False)
    assert temporary(destination) == []


def test_a_part_that_somebody_else_took_from_does_not_become_the_value(slow_copy, source, destination):
    """As an eviction would. The value is built anew instead."""
    service, job, proxy = slow_copy
    proxy.rate = 3_000_000  # time enough to come between
    log, client = ActionLog(1), destination.client()
    part = wait_for_a_part(destination, log, 300_000)
    apply = job.wait_child("apply")
    processes.send(apply, signal.SIGSTOP)
    need(client.exists(part), "the value became whole before", log)
    client.delete(part)
    processes.send(apply, signal.SIGCONT)
    proxy.rate = 0
    job.wait_caught_up()
    assert temporary(destination) == []
    finish(job, source, destination, log, keys=600)
