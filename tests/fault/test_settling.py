"""Applications that are at work while expiries are settled."""

import threading
import time

import pytest
from support.chaos import QUICK_RETRY
from support.failpoints import Failpoints
from support.service import ApiError, has_faults

KEYS = 20000


@pytest.fixture
def points():
    if not has_faults():
        pytest.fail("this build has no failpoints: configure it with KF_FAULTS=ON")
    with Failpoints() as made:
        yield made


@pytest.fixture
def job(start_service, points, source, destination):
    """It follows a source whose keys all expire; a walk that settles them takes some seconds."""
    service = start_service(env=points.env)
    pipe = source.client().pipeline(transaction=False)
    for i in range(KEYS):
        pipe.set("k:%d" % i, 1, ex=100000)
    pipe.execute()
    job = service.job(source.url(), destination.url(), retry=QUICK_RETRY).check_and_start()
    job.wait_caught_up()
    points.order("settle.step", "sleep", number=250, keep=True)
    return job


def rename_a_quarter(client, begins):
    """As soon as some of it is settled, which is when the first renamed key would be missed."""
    deadline = time.monotonic() + 60
    while not begins():
        assert time.monotonic() < deadline, "nothing is being settled"
        time.sleep(0.02)
    time.sleep(1)
    pipe = client.pipeline(transaction=False)
    for i in range(0, KEYS, 4):
        pipe.rename("k:%d" % i, "moved:%d" % i)
    pipe.execute()


def assert_all_expire(client):
    names = client.keys("k:*") + client.keys("moved:*")
    pipe = client.pipeline(transaction=False)
    for name in names:
        pipe.pexpiretime(name)
    held = [name for name, at in zip(names, pipe.execute()) if at > 1 << 42]
    assert len(names) == KEYS and not held, "%d keys will not expire" % len(held)


def some_are_settled(client):
    return any(client.pexpiretime("k:%d" % i) < 1 << 42 for i in range(0, KEYS, 50))


def test_keys_that_are_renamed_behind_a_cutover_expire_too(job, points, destination):
    there = destination.client()
    deadline = time.monotonic() + 30
    while True:
        try:
            job.act("cutover", {})
            break
        except ApiError as why:
            assert time.monotonic() < deadline, why
            time.sleep(0.2)
    rename_a_quarter(there, lambda: some_are_settled(there))
    points.take_back("settle.step")
    assert job.wait_state("completed", timeout=60)["expiry"]["settled"] is True
    assert_all_expire(there)


@pytest.mark.full
def test_keys_that_are_renamed_while_an_abandoned_destination_is_settled_expire_too(
        job, points, destination):
    there = destination.client()
    ended = []
    settle = threading.Thread(target=lambda: ended.append(
        job.service.run("settle", "--abandoned", destination.url(), env=points.env)))
    settle.start()
    rename_a_quarter(there, lambda: some_are_settled(there))
    points.take_back("settle.step")
    settle.join()
    assert ended[0].returncode == 0, ended[0].stderr
    assert_all_expire(there)
    job.act("stop", {"drain": False})
