"""A new full copy over what an earlier one left: nothing stale, doubled or half-written stays,
and where that cannot be had a person is asked."""

import signal
import time

import pytest
from support import processes
from support.compare import compare
from support.recopy import OVERWRITE, copy_over_an_older_one, lose_history, wait_blocked, write
from support.service import wait_marker

FLUSH = {"on_full_resync_needed": "flush_destination"}


def stop(job):
    job.act("stop", {"drain": False})
    job.wait(lambda answer: answer["state"] == "stopped", "stopped")


def position(job, destination):
    return destination.client().hgetall("{kf}:%s:0" % job.id)


def test_an_overwriting_copy_removes_what_the_source_lost_and_keeps_what_it_has(
        service, source, destination):
    job = copy_over_an_older_one(service, source, destination)
    assert destination.client(2).dbsize() == 0
    assert destination.client().lrange("l:2000", 0, -1) == [b"version 2"]
    assert position(job, destination)[b"fresh"] == b"1"
    assert int(position(job, destination)[b"gen"]) > 1
    assert destination.calls("flushdb") + destination.calls("flushall") == 0
    stop(job)


def test_a_sweep_goes_on_after_kills(service, source, destination):
    write(source, 1, range(20_000))
    job = service.job(source.url(), destination.url()).check_and_start()
    job.wait_caught_up()
    lose_history(source)
    write(source, 2, range(10_000, 30_000))
    wait_blocked(job)
    service.request("PUT", job.path + "/throttle", {"full": {"enabled": True, "rps": 10_000}})
    job.act("resume", OVERWRITE)
    killed = set()
    while len(killed) < 3:
        pid = job.wait_child("apply", other_than=killed)
        deadline = time.monotonic() + 30
        mark = position(job, destination)[b"mark"]
        while position(job, destination)[b"mark"] == mark and time.monotonic() < deadline:
            time.sleep(0.01)
        processes.send(pid, signal.SIGKILL)
        killed.add(pid)
    assert position(job, destination)[b"fresh"] == b"5"
    job.wait_caught_up()
    report = compare(source.url(), destination.url(), held=True)
    assert report.equal and report.equal_keys == 40_000, report
    stop(job)


def test_an_answer_of_flush_empties_the_destination_first(service, source, destination):
    destination.client().set("somebody's", 1)
    write(source, 1, range(100))
    job = service.job(source.url(), destination.url(), conflict_mode="overwrite")
    job.check_and_start(ignore_warnings=True).wait_caught_up()
    lose_history(source)
    write(source, 2, range(50))
    attention = wait_blocked(job)
    bodies = [c["body"] for c in attention["choices"] if c["action"] == "resume"]
    assert OVERWRITE in bodies and FLUSH in bodies
    job.act("resume", FLUSH)
    job.wait_caught_up()
    report = compare(source.url(), destination.url(), held=True)
    assert report.equal and report.equal_keys == 100, report
    destination.client().set("later", 1)
    for pid in job.pids("apply"):
        processes.send(pid, signal.SIGKILL)
    wait_marker(source, destination, job=job)
    assert destination.client().get("later") == b"1"
    stop(job)


@pytest.mark.full
def test_an_overwriting_copy_between_keys_of_others_leaves_them_alone(service, source, destination):
    destination.client().set("somebody's", 1)
    write(source, 1, range(100))
    job = service.job(source.url(), destination.url(), conflict_mode="overwrite")
    job.check_and_start(ignore_warnings=True).wait_caught_up()
    lose_history(source)
    write(source, 2, range(50))
    wait_blocked(job)
    job.act("resume", OVERWRITE)
    job.wait_caught_up()
    there = destination.client()
    assert there.get("somebody's") == b"1"
    assert there.get("s:10") == b"10 of version 2" and there.lrange("l:10", 0, -1) == [b"version 2"]
    assert there.get("s:70") == b"70 of version 1"  # whose it is nobody can tell
    assert position(job, destination)[b"fresh"] == b"0"
    stop(job)


def test_an_interrupted_copy_between_keys_of_others_asks_and_takes_the_answer(
        start_service, source, destination):
    service = start_service()
    destination.client().set("somebody's", 1)
    write(source, 1, range(20_000))
    job = service.job(source.url(), destination.url(), conflict_mode="overwrite",
                      throttle={"full": {"enabled": True, "rps": 4000}})
    job.check_and_start(ignore_warnings=True)
    job.wait(lambda answer: answer["progress"]["full"]["keys_done"] > 1000, "a part of the copy")
    job.pause()
    lose_history(source)
    write(source, 2, range(15_000, 25_000))
    # The spool holds the rest of the first snapshot, so it goes on with that; without it
    # another one is needed.
    service.request("PUT", job.path + "/throttle", {"full": {"enabled": False}})
    for spool in service.data_dir.glob("spool/**/%s*" % job.id):
        for file in spool.rglob("*"):
            if file.is_file():
                file.unlink()
    job.act("resume")
    wait_blocked(job)
    assert source.client().info("stats")["sync_full"] == 0  # it was asked before a fork
    job.act("resume", OVERWRITE)
    job.wait_caught_up()
    there = destination.client()
    assert there.get("somebody's") == b"1"
    assert there.lrange("l:20000", 0, -1) == [b"version 2"] and there.llen("l:15000") == 1
    stop(job)
