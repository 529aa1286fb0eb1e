"""What empties or swaps databases, with a fault around it."""

import time

import pytest
from support.chaos import QUICK_RETRY
from support.compare import compare
from support.failpoints import Failpoints
from support.proxy import Proxy
from support.recopy import wait_blocked, write
from support.redis_fixture import RedisServer
from support.service import has_faults, wait_marker
from support.zoo_servers import zoo_servers


@pytest.fixture
def points():
    if not has_faults():
        pytest.fail("this build has no failpoints: configure it with KF_FAULTS=ON")
    with Failpoints() as made:
        yield made


@pytest.fixture(params=["redis-7.0", pytest.param("redis-6.0", marks=pytest.mark.full)])
def destination(request):
    """One counts its errors itself, the other is written by scripts."""
    with RedisServer(binary=zoo_servers(60)[request.param]) as server:
        yield server


def until(condition, what, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@pytest.mark.parametrize("empties", [
    "FLUSHALL", pytest.param("FLUSHDB", marks=pytest.mark.full),
    pytest.param("SWAPDB 0 3", marks=pytest.mark.full)])
def test_a_failure_that_nobody_saw_beside_a_flush_blocks_the_job(
        start_service, points, redis_server, destination, empties):
    source = redis_server(binary=zoo_servers(60)["redis-6.0"])
    service = start_service(env=points.env)
    source.client().rpush("l", "a")
    job = service.job(source.url(), destination.url()).check_and_start()
    job.wait_caught_up()
    destination.client().set("l", "another type")
    points.order("lane.exec-answered", "kill", keep=True)
    pipe = source.client().pipeline(transaction=True)
    pipe.rpush("l", "b").execute_command(*empties.split())
    pipe.set("behind", 1).execute()
    until(lambda: destination.client().get("behind") == b"1", "the unit did not arrive")
    points.wait_fired("lane.exec-answered")
    time.sleep(0.5)  # whoever applied it is dead by now, and so, most likely, is the next one
    assert points.take_back("lane.exec-answered")
    wait_blocked(job, "diverged")
    job.act("stop", {"drain": False})
    job.wait_state("stopped")


def test_what_stands_in_the_position_outlives_a_flush(service, source, destination):
    source.client().set("a", 1)
    job = service.job(source.url(), destination.url())
    job.check_and_start(ignore_warnings=True).wait_caught_up()
    key = "{kf}:%s:0" % job.id
    destination.client().hset(key, "replay", 7)
    wait_marker(source, destination, job=job)  # it notices, and claims again
    before = destination.client().hgetall(key)
    for empties in ("FLUSHALL", "FLUSHDB", "SWAPDB 0 3", "SWAPDB 3 0"):
        source.client().execute_command(*empties.split())
        wait_marker(source, destination, job=job)
        after = destination.client().hgetall(key)
        changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
        assert changed <= {b"off", b"seq", b"base", b"db"}, changed
        assert int(after[b"seq"]) > int(before[b"seq"])
    assert not destination.client(3).exists(key)
    job.stop()
    assert compare(source.url(), destination.url()).equal


def test_a_flush_of_a_database_that_is_not_selected_holds_nothing_up(service, source, destination):
    """Each waited until an empty unit was due: a second and a half."""
    job = service.job(source.url(), destination.url(),
                      objects={"databases": [{"source": 0, "destination": 0}]})
    job.check_and_start(ignore_warnings=True).wait_caught_up()
    wait_marker(source, destination, job=job)
    ours, other = source.client(), source.client(1)
    begin = time.monotonic()
    for i in range(20):
        other.set("x", i)
        other.flushdb()
        ours.set("n", i)
    until(lambda: destination.client().get("n") == b"19", "the last write did not arrive", 60)
    assert time.monotonic() - begin < 10, "they were held up"
    job.stop()


@pytest.mark.parametrize("right", ["restore", pytest.param("flushall", marks=pytest.mark.full)])
def test_a_right_to_flush_that_is_taken_away_is_named_and_nothing_has_happened(
        service, source, destination, right):
    """Also that to put back what stays: our position, and what other jobs have sealed."""
    there = destination.client()
    there.execute_command("ACL", "SETUSER", "kf", "on", ">pw", "~*", "+@all")
    source.client().set("a", 1)
    job = service.job(source.url(), destination.url(user="kf:pw"), retry=QUICK_RETRY)
    job.check_and_start(ignore_warnings=True).wait_caught_up()
    there.execute_command("ACL", "SETUSER", "kf", "-" + right)
    source.client().flushall()
    until(lambda: (job.get()["last_error"] or {}).get("code") == "destination_noperm", "no error")
    assert there.get("a") == b"1" and there.hget("{kf}:%s:0" % job.id, "err") == b"0"
    there.execute_command("ACL", "SETUSER", "kf", "+" + right)
    wait_marker(source, destination, job=job)
    assert there.get("a") is None
    job.stop()


def test_a_copy_does_not_begin_where_its_flush_was_refused(
        start_service, points, redis_server, destination):
    """The right is taken away when the command is on its way: EXEC refuses it, and nothing else."""
    source = redis_server(binary=zoo_servers(60)["redis-6.0"])
    there = destination.client()
    there.execute_command("ACL", "SETUSER", "kf", "on", ">pw", "~*", "+@all")
    there.set("somebody's", 1)
    write(source, 1, range(100))
    service = start_service(env=points.env)
    with Proxy(destination.port) as proxy:
        job = service.job(source.url(), destination.url(port=proxy.port, user="kf:pw"),
                          conflict_mode="flush_destination",
                          confirm_flush="127.0.0.1:%d" % proxy.port)
        points.order("copy.generation-begins", "sleep", number=1500)
        job.check_and_start(ignore_warnings=True)
        points.wait_fired("copy.generation-begins")
        proxy.hold_after(b"FLUSHALL\r\n")
        until(proxy.held, "nothing was held back")
        there.execute_command("ACL", "SETUSER", "kf", "-flushall")
        proxy.release()
        wait_blocked(job, "destination_noperm")
        assert there.get("somebody's") == b"1"
        there.execute_command("ACL", "SETUSER", "kf", "+flushall")
        job.resume()
        wait_marker(source, destination, job=job)
        job.stop()
    report = compare(source.url(), destination.url())
    assert report.equal, report


@pytest.mark.full
def test_a_copy_of_prefixes_begins_by_emptying_those(service, redis_server, destination):
    source = redis_server(binary=zoo_servers(60)["redis-6.0"])
    for key in ("a:1", "a:2", "b:1"):
        source.client(1).set(key, "new")
    there = destination.client(2)
    for key in ("a:2", "a:3", "b:1", "b:2"):
        there.set(key, "old")
    chosen = {"databases": [{"source": 1, "destination": 2, "include_prefixes": ["a:"]}]}
    job = service.job(source.url(), destination.url(), objects=chosen,
                      conflict_mode="flush_destination",
                      confirm_flush="127.0.0.1:%d" % destination.port)
    job.check_and_start(ignore_warnings=True).wait_caught_up()
    assert {key: there.get(key) for key in there.scan_iter("[ab]:*")} == {
        b"a:1": b"new", b"a:2": b"new", b"b:1": b"old", b"b:2": b"old"}
    job.stop()
