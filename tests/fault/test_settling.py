"""Applications that are at work while expiries are settled."""

import time

import pytest
from support.chaos import QUICK_RETRY
from support.failpoints import Failpoints
from support.service import ApiError, has_faults


@pytest.fixture
def points():
    if not has_faults():
        pytest.fail("this build has no failpoints: configure it with KF_FAULTS=ON")
    with Failpoints() as made:
        yield made


def test_keys_that_are_renamed_while_expiries_are_settled_expire_too(
        start_service, points, source, destination):
    """A walk that has passed their new place does not see them."""
    service = start_service(env=points.env)
    pipe = source.client().pipeline(transaction=False)
    for i in range(20000):
        pipe.set("k:%d" % i, 1, ex=100000)
    pipe.execute()
    job = service.job(source.url(), destination.url(), retry=QUICK_RETRY).check_and_start()
    job.wait_caught_up()
    points.order("settle.step", "sleep", number=250, keep=True)
    deadline = time.monotonic() + 30
    while True:
        try:
            job.act("cutover", {})
            break
        except ApiError as why:
            assert time.monotonic() < deadline, why
            time.sleep(0.2)
    there = destination.client()
    while there.hget("{kf}:%s:0" % job.id, "state") != b"sealed":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(1.5)
    pipe = there.pipeline(transaction=False)
    for i in range(0, 20000, 4):
        pipe.rename("k:%d" % i, "moved:%d" % i)
    pipe.execute()
    points.take_back("settle.step")
    assert job.wait_state("completed", timeout=60)["expiry"]["settled"] is True
    names = there.keys("k:*") + there.keys("moved:*")
    pipe = there.pipeline(transaction=False)
    for name in names:
        pipe.pexpiretime(name)
    held = [name for name, at in zip(names, pipe.execute()) if at > 1 << 42]
    assert len(names) == 20000 and not held, "%d keys will not expire" % len(held)
