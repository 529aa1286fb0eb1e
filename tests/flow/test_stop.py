"""A stop drains wherever it comes from, unless it was asked not to; and says which it was."""

import time

import pytest
from support.compare import compare
from support.service import Blocked, wait_marker
from support.workload import fill

SLOW = {"full": {"rps": 100}}


def drained(job):
    return job.get()["progress"]["incremental"]["drained"]


def story(job):
    events = job.service.request("GET", job.path + "/events?limit=200",
                                 headers={"Accept": "application/json"})
    return ["%s %s" % (e["type"], e.get("detail") or "") for e in events["items"]]


def copying(service, source, destination, **spec):
    """A job in the middle of a copy that takes half a minute."""
    fill(source.url(), 3000)
    job = service.job(source.url(), destination.url(), throttle=SLOW, **spec).check_and_start()
    job.wait(lambda job: job["progress"]["full"]["keys_done"] > 100, "some keys")
    return job


def test_a_drain_of_a_copy_is_the_rest_of_it(service, source, destination):
    job = copying(service, source, destination)
    source.client().set("written meanwhile", 1)
    job.act("stop")
    time.sleep(1.5)
    answer = job.get()
    assert answer["state"] == "stopping" and answer["progress"]["full"]["percent"] < 90
    service.request("PUT", job.path + "/throttle", {})
    job.wait_state("stopped")
    report = compare(source.url(), destination.url())
    assert report.equal and report.equal_keys > 2500, report
    assert destination.client().get("written meanwhile") == b"1"
    assert drained(job) is True and not [line for line in story(job) if "not drained" in line]


def test_a_copy_that_is_stopped_without_a_drain_ends_at_once(service, source, destination):
    job = copying(service, source, destination)
    began = time.monotonic()
    job.stop(drain=False)
    assert time.monotonic() - began < 20
    assert 0 < destination.client().dbsize() < source.client().dbsize()
    assert drained(job) is False
    assert story(job)[-1].startswith("stopped not drained: the copy was not complete")


def test_a_paused_job_drains_what_was_written_meanwhile(service, source, destination):
    job = service.job(source.url(), destination.url()).check_and_start()
    job.wait_caught_up()
    job.pause()
    source.client().set("written while paused", 1)
    job.stop()
    assert destination.client().get("written while paused") == b"1"
    assert drained(job) is True


def test_a_drain_waits_for_a_source_that_is_away(service, source, destination):
    job = service.job(source.url(), destination.url(),
                      retry={"backoff": {"initial_ms": 100, "max_ms": 1000}}).check_and_start()
    job.wait_caught_up()
    source.client().config_set("appendonly", "yes")
    time.sleep(0.5)
    source.kill()
    job.wait_state("retrying")
    job.act("stop")
    answer = job.wait(lambda job: job["state"] == "stopping" and job["retry_state"]
                      and job["retry_state"]["attempt"] > 3, "a drain that is tried again")
    assert answer["retry_state"]["target"] == "source" and drained(job) is None
    job.act("stop", {"drain": False})
    job.wait_state("stopped")
    assert drained(job) is False
    assert story(job)[-1].startswith("stopped not drained: what the source wrote last may be missing")


@pytest.mark.parametrize("sealed", ["stopped", "done"])
def test_only_a_seal_that_says_done_completes_a_full_copy(service, source, destination, sealed):
    job = copying(service, source, destination, migration={"full": True, "incremental": False})
    job.pause()
    destination.client().hset("{kf}:%s:0" % job.id, "state", sealed)
    job.act("resume")
    if sealed == "done":
        job.wait_state("completed")
        return
    with pytest.raises(Blocked) as why:
        job.wait_state("completed")
    assert why.value.code == "sealed"
    job.stop(drain=False)


def test_what_may_evict_is_at_risk(service, source, destination):
    destination.client().config_set("maxmemory", 100 << 20)
    destination.client().config_set("maxmemory-policy", "allkeys-lru")
    job = service.job(source.url(), destination.url()).check_and_start(ignore_warnings=True)
    job.wait_caught_up()
    wait_marker(source, destination)
    answer = job.get()
    assert answer["consistency"] == "at_risk"
    assert answer["destination_memory"]["max_bytes"] == 100 << 20
    job.stop()
