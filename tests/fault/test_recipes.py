"""The chaos suite in a form of seconds: the recipe that passes every named place, and one of the others,
another one each time. tests/chaos runs all of them for minutes and with many seeds; KF_CHAOS_SEED
repeats a run, KF_CHAOS_RECIPE chooses."""

import os
import time

import pytest
from support.chaos import Divergence, Vacuous
from support.failpoints import NAMES, Failpoints
from support.recipes import RECIPES, Run
from support.recipes.refusals import GENERATIONS, begin, resumed
from support.service import has_faults
from support.zoo_servers import zoo_servers

SEED = int(os.environ.get("KF_CHAOS_SEED") or time.time())
# What another test of this folder holds in its own way is left to tests/chaos.
OTHERS = ("T3", "T4", "T5", "T6", "T9", "T10", "T12", "T13", "T14", "T15", "T18", "T22", "T22b", "T28", "T37",
          "X1", "X1s", "X2", "X4")
CHOSEN = os.environ.get("KF_CHAOS_RECIPE") or OTHERS[SEED % len(OTHERS)]


@pytest.fixture
def carry_out():
    if not has_faults():
        pytest.fail("this build has no fault switches: configure it with KF_FAULTS=ON")
    runs = []

    def start(name, binary=None, seconds=None):
        recipe = RECIPES[name]
        runs.append(Run(SEED, seconds or recipe.brief, binary))
        recipe.function(runs[0])
        print("%s, seed %d: %s\n%s" % (name, SEED, dict(runs[0].faults), runs[0].log))
        return runs[0]

    yield start
    for run in runs:
        run.close()


def test_every_named_place_is_passed_and_a_crash_there_leaves_every_effect_once(carry_out):
    run = carry_out("T2")
    assert run.points.fired() == set(NAMES) and len(NAMES) >= 60


def test_a_destination_that_evicts_a_few_keys_blocks_the_job(carry_out):
    carry_out("T16")


def test_a_right_that_a_script_lacks_stops_it_before_its_first_write():
    """Else the position would move and the data would not."""
    run = Run(SEED, 1)
    try:
        admin = begin(run, rate=500, rights="+@all -info")
        for word in ("-hincrby", "-select", "-hset"):
            admin.execute_command("ACL", "SETUSER", "kf", word)
            time.sleep(0.7)  # HINCRBY is not needed any more, the others are missed within that time
            admin.execute_command("ACL", "SETUSER", "kf", "+@all", "-info")
            run.harm(word)
            resumed(run)
        run.finish(run.job, run.source, run.destination, commands=300)
    finally:
        run.close()


def test_a_receive_that_ends_within_a_drain_comes_back():
    """As one does that was asked to pause when the stop came; else the drain would never end."""
    run = Run(SEED, 1)
    try:
        source, destination = run.redis(), run.redis()
        run.fill(source, 1200, expiring=0)
        run.service()
        run.writer(source, "a")
        job = run.start(source.url(), destination.url())
        run.points.order("receive.drain-sampled", "exit")
        run.harm("an end within a drain")
        run.finish(job, source, destination, commands=10)
        assert "receive.drain-sampled" in run.points.fired()
    finally:
        run.close()


def test_the_ends_are_exact_after(carry_out):
    carry_out(CHOSEN)


@pytest.mark.full
@pytest.mark.parametrize("name", OTHERS)
def test_the_ends_are_exact_after_each(carry_out, name):
    carry_out(name)


@pytest.mark.full
@pytest.mark.parametrize("name", ("X1", "X2", "X4"))
@pytest.mark.parametrize("server", GENERATIONS)
def test_no_hole_and_no_double_on(carry_out, server, name):
    carry_out(name, zoo_servers(seconds=120)[server], seconds=12)


def test_a_run_in_which_no_fault_strikes_is_invalid():
    run = Run(SEED, 1)
    try:
        with pytest.raises(Vacuous):
            run.finish(None, None, None)
    finally:
        run.close()


def test_an_order_for_an_unknown_place_is_refused():
    with Failpoints() as points, pytest.raises(AssertionError):
        points.order("no.such-place")


@pytest.mark.full
def test_a_lost_key_is_found_by_the_comparison():
    """The recipes' judge, with the destination changed by hand."""
    run = Run(SEED, 1)
    try:
        source, destination = run.redis(), run.redis()
        run.fill(source, 1500, expiring=0)
        run.service()
        job = run.start(source.url(), destination.url())
        run.harm("a key is taken away")
        victim = next(key for key in destination.client(3).scan_iter(count=10) if key.startswith(b"fill:"))
        destination.client(3).delete(victim)
        with pytest.raises(Divergence):
            run.finish(job, source, destination)
    finally:
        run.close()
