"""What a copy does about keys that the destination had before it, mode by mode."""

import hashlib
import os
import re
import signal
import time

import pytest
from support import processes
from support.service import ApiError, wait_marker
from support.zoo_servers import zoo_servers

COPY = {"full": True, "incremental": False}


def blocked(job, timeout=60):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        answer = job.get()
        if answer["state"] == "blocked":
            return answer["attention"]
        assert answer["state"] not in ("completed", "stopped", "failed"), answer
        time.sleep(0.05)
    raise AssertionError("not blocked: %s" % job.get())


def fill_both(source, destination):
    """Three keys on both ends, of other types and values; some on one end only."""
    s, d = source.client(), destination.client()
    s.rpush("list", "a", "b")
    s.set("text", "new")
    s.hset("hash", mapping={"f": "new"})
    s.set("only source", 1)
    for i in range(3000):  # more than are asked for at once
        s.set("many:%d" % i, "x" * 50)
    d.rpush("list", "old")
    d.sadd("text", "a set of that name")
    d.hset("hash", mapping={"g": "old"})
    d.set("only destination", 1)
    d.set("many:2999", "old")


def stop(job):
    if job.get()["state"] not in ("stopped", "completed"):
        job.act("stop", {"drain": False})
        job.wait(lambda answer: answer["state"] == "stopped", "stopped")


def position(job, destination):
    return destination.client().hgetall("{kf}:%s:0" % job.id)


def test_a_list_that_exists_is_replaced_and_never_appended_to(service, source, destination):
    fill_both(source, destination)
    job = service.job(source.url(), destination.url(), migration=COPY, conflict_mode="overwrite")
    job.check_and_start(ignore_warnings=True).wait_state("completed")
    d = destination.client()
    assert d.lrange("list", 0, -1) == [b"a", b"b"]
    assert d.get("text") == b"new" and d.hgetall("hash") == {b"f": b"new"}
    assert d.get("only destination") == b"1" and d.get("only source") == b"1"


def test_skip_existing_keeps_what_was_there_and_counts_it(service, source, destination):
    fill_both(source, destination)
    job = service.job(source.url(), destination.url(), migration=COPY, conflict_mode="skip_existing")
    job.check_and_start()  # the precheck says how many there are and passes
    answer = job.wait_state("completed")
    d = destination.client()
    assert d.lrange("list", 0, -1) == [b"old"]
    assert d.smembers("text") == {b"a set of that name"} and d.hgetall("hash") == {b"g": b"old"}
    assert d.get("many:2999") == b"old" and d.get("many:0") == b"x" * 50
    full = answer["progress"]["full"]
    assert full["skipped"]["conflict"] == 4 and full["keys_done"] == 3000


def test_a_copy_that_skips_goes_on_after_kills_and_never_skips_what_it_wrote(
        service, source, destination):
    fill_both(source, destination)
    pipe = source.client().pipeline(transaction=False)
    for i in range(40_000):
        pipe.set("more:%d" % i, "y" * 100)
    pipe.execute()
    job = service.job(source.url(), destination.url(), migration=COPY, conflict_mode="skip_existing",
                      throttle={"full": {"enabled": True, "rps": 4000}})
    job.check_and_start()
    killed = set()
    while len(killed) < 3:
        pid = job.wait_child("apply", other_than=killed)
        done = job.get()["progress"]["full"]["keys_done"]
        job.wait(lambda answer: answer["progress"]["full"]["keys_done"] > done, "progress")
        processes.send(pid, signal.SIGKILL)
        killed.add(pid)
    service.request("PUT", job.path + "/throttle", {})
    full = job.wait_state("completed")["progress"]["full"]
    assert full["skipped"]["conflict"] == 4 and full["keys_done"] == 43_000
    assert destination.client().dbsize() == 43_000 + 4 + 1 + 1  # kept, its own, our position


def test_a_copy_that_only_skips_moves_its_mark_and_counts_to_the_end(service, source, destination):
    for server in (source, destination):
        pipe = server.client().pipeline(transaction=False)
        for i in range(30):
            pipe.set("large:%d" % i, os.urandom(1 << 20))
        pipe.execute()
    job = service.job(source.url(), destination.url(), migration=COPY, conflict_mode="skip_existing")
    full = job.check_and_start().wait_state("completed")["progress"]["full"]
    assert full["skipped"]["conflict"] == 30 and full["keys_done"] == 0
    mark = position(job, destination)[b"mark"]
    assert int(mark.split(b":")[0]) > 16 << 20, mark  # so much less of the spool is held


@pytest.mark.full
@pytest.mark.parametrize("mode", ["skip_existing", "fail_on_conflict"])
def test_a_unit_that_is_taken_back_is_not_taken_for_somebody_elses(service, redis_server, request, mode):
    """8.0 refuses the vectors of 8.6: all else of their unit is there when it is tried again."""
    zoo = zoo_servers(300)
    source = redis_server(binary=zoo["redis-8.6"])
    destination = redis_server(binary=zoo["redis-8.0"])
    for i in range(50):
        source.client().sadd("set:%d" % i, "a", i)
    source.client().execute_command("VADD", "vectors", "VALUES", 2, 1, 2, "e")
    if mode == "skip_existing":
        destination.client().sadd("set:7", "old")
    job = service.job(source.url(), destination.url(), migration=COPY, conflict_mode=mode)
    job.check_and_start(ignore_warnings=True)
    for _ in range(2):
        attention = blocked(job)
        assert attention["code"] == "payload_incompatible", attention
        job.act("resume")
        job.wait(lambda seen: seen["state"] == "blocked" and seen["attention"]["since"] > attention["since"],
                 "blocked again")
    d = destination.client()
    assert d.smembers("set:7") == ({b"old"} if mode == "skip_existing" else {b"a", b"7"})
    assert d.smembers("set:8") == {b"a", b"8"}
    stop(job)


def test_fail_on_conflict_stops_before_the_first_key_that_is_there(service, source, destination):
    fill_both(source, destination)
    job = service.job(source.url(), destination.url(), migration=COPY, conflict_mode="fail_on_conflict")
    job.check_and_start()
    attention = blocked(job)
    assert attention["code"] == "destination_conflict"
    names = [b"list", b"text", b"hash", b"many:2999"]
    assert any(hashlib.sha256(n).hexdigest()[:16] in attention["detail"] for n in names), attention
    # Of what had arrived by then; the rest of the snapshot may hold more.
    assert 1 <= int(re.search("at least ([0-9]+)", attention["detail"]).group(1)) <= 4, attention
    d = destination.client()
    assert d.lrange("list", 0, -1) == [b"old"] and d.get("many:2999") == b"old"
    assert d.scard("text") == 1 and d.hgetall("hash") == {b"g": b"old"}
    for name in names[:3]:
        d.delete(name)
    job.act("resume")
    attention = blocked(job)
    assert "at least 1" in attention["detail"], attention
    assert hashlib.sha256(names[3]).hexdigest()[:16] in attention["detail"]
    d.delete(names[3])
    job.act("resume")
    job.wait_state("completed")
    assert d.lrange("list", 0, -1) == [b"a", b"b"] and d.get("many:2999") == b"x" * 50


def test_fail_on_conflict_is_not_had_by_scan(service, source, destination):
    source.client().execute_command("ACL", "SETUSER", "kf", "on", ">pw", "~*", "+@all", "-psync", "-sync")
    source.client().set("a", 1)
    job = service.job(source.url(user="kf:pw"), destination.url(), migration=COPY, conflict_mode="fail_on_conflict")
    job.check_and_start(ignore_warnings=True)
    attention = blocked(job)
    assert attention["code"] == "source_permission_missing" and "SCAN" in attention["detail"], attention
    stop(job)


def test_a_tail_changes_what_the_copy_kept_and_the_job_says_so(service, source, destination):
    source.client().set("counter", 5)
    destination.client().set("counter", 100)
    job = service.job(source.url(), destination.url(), conflict_mode="skip_existing")
    assert "kept_keys_change" in {w["code"] for w in job.get()["warnings"]}
    job.check_and_start().wait_caught_up()
    assert destination.client().get("counter") == b"100"
    source.client().incr("counter")
    wait_marker(source, destination, job=job)
    assert destination.client().get("counter") == b"101"
    stop(job)


def confirmed(destination):
    return {"conflict_mode": "flush_destination", "confirm_flush": "127.0.0.1:%d" % destination.port}


def test_a_flush_happens_once_and_is_never_repeated(service, source, destination):
    fill_both(source, destination)
    destination.client(5).set("elsewhere", 1)
    with pytest.raises(ApiError) as refused:
        service.job(source.url(), destination.url(), conflict_mode="flush_destination")
    assert refused.value.problem["errors"][0]["pointer"] == "/confirm_flush"
    job = service.job(source.url(), destination.url(), **confirmed(destination))
    job.check_and_start().wait_caught_up()
    assert destination.counts() == {0: 3004 + 1}
    assert destination.client().lrange("list", 0, -1) == [b"a", b"b"]
    destination.client().set("written by somebody", 1)
    killed = set()
    for _ in range(2):
        pid = job.wait_child("apply", other_than=killed)
        processes.send(pid, signal.SIGKILL)
        killed.add(pid)
        wait_marker(source, destination, job=job)
    (worker,) = service.pids("worker")
    processes.send(worker, signal.SIGKILL)
    service.wait_role("worker", other_than=[worker])
    wait_marker(source, destination, job=job)
    assert destination.client().get("written by somebody") == b"1"
    assert destination.calls("flushdb") + destination.calls("flushall") <= 16
    stop(job)


def test_the_command_line_asks_for_the_name_of_what_it_empties(service, source, destination):
    source.client().set("a", 1)
    destination.client().set("old", 1)
    flush = ["migrate", source.url(), destination.url(), "--full-only", "--conflict-mode", "flush_destination"]
    found = service.run(*flush)
    assert found.returncode == 2 and "127.0.0.1:%d" % destination.port in found.stderr, found
    assert destination.client().get("old") == b"1"
    found = service.run(*flush, "--confirm-flush", "127.0.0.1:%d" % destination.port)
    assert found.returncode == 0, found
    assert destination.client().get("old") is None and destination.client().get("a") == b"1"


def test_a_flush_of_a_selection_leaves_the_other_databases_alone(service, source, destination):
    source.client(3).set("a", 1)
    for db in (0, 3, 4):
        destination.client(db).set("old", 1)
    only = {"databases": [{"source": 3, "destination": 4}]}
    job = service.job(source.url(), destination.url(), objects=only, migration=COPY,
                      **confirmed(destination))
    job.check_and_start().wait_state("completed")
    assert destination.counts() == {0: 1, 3: 1, 4: 2}
    assert destination.client(4).get("old") is None and destination.client(4).get("a") == b"1"


def test_with_the_scope_of_the_instance_every_database_counts_and_is_flushed(
        service, source, destination):
    source.client(3).set("a", 1)
    destination.client(9).set("old", 1)
    only = {"databases": [{"source": 3}]}
    wide = {"objects": only, "conflict_scope": "instance", "migration": COPY}
    found = service.precheck(source.url(), destination.url(), **wide)
    assert [i["result"] for i in found["items"] if i["id"] == "dst.empty"] == ["fail"]
    narrow = service.precheck(source.url(), destination.url(), objects=only)
    assert [i["result"] for i in narrow["items"] if i["id"] == "dst.empty"] == ["pass"]
    job = service.job(source.url(), destination.url(), **wide, **confirmed(destination))
    job.check_and_start().wait_state("completed")
    assert destination.counts() == {3: 2}


def test_what_another_job_guards_is_never_flushed(service, source, destination):
    source.client().set("a", 1)
    first = service.job(source.url(), destination.url(), objects={"databases": [{"source": 0}]},
                        migration=COPY)
    first.check_and_start().wait_state("completed")
    job = service.job(source.url(), destination.url(), objects={"databases": [{"source": 0, "destination": 7}]},
                      **confirmed(destination))
    destination.client(7).set("old", 1)
    job.check_and_start()  # its own database holds no position
    attention = blocked(job)
    assert attention["code"] == "destination_in_use" and first.id in attention["detail"], attention
    assert destination.client(7).get("old") == b"1" and destination.client().get("a") == b"1"
    destination.client().delete("{kf}:%s:0" % first.id)
    job.act("resume")
    job.wait_caught_up()
    assert destination.client(7).get("old") is None and destination.client(7).get("a") == b"1"
    stop(job)
