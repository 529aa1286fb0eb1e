"""One fault at a time, placed where it hurts."""

import signal
import time

import pytest
from support import chaos, processes
from support.chaos import QUICK_RETRY, ActionLog, finish, need
from support.proxy import Proxy
from support.service import wait_marker
from support.workload import Writer, fill

BLOCKED_WITHIN = 60  # seconds


def full_syncs(source):
    return source.client().info("stats")["sync_full"]


def test_a_unit_whose_reply_is_lost_takes_effect_once(service, source, destination):
    chaos.unit_whose_reply_is_lost(service, source, destination)


def test_a_unit_that_arrives_behind_its_successor_has_no_effect(service, source, destination):
    chaos.unit_that_arrives_late(service, source, destination)


def test_a_part_of_the_copy_that_arrives_in_the_tail_has_no_effect(start_service, source, destination):
    service = start_service(env={"KEYFERRY_FULL_SYNCS_PER_HOUR": "100"})
    chaos.copy_that_arrives_late(service, source, destination)


def test_a_stopped_copy_that_is_continued_after_a_takeover_has_no_effect(
        start_service, source, destination):
    service = start_service(workers=2, env={"KEYFERRY_LEASE_SECONDS": "3",
                                            "KEYFERRY_FULL_SYNCS_PER_HOUR": "100"})
    chaos.copy_that_arrives_late(service, source, destination, stop=True)


def test_sessions_renewed_over_a_standing_link_are_not_lost(service, source, destination):
    chaos.sessions_that_are_renewed(service, source, destination)


def test_a_stopped_worker_that_is_continued_after_a_takeover_changes_nothing(
        start_service, source, destination):
    service = start_service(workers=2, env={"KEYFERRY_LEASE_SECONDS": "3"})
    chaos.worker_that_is_continued(service, source, destination, rounds=3)


@pytest.mark.full
def test_thirty_workers_that_are_continued_behind_a_takeover_change_nothing(
        start_service, source, destination):
    service = start_service(workers=2, env={"KEYFERRY_LEASE_SECONDS": "3"})
    chaos.worker_that_is_continued(service, source, destination, rounds=30)


def test_children_of_a_lost_worker_are_fenced(start_service, source, destination):
    service = start_service(workers=2, env={"KEYFERRY_LEASE_SECONDS": "3"})
    chaos.children_of_a_lost_worker(service, source, destination)


def test_a_copy_that_another_worker_begins_anew_leaves_nothing_of_the_first(
        start_service, source, destination):
    """The second snapshot is of another moment: what the source deleted in between is gone."""
    log = ActionLog(1)
    service = start_service(workers=2, env={"KEYFERRY_LEASE_SECONDS": "3",
                                            "KEYFERRY_FULL_SYNCS_PER_HOUR": "100"})
    fill(source.url(), 9000)
    with Proxy(destination.port) as proxy:
        proxy.rate = 150_000
        job = service.job(source.url(), destination.url(port=proxy.port)).check_and_start()
        deadline = time.monotonic() + 90
        while sum(destination.counts().values()) < 3000:
            need(time.monotonic() < deadline, "the copy did not begin", log)
            time.sleep(0.01)
        apply = job.wait_child("apply")
        worker = int(processes.status(apply)["PPid"])
        family = [worker] + processes.descendants(worker)
        for pid in family:
            processes.send(pid, signal.SIGSTOP)
        copied = destination.counts()
        need(sum(copied.values()) < 8900, "the copy was already over", log)
        for db in source.counts():
            client = source.client(db)
            for number, key in enumerate(list(client.scan_iter(match="fill:*", count=1000))):
                if number % 2:
                    client.delete(key)
        log("stopped with %s copied; half of the keys deleted: %s", copied, source.counts())
        proxy.rate = 0
        job.wait_child("apply", other_than=family)
        log("another worker copies")
        wait_marker(source, destination, job=job)
        for pid in family:
            processes.send(pid, signal.SIGCONT)
        finish(job, source, destination, log, keys=4000)


def test_a_source_link_that_is_cut_again_and_again_resumes(service, source, destination):
    log = ActionLog(1)
    fill(source.url(), 3000)
    with Proxy(source.port) as proxy, Writer(source.url(), rate=2000) as writer:
        job = service.job(source.url(port=proxy.port), destination.url(), retry=QUICK_RETRY)
        job.check_and_start()
        job.wait_caught_up()
        proxy.slices = (1, 900)
        before, cut = full_syncs(source), 0
        for _ in range(8):
            deadline = time.monotonic() + 60
            while not proxy.links():
                need(time.monotonic() < deadline, "it does not connect again", log)
                time.sleep(0.01)
            time.sleep(0.4)
            cut += proxy.cut()
        proxy.stall()
        log("cut %d connections, then silence", cut)
        time.sleep(2)
        proxy.cut()
        need(cut >= 4, "the link was hardly ever up", log)
        job.wait_caught_up()
        assert full_syncs(source) == before, "a cut link took another full copy\n%s" % log
        finish(job, source, destination, log, [writer])


def test_a_destination_link_that_is_cut_again_and_again_repeats_nothing(service, source, destination):
    log = ActionLog(1)
    fill(source.url(), 3000)
    with Proxy(destination.port) as proxy, Writer(source.url(), rate=2000) as writer:
        job = service.job(source.url(), destination.url(port=proxy.port), retry=QUICK_RETRY)
        job.check_and_start()
        job.wait_caught_up()
        for turn in range(8):
            proxy.slices = (1, 300) if turn % 2 else None
            deadline = time.monotonic() + 60
            while not proxy.links():
                need(time.monotonic() < deadline, "it does not connect again", log)
                time.sleep(0.01)
            time.sleep(0.2)
            log("cut %d connections", proxy.cut())
        finish(job, source, destination, log, [writer])


def test_a_destination_that_is_killed_and_comes_back_with_its_aof(service, source, redis_server):
    log = ActionLog(1)
    destination = redis_server("--appendonly", "yes", "--appendfsync", "always")
    fill(source.url(), 3000)
    with Writer(source.url(), rate=1500) as writer:
        job = service.job(source.url(), destination.url(), retry=QUICK_RETRY)
        job.check_and_start(ignore_warnings=True)
        job.wait_caught_up()
        for _ in range(3):
            destination.kill()
            log("destination killed")
            time.sleep(0.5)
            destination.start()
            wait_marker(source, destination)
        finish(job, source, destination, log, [writer])


def test_a_killed_service_finds_its_job_and_its_position_again(start_service, source, destination):
    log = ActionLog(1)
    service = start_service()
    fill(source.url(), 3000)
    with Writer(source.url(), rate=1500) as writer:
        job = service.job(source.url(), destination.url()).check_and_start()
        job.wait_caught_up()
        for _ in range(2):
            service.kill()
            log("up killed")
            service.start()
            job.wait_caught_up()
        assert full_syncs(source) == 1
        finish(job, source, destination, log, [writer])


def wait_blocked(job, codes):
    began = time.monotonic()
    answer = job.wait_state("blocked", timeout=BLOCKED_WITHIN)
    attention = answer["attention"]
    assert attention["code"] in codes, attention
    assert attention["if_you_wait"] and attention["choices"], attention
    return time.monotonic() - began


@pytest.mark.parametrize("traffic", [True, False], ids=["busy", "idle"])
def test_a_destination_that_somebody_flushed_blocks_the_job(service, source, destination, traffic):
    fill(source.url(), 1500)
    job = service.job(source.url(), destination.url()).check_and_start()
    job.wait_caught_up()
    with Writer(source.url(), rate=1000 if traffic else 1) as writer:
        if traffic:
            time.sleep(0.5)
        destination.client().flushall()
        wait_blocked(job, ("needs_recopy", "position_missing"))
        time.sleep(1)
        assert destination.counts() == {}, "something was written after the position was gone"
        writer.stop()
    job.act("stop", {"drain": False})


def test_a_command_that_fails_on_the_destination_blocks_the_job(service, source, destination):
    source.client().rpush("list", 1)
    job = service.job(source.url(), destination.url()).check_and_start()
    job.wait_caught_up()
    destination.client().set("list", "somebody's string")
    source.client().rpush("list", 2)
    wait_blocked(job, ("diverged",))
    source.client().set("after", 1)
    time.sleep(1)
    assert destination.client().get("after") is None, "a diverged job goes on writing"
    job.act("stop", {"drain": False})


def test_the_data_plane_goes_on_while_the_control_database_is_away(start_service, source, destination):
    log = ActionLog(1)
    service = start_service()
    fill(source.url(), 1500)
    with Writer(source.url(), rate=1000) as writer:
        job = service.job(source.url(), destination.url()).check_and_start()
        job.wait_caught_up()
        children = job.pids("apply") + job.pids("receive")
        (postmaster,) = service.pids("postgres")
        family = [postmaster] + processes.descendants(postmaster)
        for pid in family:
            processes.send(pid, signal.SIGSTOP)
        log("PostgreSQL stands still")
        try:
            for _ in range(10):
                wait_marker(source, destination)
                time.sleep(1)
            assert job.pids("apply") + job.pids("receive") == children, log
        finally:
            for pid in family:
                processes.send(pid, signal.SIGCONT)
        job.wait_caught_up()
        # And killed outright: it comes back, and nothing is taken twice.
        (postmaster,) = service.pids("postgres")
        processes.send(postmaster, signal.SIGKILL)
        wait_marker(source, destination)
        service.wait_role("postgres", other_than=[postmaster])
        job.wait_caught_up()
        assert full_syncs(source) == 1
        finish(job, source, destination, log, [writer])
