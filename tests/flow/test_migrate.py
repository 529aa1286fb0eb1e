"""A migration from one command or one API call to the end, between two stock servers under
traffic; the verdict is an independent client's."""

import json
import time

import pytest
from support.compare import HELD_MS, compare
from support.service import ApiError, wait_marker
from support.workload import DATABASES, Pipe, Writer, check_model, fill, pack

SMALL = 9000


def position_key(job_id):
    return b"{kf}:%s:0" % job_id.encode()


def assert_moved(source, destination, acknowledged=None, mapping=None, keys=SMALL):
    """Everything equal, and enough of it to mean something."""
    report = compare(source.url(), destination.url(), mapping)
    assert report.equal, report
    assert report.equal_keys > keys * 0.9, "too little was compared: %s" % report
    if acknowledged:
        assert acknowledged["commands"] > 500, "the writer hardly wrote: %s" % acknowledged
        assert check_model(destination.url(), acknowledged, mapping) == []
    return report


def full_syncs(source):
    return source.client().info("stats")["sync_full"]


def held_expiries(server):
    """(keys with an expiry that is held, keys with one that is not), of everything but ours."""
    held = plain = 0
    for db in server.counts():
        client = server.client(db)
        for key in client.scan_iter(count=1000):
            at = client.execute_command("PEXPIRETIME", key)
            if at >= HELD_MS:
                held += 1
            elif at > 0:
                plain += 1
    return held, plain


def test_one_command_moves_200000_keys_under_a_writer(service, source, destination):
    fill(source.url(), 200_000)
    with Writer(source.url()) as writer:
        result = service.run("migrate", source.url(), destination.url(), "--until", "caught-up",
                             "--name", "two hundred thousand", "--json", timeout=600)
        assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
        lines = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
        assert lines, "--json prints one object a line: %r" % result.stdout[:500]
        job_id = next(j["id"] for j in service.request("GET", "/v1/jobs")["items"]
                      if j["name"] == "two hundred thousand")
        time.sleep(1)
        acknowledged = writer.stop()
    wait_marker(source, destination, timeout=300)
    # While the job runs no expiry can run out on the destination before it does on the source.
    report = compare(source.url(), destination.url(), held=True)
    assert report.equal and report.with_expiry > 30_000, report
    result = service.run("job", "stop", job_id, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    deadline = time.monotonic() + 60
    while service.request("GET", "/v1/jobs/" + job_id)["state"] != "stopped":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    job = service.request("GET", "/v1/jobs/" + job_id)
    assert job["expiry"]["settled"] is True
    report = assert_moved(source, destination, acknowledged, keys=200_000)
    assert set(report.types) == {"string", "hash", "list", "set", "zset", "stream"}
    assert set(report.per_database) == set(DATABASES)
    assert report.with_expiry > 30_000
    # Of ours there is what the README names and nothing else.
    assert report.ours_destination == [(0, position_key(job_id))]
    for db, key in report.ours_source:
        assert key.startswith(b"DTS_REDIS_TIMESTAMP_HEARTBEAT"), key
        ttl = source.client(db).ttl(key)
        assert ttl == -2 or 0 <= ttl <= 10, "the heartbeat key expires by itself"
    assert full_syncs(source) == 1


def test_a_full_copy_without_a_tail_completes_by_itself(service, source, destination):
    fill(source.url(), SMALL)
    job = service.job(source.url(), destination.url(),
                      migration={"full": True, "incremental": False}, heartbeat={"mode": "off"})
    job.check_and_start()
    job.wait_state("completed")
    held, plain = held_expiries(destination)
    assert held == 0 and plain > SMALL / 10
    report = assert_moved(source, destination)
    assert report.entries_read == [], "a copied stream keeps its groups' entries-read"
    assert report.ours_source == []
    source.client().set("after", 1)
    time.sleep(1.5)
    assert destination.client().get("after") is None


def test_pause_keeps_what_comes_and_resume_goes_on(service, source, destination):
    fill(source.url(), SMALL)
    with Writer(source.url()) as writer:
        job = service.job(source.url(), destination.url()).check_and_start()
        job.wait_caught_up()
        before = full_syncs(source)
        job.pause()
        still = destination.client().dbsize()
        source.client().set("written while paused", 1)
        time.sleep(1)
        assert destination.client().get("written while paused") is None
        assert abs(destination.client().dbsize() - still) < 2
        job.resume()
        job.wait_caught_up()
        acknowledged = writer.stop()
    wait_marker(source, destination)
    assert full_syncs(source) == before, "resuming took another full copy"
    job.stop()
    assert_moved(source, destination, acknowledged)


def test_stop_without_drain_settles_what_is_there(service, source, destination):
    fill(source.url(), SMALL)
    with Writer(source.url()) as writer:
        job = service.job(source.url(), destination.url()).check_and_start()
        job.wait_caught_up()
        assert held_expiries(destination)[0] > SMALL / 10
        job.stop(drain=False)
        writer.stop()
    held, plain = held_expiries(destination)
    assert held == 0 and plain > SMALL / 10
    # What was copied and not written since is equal to the millisecond.
    report = compare(source.url(), destination.url())
    touched = [row for name in ("missing", "extra", "differ", "ttl")
               for row in getattr(report, name) if row[1].startswith(b"fill:")]
    assert touched == []
    assert report.equal_keys > SMALL * 0.9
    source.client().set("after", 1)
    time.sleep(1.5)
    assert destination.client().get("after") is None


def test_expiries_are_exact_after_a_stop_and_short_ones_run_out_as_on_the_source(
        service, source, destination):
    now = int(time.time() * 1000)
    client = source.client()
    for i in range(200):
        client.set("soon:%d" % i, 1, pxat=now + 3000 + i)
        client.set("late:%d" % i, 1, pxat=now + 10**7 + i)
    job = service.job(source.url(), destination.url()).check_and_start()
    job.wait_caught_up()
    for i in range(200):
        client.set("tail:%d" % i, 1, px=1500 + i)
    wait_marker(source, destination)
    time.sleep(max(0.0, (now + 4500) / 1000 - time.time()))
    assert client.dbsize() >= 200
    deadline = time.monotonic() + 60
    while destination.client().exists(*["soon:%d" % i for i in range(200)],
                                      *["tail:%d" % i for i in range(200)]):
        list(client.scan_iter(count=1000))  # the source finds the expired ones
        assert time.monotonic() < deadline, "expired keys stay on the destination"
        time.sleep(0.1)
    assert compare(source.url(), destination.url(), held=True).equal
    job.stop()
    assert_moved(source, destination, keys=200)


def test_databases_are_mapped(service, source, destination):
    fill(source.url(), SMALL)
    with Writer(source.url(), databases=(0, 3)) as writer:
        job = service.job(source.url(), destination.url(), objects={"databases": [
            {"source": 0, "destination": 5}, {"source": 3, "destination": 3}]}).check_and_start()
        job.wait_caught_up()
        acknowledged = writer.stop()
    wait_marker(source, destination, 0, destination_db=5)
    job.stop()
    mapping = {0: 5, 3: 3}
    report = assert_moved(source, destination, acknowledged, mapping, keys=SMALL * 2 / 3)
    assert set(destination.counts()) == {3, 5}, "nothing of database 9, nothing elsewhere"
    assert report.ours_destination == [(3, position_key(job.id))], "in the lowest mapped database"


def test_the_command_line_maps_a_database_too(service, source, destination):
    fill(source.url(), 900)
    result = service.run("migrate", source.url(), destination.url(), "--full-only", "--database", "3:7",
                         "--until", "stopped")
    assert result.returncode == 0, result.stdout + result.stderr
    assert set(destination.counts()) - {7} == set()
    assert_moved(source, destination, mapping={3: 7}, keys=300)


def test_a_restart_of_the_service_resumes_every_job(start_service, redis_server):
    service = start_service()
    pairs = [(redis_server(), redis_server()) for _ in range(2)]
    writers, jobs = [], []
    try:
        for number, (a, b) in enumerate(pairs):
            fill(a.url(), SMALL, seed=number)
            writers.append(Writer(a.url(), seed=number))
            jobs.append(service.job(a.url(), b.url()).check_and_start())
        for job in jobs:
            job.wait_caught_up()
        code, left = service.stop()
        assert code == 0 and left == []
        time.sleep(1)  # written while nobody is there
        service.start()
        for job in jobs:
            job.wait_caught_up()
        results = [writer.stop() for writer in writers]
    finally:
        for writer in writers:
            writer.close()
    for (a, b), job, acknowledged in zip(pairs, jobs, results):
        wait_marker(a, b)
        assert full_syncs(a) == 1, "the restart took another full copy"
        job.stop()
        assert_moved(a, b, acknowledged)


def test_commands_that_touch_whole_databases_and_large_units_arrive(service, source, destination):
    fill(source.url(), 3000)
    job = service.job(source.url(), destination.url()).check_and_start()
    job.wait_caught_up()
    pipe = Pipe(source.url())
    pipe.run([pack("SELECT", 3), pack("FLUSHDB"), pack("SET", "after flushdb", 1), pack("INCR", "n"),
              pack("SELECT", 0), pack("INCR", "n"), pack("SWAPDB", 0, 3), pack("INCR", "n"),
              pack("SELECT", 3), pack("INCR", "n"), pack("SWAPDB", 9, 5), pack("SET", "s", 1)])
    pipe.run([pack("MULTI")] + [pack("RPUSH", "large unit", i) for i in range(20_000)] + [pack("EXEC")])
    pipe.run([pack("SET", "large value", b"v" * 6_000_000), pack("APPEND", "large value", b"w" * 2_000_000)])
    pipe.run([pack("MSET", *(x for i in range(3000) for x in ("many:%d" % i, i)))])
    pipe.run([pack("FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('f', function(keys) "
                   "return redis.call('INCR', keys[1]) end)"), pack("FCALL", "f", 1, "by function")])
    pipe.run([pack("SET", "kept", 1), pack("PUBLISH", "channel", "message")])
    wait_marker(source, destination, 3)
    job.get()
    assert job.state == "running"
    job.stop()
    assert_moved(source, destination, keys=2000)


def test_a_flushed_source_leaves_an_empty_destination(service, source, destination):
    fill(source.url(), 3000)
    job = service.job(source.url(), destination.url()).check_and_start()
    job.wait_caught_up()
    source.client().flushall()
    source.client(9).set("one", 1)
    wait_marker(source, destination, 9)
    assert job.state == "running", "a FLUSHALL of the source is no accident of the destination"
    source.client(9).incr("n")
    wait_marker(source, destination, 9)
    job.stop()
    report = compare(source.url(), destination.url())
    assert report.equal and report.per_database[9] == (3, 3), report


def test_overlapping_jobs_are_refused_and_a_second_one_after_a_stop_is_not(service, redis_server):
    a, b, c = redis_server(), redis_server(), redis_server()
    a.client().set("k", 1)
    job = service.job(a.url(), b.url()).check_and_start()
    job.wait_caught_up()
    with pytest.raises(ApiError) as refused:
        other = service.job(c.url(), b.url(), conflict_mode="overwrite")
        other.precheck(ignore_warnings=True)
        other.act("start")
    assert refused.value.status == 409
    assert refused.value.problem["code"] == "selection_overlaps"
    job.stop()
    # The emptiness check does not count what is ours, so an emptied destination is empty.
    b.client().delete("k")
    again = service.job(a.url(), b.url()).check_and_start()
    again.wait_caught_up()
    again.stop()
    assert b.client().get("k") == b"1"
