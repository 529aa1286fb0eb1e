"""kill -9 of random processes of ours during copy and tail, under traffic whose every effect
counts. KF_CHAOS_SEED repeats a run."""

import os
import random
import time

import pytest
from support.chaos import QUICK_RETRY, ActionLog, finish, need, random_kills
from support.proxy import Proxy
from support.workload import Writer, fill

ROLES = ("up", "postgres", "api", "worker", "receive", "apply")


def chaos(start_service, redis_server, seed, keys, kills_copy, kills_tail, workers=1, slices=None):
    log, rng = ActionLog(seed), random.Random(seed)
    # PostgreSQL is among those killed, and without it nobody takes over: the source has to hold
    # what is written meanwhile, else needs_recopy is the right answer.
    source, destination = redis_server("--repl-backlog-size", "64mb"), redis_server()
    service = start_service(workers=workers, env={"KEYFERRY_FULL_SYNCS_PER_HOUR": "1000",
                                                  "KEYFERRY_LEASE_SECONDS": "3"})
    fill(source.url(), keys, seed=seed)
    with Proxy(destination.port, seed) as proxy, \
            Writer(source.url(), seed, "a", rate=1500) as one, \
            Writer(source.url(), seed, "b", rate=1500) as two:
        proxy.slices = slices
        proxy.rate = 200_000  # so that the copy lasts until it has been disturbed enough
        job = service.job(source.url(), destination.url(port=proxy.port), retry=QUICK_RETRY)
        job.check_and_start()
        job.wait_phase("full")
        try:
            done = random_kills(service, job, log, rng, kills_copy, (0.1, 0.6), ROLES)
            proxy.rate = 0
            job.wait_caught_up(timeout=120)
            log("caught up")
            copies = source.client().info("stats")["sync_full"]
            in_tail = random_kills(service, job, log, rng, kills_tail, (0.1, 0.9), ROLES)
            job.wait_caught_up(timeout=120)
            log("caught up")
        except Exception as why:
            raise AssertionError("%s\n%s" % (why, log)) from why
        assert source.client().info("stats")["sync_full"] == copies, \
            "a kill in the tail took another full copy\n%s" % log
        # A quarter of the keys expires in the meantime, and the writers delete some.
        report = finish(job, source, destination, log, [one, two], keys=keys * 3 // 4,
                        commands=10_000)
    done += in_tail
    need(len(done) == kills_copy + kills_tail, "%d kills" % len(done), log)
    # One that began anew waits for its snapshot before it is seen to copy.
    need(sum(phase in ("full", "snapshot_wait") for _, phase in done) >= min(3, kills_copy),
         "hardly a kill in the copy", log)
    need(len({role for role, _ in done}) >= 4, "only %s were killed" % done, log)
    print("%s\n%s" % (log, report))


def seeds(count):
    fixed = os.environ.get("KF_CHAOS_SEED")
    return [int(fixed)] if fixed else [int(time.time()) * 10 + i for i in range(count)]


def test_twenty_kills_during_copy_and_tail_leave_every_effect_once(start_service, redis_server):
    chaos(start_service, redis_server, seeds(1)[0], 20_000, kills_copy=7, kills_tail=13)


@pytest.mark.full
@pytest.mark.parametrize("round_number", range(8))
def test_sixty_kills_with_two_workers_and_a_link_that_cuts_bytes_into_pieces(
        start_service, redis_server, round_number):
    chaos(start_service, redis_server, seeds(8)[round_number % len(seeds(8))], 60_000, kills_copy=15,
          kills_tail=45, workers=2, slices=(1, 900) if round_number % 2 else None)
