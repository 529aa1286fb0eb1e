"""A destination that cannot be asked how many errors it answered is written by scripts: Redis
6.0, and an account without INFO."""

import signal
import time

import pytest
from support import every_type, processes
from support.chaos import QUICK_RETRY
from support.compare import compare
from support.recopy import wait_blocked
from support.redis_fixture import RedisServer
from support.service import wait_marker
from support.zoo_servers import zoo_servers


@pytest.fixture(scope="module")
def zoo(request):
    return zoo_servers(300 if request.config.getoption("--full") else 30)


@pytest.fixture
def old(zoo):
    with RedisServer(binary=zoo["redis-6.0"]) as server:
        yield server


def seal_of(precheck):
    (item,) = [i for i in precheck["items"] if i["id"] == "dst.error_seal"]
    return item


def test_every_type_and_command_arrives_by_script(service, redis_server, zoo, old):
    source = redis_server(binary=zoo["redis-6.0"])
    can = every_type.abilities(source.url()) & every_type.abilities(old.url())
    keys = every_type.fill(source.url(), can)
    job = service.job(source.url(), old.url())
    assert "script" in seal_of(job.precheck())["message"]
    job.act("start")
    job.wait_caught_up()
    assert old.calls("eval") > 0
    every_type.write_on(source.url(), can)
    wait_marker(source, old, job=job)
    job.stop()
    report = compare(source.url(), old.url(), ttl_tolerance_ms=2000)
    assert report.equal and report.equal_keys >= keys, report


def test_counters_and_lists_are_exact_whatever_is_killed(service, redis_server, zoo, old):
    source = redis_server(binary=zoo["redis-6.0"])
    job = service.job(source.url(), old.url()).check_and_start()
    job.wait_caught_up()
    there = source.client()
    killed, sent = set(), 0
    while len(killed) < 6:
        pid = job.wait_child("apply", other_than=killed)
        until = time.monotonic() + 0.3  # it claims, and writes under traffic, or dies before
        while time.monotonic() < until:
            pipe = there.pipeline(transaction=sent % 2 == 0)
            for _ in range(50):
                sent += 1
                pipe.incr("counter").rpush("list", sent).hincrby("hash", "f", 1).append("text", "x")
            pipe.execute()
        processes.send(pid, signal.SIGKILL)
        killed.add(pid)
    wait_marker(source, old, job=job)
    got = old.client()
    assert int(got.get("counter")) == sent and int(got.hget("hash", "f")) == sent
    assert got.lrange("list", 0, -1) == [b"%d" % i for i in range(1, sent + 1)]
    assert got.strlen("text") == sent and sent > 1000
    assert got.hget("{kf}:%s:0" % job.id, "err") == b"0"
    job.stop()


def test_an_account_without_info_is_written_by_script(service, source, destination):
    destination.client().execute_command("ACL", "SETUSER", "kf", "on", ">pw", "~*", "&*", "+@all", "-info")
    can = every_type.abilities(source.url()) - {"functions"}  # no script may load one
    keys = every_type.fill(source.url(), can)
    job = service.job(source.url(), destination.url(user="kf:pw"))
    found = job.precheck(ignore_warnings=True)
    assert found["state"] == "passed", found
    assert "script" in seal_of(found)["message"]
    job.act("start")
    job.wait_caught_up()
    assert destination.calls("eval") > 0
    every_type.write_on(source.url(), can)
    wait_marker(source, destination, job=job)
    source.client().execute_command("FUNCTION", "FLUSH")
    wait_blocked(job, "command_refused")
    job.act("stop", {"drain": False})
    job.wait_state("stopped")
    report = compare(source.url(), destination.url())
    assert report.equal and report.equal_keys >= keys, report


def test_an_account_that_loses_info_goes_on_by_scripts_and_nothing_is_called_different(
        service, source, destination):
    """The seal of a unit cannot count any more; the unit itself is there, and good."""
    there = destination.client()
    there.execute_command("ACL", "SETUSER", "kf", "on", ">pw", "~*", "+@all")
    job = service.job(source.url(), destination.url(user="kf:pw"), retry=QUICK_RETRY)
    job.check_and_start(ignore_warnings=True).wait_caught_up()
    there.execute_command("ACL", "SETUSER", "kf", "-info")
    for count in range(1, 4):
        source.client().incr("counter")
        wait_marker(source, destination, job=job)
        assert there.get("counter") == b"%d" % count
    assert there.hget("{kf}:%s:0" % job.id, "err") == b"0"
    assert any("counting the destination's errors" in line and job.id in line
               for text in service.logs().values() for line in text.splitlines())
    job.stop()


def test_a_command_that_fails_in_a_script_blocks_and_the_rest_of_its_unit_is_there(
        service, redis_server, zoo, old):
    source = redis_server(binary=zoo["redis-6.0"])
    source.client().rpush("l", "a")
    job = service.job(source.url(), old.url()).check_and_start()
    job.wait_caught_up()
    old.client().delete("l")
    old.client().set("l", "another type")
    pipe = source.client().pipeline(transaction=True)
    pipe.incr("before").rpush("l", "b").incr("after")
    pipe.execute()
    assert "WRONGTYPE" in wait_blocked(job, "diverged")["detail"]
    position = old.client().hgetall("{kf}:%s:0" % job.id)
    assert position[b"err"] == b"1"
    assert old.client().get("before") == b"1" and old.client().get("after") == b"1"
    source.client().incr("before")
    job.act("resume")
    wait_blocked(job, "diverged")  # not forgotten by another life, and nothing is written
    assert old.client().get("before") == b"1"
    job.act("resume", {"on_full_resync_needed": "overwrite"})
    job.wait_caught_up()
    wait_marker(source, old, job=job)
    assert compare(source.url(), old.url(), held=True).equal
    job.act("stop", {"drain": False})
    job.wait_state("stopped")


def test_what_no_script_can_do_is_refused_before_anything_happened(service, redis_server, zoo, old):
    source = redis_server(binary=zoo["redis-7.0"])
    job = service.job(source.url(), old.url())
    job.check_and_start(ignore_warnings=True).wait_caught_up()
    pipe = source.client().pipeline(transaction=True)
    pipe.rpush("wide", *range(20_000)).incr("counter")
    pipe.execute()
    wait_blocked(job, "unit_too_large")
    assert old.client().get("counter") is None and not old.client().exists("wide")
    job.act("stop", {"drain": False})
    job.wait_state("stopped")
    job = service.job(source.url(), old.url(), conflict_mode="overwrite")
    job.check_and_start(ignore_warnings=True).wait_caught_up()
    source.client().lmove("wide", "other", "LEFT", "LEFT")
    wait_blocked(job, "destination_unknown_command")
    assert old.client().llen("wide") == 20_000
    assert old.client().hget("{kf}:%s:0" % job.id, "err") == b"0"
    job.act("stop", {"drain": False})
    job.wait_state("stopped")


@pytest.mark.full
def test_a_destination_without_memory_refuses_a_script_whole(service, redis_server, zoo, old):
    source = redis_server(binary=zoo["redis-6.0"])
    job = service.job(source.url(), old.url()).check_and_start()
    job.wait_caught_up()
    old.client().config_set("maxmemory", 100_000)
    for i in range(100):
        source.client().rpush("list", i)
    answer = job.wait(lambda a: a["state"] == "retrying", "retrying")
    assert answer["last_error"]["code"] == "destination_oom"
    old.client().config_set("maxmemory", 0)
    wait_marker(source, old, job=job)
    assert old.client().lrange("list", 0, -1) == [b"%d" % i for i in range(100)]
    assert old.client().hget("{kf}:%s:0" % job.id, "err") == b"0"
    job.stop()


def test_values_in_pieces_are_finished_inside_a_script(start_service, redis_server, zoo, old):
    """The copy ends a value in pieces with a script of its own, which runs inside the unit's."""
    source = redis_server(binary=zoo["redis-7.0"])
    there = source.client(3)
    there.rpush("list", *range(3000))
    there.hset("hash", mapping={"field:%d" % i: i for i in range(3000)})
    there.zadd("zset", {"member:%d" % i: i for i in range(3000)})
    there.sadd("set", *range(100_000, 103_000))
    there.expire("zset", 5000)
    service = start_service(env={"KEYFERRY_PIECE_BYTES": "1024"})
    job = service.job(source.url(), old.url()).check_and_start(ignore_warnings=True)
    job.wait_caught_up()
    assert old.calls("rename") >= 4 and not list(old.client(3).scan_iter("*kf:tmp:*"))
    there.rpush("list", "behind")
    wait_marker(source, old, job=job)
    job.stop()
    report = compare(source.url(), old.url(), ttl_tolerance_ms=2000)  # of 6.0 it is only known by the clock
    assert report.equal and report.equal_keys == 5, report
