"""A spool that has no room for what must be in it whole: the job says so, instead of waiting for ever."""

import os

import pytest
from support.compare import compare
from support.recopy import wait_blocked
from support.service import wait_marker

MB = 1 << 20


@pytest.fixture
def small(start_service):
    """The smallest spool there is."""
    return start_service(env={"KEYFERRY_SPOOL_QUOTA_BYTES": str(96 * MB)})


def grow(service):
    service.stop()
    service.env["KEYFERRY_SPOOL_QUOTA_BYTES"] = str(512 * MB)
    service.start()


def names_the_setting(attention):
    assert "KEYFERRY_SPOOL_QUOTA_BYTES" in attention["detail"], attention
    assert "100663296" in attention["detail"], attention


def test_a_value_of_the_snapshot_that_the_spool_has_no_room_for_is_named(small, source, destination):
    source.client().config_set("rdbcompression", "no")
    source.client().set("large", os.urandom(MB) * 100)
    job = small.job(source.url(), destination.url()).check_and_start(ignore_warnings=True)
    names_the_setting(wait_blocked(job, "spool_too_small", timeout=60))
    grow(small)
    job.act("resume")
    job.wait_caught_up()
    assert destination.client().strlen("large") == 100 * MB
    job.stop()


@pytest.mark.full
def test_a_transaction_that_the_spool_has_no_room_for_is_named(small, redis_server, destination):
    source = redis_server("--repl-backlog-size", "256mb")
    source.client().set("a", 1)
    job = small.job(source.url(), destination.url()).check_and_start(ignore_warnings=True)
    job.wait_caught_up()
    pipe = source.client().pipeline(transaction=True)
    for i in range(4):
        pipe.set("part:%d" % i, os.urandom(MB) * 30)
    pipe.execute()
    names_the_setting(wait_blocked(job, "spool_too_small", timeout=60))
    assert not destination.client().exists("part:0")
    grow(small)
    job.act("resume")
    wait_marker(source, destination, job=job)
    job.stop()
    assert compare(source.url(), destination.url()).equal
