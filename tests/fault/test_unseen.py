"""A command that failed while its worker died before it read so: nobody saw it, and the job
stops all the same, because the failure stands beside the position."""

import time

import pytest
from support.chaos import Divergence
from support.compare import compare
from support.failpoints import Failpoints
from support.redis_fixture import RedisServer
from support.service import Blocked, has_faults, wait_marker
from support.zoo_servers import zoo_servers

DIED = "lane.exec-answered"  # EXEC took effect, none of its elements was judged


@pytest.fixture
def points():
    if not has_faults():
        pytest.fail("this build has no failpoints: configure it with KF_FAULTS=ON")
    with Failpoints() as made:
        yield made


@pytest.fixture(params=["redis-6.0", pytest.param("redis-7.0", marks=pytest.mark.full)])
def destination(request):
    """One is written by scripts, the other counts its errors itself."""
    with RedisServer(binary=zoo_servers(60)[request.param]) as server:
        yield server


def fail_unseen(service, points, source, destination):
    source.client().rpush("l", "a")
    job = service.job(source.url(), destination.url()).check_and_start()
    job.wait_caught_up()
    destination.client().set("l", "another type")
    points.order(DIED, "kill", keep=True)
    source.client().pipeline(transaction=True).rpush("l", "b").set("behind", 1).execute()
    deadline = time.monotonic() + 60
    while destination.client().get("behind") != b"1":
        assert time.monotonic() < deadline, "the unit did not arrive"
        time.sleep(0.02)
    points.wait_fired(DIED)
    time.sleep(0.5)  # whoever applied it is dead by now, and so, most likely, is the next one
    assert points.take_back(DIED)
    try:
        wait_marker(source, destination, job=job)
    except Blocked as why:
        assert why.code == "diverged", why
        return
    report = compare(source.url(), destination.url(), held=True)
    if not report.equal:
        raise Divergence("the job goes on: %s" % report)


def test_a_failure_that_nobody_saw_blocks_the_job(start_service, points, redis_server, destination):
    service = start_service(env=points.env)
    fail_unseen(service, points, redis_server(binary=zoo_servers(60)["redis-6.0"]), destination)


@pytest.mark.control
def test_without_the_seal_it_goes_unseen(start_service, points, redis_server, destination):
    service = start_service(env=dict(points.env, KEYFERRY_TEST_FAULTS="errors_unsealed"))
    with pytest.raises(Divergence):
        fail_unseen(service, points, redis_server(binary=zoo_servers(60)["redis-6.0"]), destination)


@pytest.mark.full
def test_what_was_evicted_is_not_taken_back_with_a_payload_that_was_refused(service, redis_server):
    """The payload may be written in another way; the keys that are gone are not written again."""
    zoo = zoo_servers(300)
    source, there = redis_server(binary=zoo["redis-8.6"]), redis_server(binary=zoo["redis-8.0"])
    pipe = source.client().pipeline(transaction=False)
    for i in range(3000):
        pipe.rpush("l:%d" % i, i)
    pipe.execute()
    source.client(1).execute_command("VADD", "vectors", "VALUES", 2, 1, 2, "e")
    job = service.job(source.url(), there.url(), throttle={"full": {"enabled": True, "rps": 500}})
    job.check_and_start(ignore_warnings=True)
    job.wait(lambda answer: answer["progress"]["full"]["keys_done"] > 100, "a part of the copy")
    job.pause()
    key = "{kf}:%s:0" % job.id
    there.client().hset(key, "gone", 2)  # as the seal of a unit counts them
    service.request("PUT", job.path + "/throttle", {"full": {"enabled": False}})
    job.act("resume")
    deadline = time.monotonic() + 60
    while job.get()["state"] != "blocked":
        assert time.monotonic() < deadline, job.get()
        time.sleep(0.1)
    assert there.client().hget(key, "err") == b"2"
    job.act("resume")
    job.wait(lambda answer: (answer["attention"] or {}).get("code") == "diverged", "diverged")


@pytest.mark.full
def test_a_payload_that_was_refused_unseen_is_not_passed_over(start_service, points, redis_server):
    """8.0 does not read the vectors of 8.6; the mark moved in the same transaction."""
    zoo = zoo_servers(300)
    source, there = redis_server(binary=zoo["redis-8.6"]), redis_server(binary=zoo["redis-8.0"])
    source.client().execute_command("VADD", "vectors", "VALUES", 2, 1, 2, "e")
    service = start_service(env=points.env)
    job = service.job(source.url(), there.url())
    points.order(DIED, "kill", at=2, keep=True)  # behind the transaction that begins the copy
    job.check_and_start(ignore_warnings=True)
    key = "{kf}:%s:0" % job.id
    deadline = time.monotonic() + 60
    while there.client().hget(key, "err") in (None, b"0"):
        assert time.monotonic() < deadline, "the payload did not arrive"
        time.sleep(0.05)
    points.wait_fired(DIED)
    assert points.take_back(DIED)
    while job.get()["state"] != "blocked":
        assert time.monotonic() < deadline, job.get()
        time.sleep(0.1)
    assert job.get()["attention"]["code"] == "diverged"
    assert there.client().hget(key, "state") == b"copy"
