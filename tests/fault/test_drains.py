"""A stop that drains, and a source that is another history before it is through."""

import time

from support.chaos import QUICK_RETRY
from support.compare import compare


def test_a_drain_of_a_copy_that_begins_anew_ends_where_the_new_history_does(
        service, redis_server, destination):
    """Where the source was in its former life is no goal any more: it counts from the beginning."""
    source = redis_server("--appendonly", "yes")
    pipe = source.client().pipeline(transaction=False)
    for i in range(2000):
        pipe.set("k:%d" % i, "x" * 50)
    pipe.execute()
    job = service.job(source.url(), destination.url(), retry=QUICK_RETRY,
                      throttle={"full": {"rps": 100}})
    job.check_and_start(ignore_warnings=True)
    job.wait_phase("full")
    for i in range(2000):
        source.client().set("n", "y" * 100)
    assert source.offset() > 200_000
    job.act("stop")
    time.sleep(2)  # by now receive has asked where the drain ends
    source.kill()
    source.start()
    deadline = time.monotonic() + 30
    while source.client().info("stats")["sync_full"] == 0:
        assert time.monotonic() < deadline and job.get()["state"] == "stopping", job.get()
        time.sleep(0.1)
    time.sleep(1)
    service.request("PUT", job.path + "/throttle", {})
    job.wait_state("stopped", timeout=60)
    report = compare(source.url(), destination.url())
    assert report.equal, str(report)
