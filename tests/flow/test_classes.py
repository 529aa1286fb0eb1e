"""What a class promises is kept: no more commands a second than it has."""

import time

from support.service import wait_marker


def applied(job):
    return job.get()["progress"]["incremental"]["commands_applied"]


def test_r_180_a_small_job_follows_2000_commands_a_second_and_a_larger_one_more(service, source, destination):
    job = service.job(source.url(), destination.url())
    job.precheck(ignore_warnings=True)
    job.act("start", {"instance_class": "small"})
    job.wait_caught_up()
    pipe = source.client().pipeline(transaction=False)
    for i in range(14000):
        pipe.set("k%d" % i, i)
    pipe.execute()
    job.wait(lambda job: job["progress"]["incremental"]["commands_applied"] > 1000, "it follows")
    time.sleep(1)  # what lay in the bucket is gone
    first, began = applied(job), time.monotonic()
    time.sleep(3)
    rate = (applied(job) - first) / (time.monotonic() - began)
    assert rate < 2000 * 1.25, "reports are a second apart, so the rate is known to a third at best: %d" % rate
    assert destination.client().dbsize() < 14000, "the control: it has not gone as fast as it could"
    service.request("PUT", job.path + "/class", {"instance_class": "unlimited"})
    wait_marker(source, destination, timeout=20, job=job)
    assert destination.client().dbsize() >= 14000
    job.stop(drain=False)
