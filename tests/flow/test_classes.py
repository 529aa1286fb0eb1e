"""What a class promises is kept: no more commands a second than it has."""

import time

from support.service import wait_marker

KEYS = 60_000


def test_r_180_a_small_job_follows_2000_commands_a_second_and_a_larger_one_more(service, source, destination):
    job = service.job(source.url(), destination.url())
    job.precheck(ignore_warnings=True)
    job.act("start", {"instance_class": "small"})
    job.wait_caught_up()
    pipe = source.client().pipeline(transaction=False)
    for i in range(KEYS):
        pipe.set("k%d" % i, i)
    pipe.execute()
    there, deadline = destination.client(), time.monotonic() + 60
    while there.dbsize() < 3000:  # what lay in the bucket is gone
        assert time.monotonic() < deadline, "it does not follow"
        time.sleep(0.05)
    began, first = time.monotonic(), there.dbsize()
    time.sleep(3)
    moved = there.dbsize() - first
    took = time.monotonic() - began
    # Who stood still for a moment catches up with half a second's worth at most.
    assert 0 < moved < 2000 * (took + 0.75), (moved, took)
    assert there.dbsize() < KEYS, "the control: it has not gone as fast as it could"
    service.request("PUT", job.path + "/class", {"instance_class": "unlimited"})
    wait_marker(source, destination, timeout=20, job=job)  # at 2000 a second it would take longer
    assert destination.client().dbsize() >= KEYS
    job.stop(drain=False)
