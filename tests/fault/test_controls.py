"""Negative controls: with one mechanism switched off, the test that guards it must find a
difference. A control that passes unnoticed means the test proves nothing.

KEYFERRY_TEST_FAULTS is read by builds with KF_FAULTS only.
"""

import time

import pytest
from support import chaos
from support.recipes import RECIPES, Run
from support.recopy import copy_over_an_older_one
from support.service import Blocked, has_faults

# What is switched off: (fault switch or None, scenario that must notice, options of the scenario).
# Holding expiries can be switched off by the job itself.
CONTROLS = {
    "the position moves outside the unit": (
        "position_outside_unit", chaos.unit_whose_reply_is_lost, {}),
    "the claim is left out": ("claim_left_out", chaos.children_of_a_lost_worker, {}),
    "the copy is not fenced": ("copy_unfenced", chaos.copy_that_arrives_late, {"stop": True}),
    "nothing is swept": ("sweep_left_out", copy_over_an_older_one, {}),
    "expiries are not held": (None, chaos.sessions_that_are_renewed, {"expiry": "exact"}),
}


@pytest.mark.control
@pytest.mark.parametrize("name", CONTROLS)
def test_the_guard_notices_when(start_service, source, destination, name):
    if not has_faults():
        pytest.fail("this build has no fault switches: configure it with KF_FAULTS=ON")
    fault, scenario, options = CONTROLS[name]
    service = start_service(workers=2, env={
        "KEYFERRY_TEST_FAULTS": fault or "", "KEYFERRY_LEASE_SECONDS": "3",
        "KEYFERRY_FULL_SYNCS_PER_HOUR": "100"})
    with pytest.raises((chaos.Divergence, Blocked)) as found:
        scenario(service, source, destination, **options)
    print(found.value)
    if found.type is Blocked:
        assert found.value.code == "diverged"


def noticed(function, seconds):
    """The recipe with the position moved outside the unit: how it was noticed."""
    if not has_faults():
        pytest.fail("this build has no fault switches: configure it with KF_FAULTS=ON")
    run = Run(int(time.time()), seconds)
    run.switched_off = "position_outside_unit"
    try:
        with pytest.raises((chaos.Divergence, Blocked)) as found:
            function(run)
    finally:
        run.close()
    print(found.value)
    if found.type is Blocked:
        assert found.value.code == "diverged"


def killed_between(run):
    """Behind the unit's replies, before the position: what the places of the table are for."""
    source, destination = run.redis("--repl-backlog-size", "64mb"), run.redis()
    run.fill(source, 1500)
    run.service()
    run.writer(source, "a", mix="model")
    job = run.start(source.url(), destination.url())
    for _ in range(3):
        run.points.order("lane.replies-judged", "kill")
        run.points.wait_fired("lane.replies-judged")
        run.harm("kill at a place")
        run.marker(source, destination, job)
    run.finish(job, source, destination)


@pytest.mark.control
def test_a_crash_at_a_named_place_is_noticed_when_the_position_moves_outside_the_unit():
    noticed(killed_between, 1)


@pytest.mark.control
@pytest.mark.full
@pytest.mark.parametrize("name", ["X2", "T3"])
def test_the_recipe_notices_that_the_position_moves_outside_the_unit(name):
    noticed(RECIPES[name].function, 30)
