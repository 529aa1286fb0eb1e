"""What a supervisor does when something happens to a lease, a child, a position or itself."""

import signal
import time

import pytest
from support import processes
from support.failpoints import Failpoints
from support.service import wait_marker


def blocked(job, timeout=60):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        answer = job.get()
        if answer["state"] == "blocked":
            return answer
        time.sleep(0.05)
    raise AssertionError("not blocked: %s" % job.get())


def gone(job, role):
    """Of a job that has just been said to rest a child may be seen for one moment more."""
    left = processes.wait_gone(job.pids(role), 30)
    assert left == [] == job.pids(role), "%s goes on: %s" % (role, left)


def position(job, destination):
    return destination.client().hgetall("{kf}:%s:0" % job.id)


@pytest.fixture
def start(service, source, destination):
    """A job that has caught up."""
    def one():
        job = service.job(source.url(), destination.url()).check_and_start()
        job.wait_caught_up()
        return job

    return one


def types_of(job):
    events = job.service.request("GET", job.path + "/events", headers={"Accept": "application/json"})
    return [event["type"] for event in events["items"]]


def test_a_killed_supervisor_knows_its_leases_at_once(start_service, source, destination):
    """Far below the lease of an hour: it is recognised, not waited for."""
    service = start_service(env={"KEYFERRY_LEASE_SECONDS": "3600"})
    job = service.job(source.url(), destination.url()).check_and_start()
    job.wait_caught_up()
    family = job.pids("apply")
    (worker,) = service.pids("worker")
    processes.send(worker, signal.SIGKILL)
    job.wait_child("apply", other_than=family)
    wait_marker(source, destination, job=job)
    assert job.get()["state"] == "running"
    assert b"tail" == position(job, destination)[b"state"]


def test_sigterm_gives_the_leases_back_and_leaves_the_jobs_running(service, start, source, destination):
    job = start()
    epoch = int(position(job, destination)[b"lease"])
    (worker,) = service.pids("worker")
    processes.send(worker, signal.SIGTERM)
    service.wait_role("worker", other_than=[worker])
    wait_marker(source, destination, job=job)
    assert job.get()["state"] == "running"
    assert int(position(job, destination)[b"lease"]) == epoch + 1
    assert types_of(job).count("running") == 1


def test_a_destination_that_knows_a_newer_lease_is_caught_up_with(service, start, source, destination):
    job = start()
    destination.client().hset("{kf}:%s:0" % job.id, "lease", 500)
    for pid in job.pids("apply"):
        processes.send(pid, signal.SIGKILL)
    wait_marker(source, destination, job=job)
    assert int(position(job, destination)[b"lease"]) == 501
    assert job.get()["state"] == "running"


def test_a_history_that_is_gone_asks_and_the_answer_is_used_once(service, start, source, destination):
    source.client().set("old", 1)
    job = start()
    source.kill()
    source.start()
    source.client().set("new", 1)
    answer = blocked(job)
    assert answer["attention"]["code"] == "needs_recopy"
    assert {c["action"] for c in answer["attention"]["choices"]} == {"resume", "stop"}
    gone(job, "apply")
    gone(job, "receive")
    job.act("resume")  # without an answer it can only ask again
    job.wait(lambda seen: seen["state"] == "blocked" and seen["attention"]["since"] > answer["attention"]["since"],
             "blocked again")
    assert job.get()["attention"]["code"] == "needs_recopy"
    job.act("resume", {"on_full_resync_needed": "overwrite"})
    job.wait_caught_up()
    assert destination.client().get("new") == b"1"
    # The next time is asked anew.
    source.kill()
    source.start()
    assert blocked(job)["attention"]["code"] == "needs_recopy"


def test_a_job_that_can_never_go_on_can_be_stopped(start, source, destination):
    source.client().set("held", 1, ex=5000)
    job = start()
    assert destination.client().pttl("held") > 2 ** 41
    destination.client().delete("{kf}:%s:0" % job.id)
    source.client().set("more", 1)
    assert blocked(job)["attention"]["code"] == "needs_recopy"
    job.act("stop", {"drain": False})
    answer = job.wait(lambda job: job["state"] == "stopped", "stopped")
    assert answer["expiry"]["settled"] is True
    assert 0 < destination.client().pttl("held") <= 5000 * 1000
    assert position(job, destination)[b"state"] == b"stopped"


@pytest.mark.full
def test_a_child_that_always_dies_young_is_trouble_and_one_that_is_killed_is_not(
        service, start, source, destination):
    job = start()
    for _ in range(3):
        pid = job.wait_child("receive")
        processes.send(pid, signal.SIGKILL)
        job.wait_child("receive", other_than=[pid])
    assert job.get()["last_error"] is None
    deadline = time.monotonic() + 90
    while job.get()["state"] != "retrying":
        assert time.monotonic() < deadline
        for pid in job.pids("receive"):
            processes.send(pid, signal.SIGTERM)
        time.sleep(0.02)
    answer = job.get()
    assert answer["last_error"]["code"] == "internal"
    assert "receive" in answer["last_error"]["detail"]
    assert answer["retry_state"]["target"] == "worker"
    wait_marker(source, destination, job=job)
    job.wait(lambda job: job["sync_state"] == "caught_up" and job["retry_state"] is None, "well again")


def test_a_source_that_is_away_is_retried_and_a_pause_does_not_wait_for_it(
        service, start, source, destination):
    job = start()
    source.client().config_set("appendonly", "yes")
    time.sleep(0.5)
    source.kill()
    answer = job.wait(lambda job: job["state"] == "retrying", "retrying")
    assert answer["retry_state"]["kind"] == "connection"
    assert answer["retry_state"]["target"] == "source"
    assert answer["last_error"]["code"] in ("connect_failed", "connection_closed",
                                            "source_connection_lost")
    job.pause()
    job.act("stop", {"drain": False})
    job.wait(lambda job: job["state"] == "stopped", "stopped")
    assert position(job, destination)[b"state"] == b"stopped"


def test_a_claim_that_succeeds_is_no_recovery(start, source, destination):
    job = start()
    destination.client().config_set("client-query-buffer-limit", 1 << 20)
    source.client().set("large", "x" * (3 << 20))  # closes the connection of every attempt
    job.wait(lambda job: job["state"] == "retrying", "retrying")
    until = time.monotonic() + 5
    while time.monotonic() < until:
        answer = job.get()
        assert answer["state"] == "retrying"
        assert answer["retry_state"]["target"] == "destination" and answer["last_error"]
        time.sleep(0.02)
    assert answer["retry_state"]["attempt"] > 2
    destination.client().config_set("client-query-buffer-limit", 1 << 30)
    wait_marker(source, destination, job=job)
    job.wait_caught_up()
    assert types_of(job).count("retrying") == 1


def test_a_stopped_child_cannot_hold_up_a_pause(start, source, destination):
    job = start()
    for pid in job.pids("apply"):
        processes.send(pid, signal.SIGSTOP)
    job.pause()
    gone(job, "apply")
    source.client().set("meanwhile", 1)
    job.resume()
    wait_marker(source, destination, job=job)
    assert destination.client().get("meanwhile") == b"1"


def test_a_drain_is_not_forgotten_by_a_supervisor_that_dies_in_it(service, start, source, destination):
    job = start()
    (apply,) = job.pids("apply")
    processes.send(apply, signal.SIGSTOP)
    client = source.client()
    for i in range(1000):
        client.rpush("list", i)
    job.act("stop")
    time.sleep(2.5)  # reported, most likely: it aims at a drain
    (worker,) = service.pids("worker")
    processes.send(worker, signal.SIGKILL)
    job.wait(lambda job: job["state"] == "stopped", "stopped")
    assert destination.client().llen("list") == 1000


def test_the_budget_of_full_syncs_is_kept_and_waited_for(start_service, source, destination):
    with Failpoints() as points:
        service = start_service(env=dict(points.env, KEYFERRY_FULL_SYNCS_PER_HOUR="1"))
        points.order("receive.snapshot-begins", "kill")
        job = service.job(source.url(), destination.url()).check_and_start()
        answer = job.wait(lambda job: job["state"] == "retrying", "retrying")
    assert answer["last_error"]["code"] == "full_sync_budget"
    assert answer["retry_state"]["kind"] == "wait" and answer["retry_state"]["deadline_at"] is None
    assert source.client().info("stats")["sync_full"] == 1
    job.act("stop")  # it does not wait for a copy that has not begun
    job.wait(lambda job: job["state"] == "stopped", "stopped")
    assert job.get()["progress"]["incremental"]["drained"] is False


def switches(job):
    """How often receive and apply have gone to sleep."""
    return {role: int(processes.status(pid)["voluntary_ctxt_switches"])
            for role in ("receive", "apply") for pid in job.pids(role)}


def spent_in(seconds, job, source, destination):
    """(positions written, what woke the children, what the source was asked) in so many seconds, a second each."""
    before, asked, moved = switches(job), source.calls("info"), destination.calls("hset")
    began = time.monotonic()
    time.sleep(seconds)
    moved, asked, after = destination.calls("hset") - moved, source.calls("info") - asked - 1, switches(job)  # one is ours
    took = time.monotonic() - began
    return moved / took, {role: (after[role] - before[role]) / took for role in before}, asked


def test_a_quiet_tail_wakes_for_its_heartbeat_and_little_else(service, start, source, destination):
    job = start()
    time.sleep(3)  # until the source has said that nobody else writes
    for _ in range(4):  # waits for a disk or a processor wake it, too: one look is enough that has none of them
        moved, woken, asked = spent_in(5, job, source, destination)
        if 0.5 < moved < 1.5 and max(woken.values()) < 4 and asked <= 2:
            break
    assert set(woken) == {"receive", "apply"} and max(woken.values()) < 4, woken
    assert 0.5 < moved < 1.5, "about one position a heartbeat"
    assert asked <= 2
    # Little is asked, and yet a single write of somebody else's is noticed before the source is asked anyway.
    calls = source.calls("info")
    while source.calls("info") == calls + 1:  # ours alone; it is asked each fifteen seconds
        calls += 1
        time.sleep(0.2)

    def written():
        return service.request("GET", job.path + "/clients")["source"]["written_by_others_at"]

    was = written()
    source.client().set("key", "value")
    deadline = time.monotonic() + 12
    while written() == was:
        assert time.monotonic() < deadline
        time.sleep(0.1)
