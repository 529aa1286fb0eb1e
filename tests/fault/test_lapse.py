"""The pause of the writers that ends before the seal."""

import signal
import time

import pytest
from support import processes
from support.chaos import QUICK_RETRY
from support.failpoints import Failpoints
from support.service import has_faults
from support.workload import fill


@pytest.fixture
def points():
    if not has_faults():
        pytest.fail("this build has no failpoints: configure it with KF_FAULTS=ON")
    with Failpoints() as made:
        yield made


def test_a_pause_that_ended_before_the_seal_is_no_pause(start_service, points, source, destination):
    """A machine that stood still renews nothing: the source takes writes, and nobody has looked since."""
    service = start_service(env=points.env)
    fill(source.url(), 100)
    job = service.job(source.url(), destination.url(), retry=QUICK_RETRY).check_and_start()
    job.wait_caught_up()
    points.order("tail.finished", "sleep", number=4000)
    job.act("cutover", {"pause_source": "client_pause", "write_pause_timeout_ms": 30000})
    points.wait_fired("tail.finished")
    (receive,) = service.wait_role("receive")
    processes.send(receive, signal.SIGSTOP)
    source.client(socket_timeout=20).set("written in between", 1)  # as soon as the pause has ended
    processes.send(receive, signal.SIGCONT)
    deadline = time.monotonic() + 40
    while True:
        now = job.get()
        if now["state"] in ("completed", "failed", "blocked") or (now["cutover"] or {}).get("aborted_because"):
            break
        assert time.monotonic() < deadline, now["cutover"]
        time.sleep(0.1)
    assert now["state"] != "completed", now["cutover"]
    assert now["cutover"]["aborted_because"] == "pause_not_kept"
    job.stop()
    assert destination.client().get("written in between") == b"1"
