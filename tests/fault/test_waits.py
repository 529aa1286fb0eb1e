"""What a destination or a source cannot do for a while is waited for by name, and then the job goes on where
it was: nothing is lost or done twice."""

import signal
import threading
import time

import pytest
from support import processes
from support.chaos import QUICK_RETRY, ActionLog, finish, need
from support.failpoints import Failpoints
from support.proxy import Proxy
from support.service import wait_marker
from support.workload import Writer, fill


def waits(job, code, kind, target="destination", timeout=90):
    answer = job.wait(lambda job: job["state"] == "retrying" and job["retry_state"]
                      and job["retry_state"]["error"]["code"] == code, "a wait for " + code, timeout)
    retry = answer["retry_state"]
    assert retry["kind"] == kind and retry["target"] == target, retry
    assert retry["attempt"] >= 1 and retry["deadline_at"] > retry["since"], retry
    assert answer["last_error"]["code"] == code, answer["last_error"]
    return retry


def full(server):
    """So many bytes that nothing more is taken; the policy is noeviction."""
    server.client().config_set("maxmemory", max(1, server.client().info("memory")["used_memory"] // 2))


FAULTS = {
    # name: (begin, end, code, which clock)
    "out of memory": (full, lambda s: s.client().config_set("maxmemory", 0),
                      "destination_oom", "other"),
    "read only": (lambda s: (s.client().replicaof("127.0.0.1", "1"),
                             s.client().config_set("replica-read-only", "yes")),
                  lambda s: s.client().replicaof("no", "one"), "destination_readonly", "connection"),
    "without replicas": (lambda s: s.client().config_set("min-replicas-to-write", 1),
                         lambda s: s.client().config_set("min-replicas-to-write", 0),
                         "destination_not_ready", "connection"),
}


@pytest.mark.parametrize("name", ["out of memory", "read only", "without replicas"])
def test_a_destination_that_refuses_for_a_while_is_waited_for_by_name(
        service, source, destination, name):
    begin, end, code, kind = FAULTS[name]
    log = ActionLog(1)
    fill(source.url(), 1500)
    with Writer(source.url(), rate=800, mix="model") as writer:
        job = service.job(source.url(), destination.url(), retry=QUICK_RETRY).check_and_start()
        job.wait_caught_up()
        begin(destination)
        log("%s", name)
        waits(job, code, kind)
        exact = destination.client().hget("{kf}:%s:0" % job.id, "seq")
        time.sleep(1)
        assert destination.client().hget("{kf}:%s:0" % job.id, "seq") == exact
        end(destination)
        log("over")
        wait_marker(source, destination, job=job)
        finish(job, source, destination, log, [writer])


@pytest.mark.parametrize("name", ["out of memory", "read only"])
def test_a_refusal_that_exec_is_the_first_to_meet_is_waited_for_by_name(
        service, source, destination, name):
    """Every command of the unit was queued before: a failover, or memory that filled up, between."""
    begin, end, code, clock = FAULTS[name]
    with Proxy(destination.port) as proxy:
        job = service.job(source.url(), destination.url(port=proxy.port), retry=QUICK_RETRY)
        job.check_and_start(ignore_warnings=True).wait_caught_up()
        wait_marker(source, destination, job=job)
        proxy.hold_after(b"$3\r\nseq\r\n$1\r\n1\r\n")
        source.client().incr("n")
        deadline = time.monotonic() + 20
        while not proxy.held():
            assert time.monotonic() < deadline, "nothing was held back"
            time.sleep(0.02)
        begin(destination)
        proxy.release()
        waits(job, code, clock)
        end(destination)
        wait_marker(source, destination, job=job)
        assert destination.client().get("n") == b"1"
        job.stop()


def test_a_destination_that_saves_nothing_is_waited_for_by_name(service, source, destination):
    """MISCONF comes of a save that failed; the database's file is a directory here."""
    log = ActionLog(1)
    fill(source.url(), 500)
    job = service.job(source.url(), destination.url(), retry=QUICK_RETRY).check_and_start()
    job.wait_caught_up()
    (destination.directory / "dump.rdb").mkdir()
    (destination.directory / "dump.rdb" / "in the way").touch()
    destination.client().config_set("save", "3600 1")
    destination.client().bgsave()
    deadline = time.monotonic() + 60
    while destination.client().info("persistence")["rdb_last_bgsave_status"] != "err":
        need(time.monotonic() < deadline, "the save did not fail", log)
        time.sleep(0.05)
    source.client().set("written", "meanwhile")
    waits(job, "destination_misconf", "other")
    destination.client().config_set("save", "")
    wait_marker(source, destination, job=job)
    assert destination.client().get("written") == b"meanwhile"
    job.stop()


def test_a_destination_that_loads_its_data_is_waited_for_by_name(service, source, redis_server):
    destination = redis_server("--key-load-delay", "1000",
                               "--loading-process-events-interval-bytes", "1024")
    fill(source.url(), 3000)
    job = service.job(source.url(), destination.url(), retry=QUICK_RETRY)
    job.check_and_start(ignore_warnings=True)
    job.wait_caught_up()
    wait_marker(source, destination, job=job)
    destination.client().save()
    destination.kill()
    thread = threading.Thread(target=lambda: destination.start(timeout=60))
    thread.start()
    waits(job, "destination_not_ready", "connection")
    thread.join()
    wait_marker(source, destination, job=job)
    job.stop()


@pytest.mark.full
def test_a_destination_that_takes_no_further_connection_is_written_over_the_one_it_has(
        start_service, source, destination):
    """How full it is is asked over a connection of its own: nothing waits for that one."""
    with Failpoints() as points, Proxy(destination.port) as proxy:
        service = start_service(env=points.env)
        job = service.job(source.url(), destination.url(port=proxy.port), retry=QUICK_RETRY)
        job.check_and_start(ignore_warnings=True)
        job.wait_caught_up()
        apply = job.wait_child("apply")
        points.order("tail.waits-for-stream", "sleep", number=1000)
        processes.send(apply, signal.SIGKILL)
        points.wait_fired("tail.waits-for-stream")
        proxy.mute = True
        source.client().set("written", "meanwhile")
        began = time.monotonic()
        while destination.client().get("written") != b"meanwhile":
            assert time.monotonic() - began < 9, "what is applied waits for a connection that nobody needs"
            time.sleep(0.02)
        proxy.mute = False
        proxy.release()
        wait_marker(source, destination, job=job)
        job.stop()


@pytest.mark.full
def test_a_hung_destination_is_waited_for_and_nothing_is_doubled(service, source, destination):
    log = ActionLog(1)
    fill(source.url(), 1000)
    with Writer(source.url(), rate=800, mix="model") as writer:
        job = service.job(source.url(), destination.url(), retry=QUICK_RETRY).check_and_start()
        job.wait_caught_up()
        processes.send(destination.process.pid, signal.SIGSTOP)
        try:
            time.sleep(4)
            # It is not taken for dead: a FLUSHALL of a large one takes as long.
            assert job.get()["state"] == "running"
        finally:
            processes.send(destination.process.pid, signal.SIGCONT)
        finish(job, source, destination, log, [writer])


def test_a_source_whose_answers_take_longer_than_a_heartbeat_is_acknowledged_all_the_same(
        service, redis_server, destination):
    """Nothing but the clock wakes whoever reads a stream that is silent."""
    source = redis_server("--repl-ping-replica-period", "3600")
    source.client().execute_command("ACL", "SETUSER", "kf", "on", ">pw", "~*", "+@all", "-psetex")
    with Proxy(source.port) as proxy:
        job = service.job(source.url(port=proxy.port, user="kf:pw"), destination.url(),
                          heartbeat={"interval_ms": 200})
        job.check_and_start(ignore_warnings=True)
        job.wait_caught_up()
        wait_marker(source, destination, job=job)
        proxy.delay = 0.15  # each way
        for _ in range(3):  # a busy machine may be late, but not always
            until, late = time.monotonic() + 6, []
            while time.monotonic() < until:
                replica = source.client().info("replication").get("slave0")
                late += [replica] if not replica or replica["lag"] > 4 else []
                time.sleep(0.2)
            if not late:
                break
        assert not late, late
        proxy.delay = 0
        job.stop()
