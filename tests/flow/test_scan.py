"""Full copies without PSYNC: from an account that may only read keys (SCAN and DUMP), and from
a snapshot file. The verdict is an independent client's."""

import os
import pathlib
import random
import shutil
import signal
import tempfile
import time

import pytest
from support.compare import compare
from support.redis_fixture import RedisServer
from support.service import ApiError, Service
from support.workload import DATABASES, Writer, fill

KEYS = 20_000
FULL_ONLY = {"full": True, "incremental": False}
READER = "mig:geheim"
RIGHTS = ("+scan", "+dump", "+pttl", "+pexpiretime", "+select", "+time", "+info", "+ping")


def reader(server, *more, rights=RIGHTS, keys=("~*",)):
    """An account of the source that may read keys and not replicate."""
    server.client().execute_command("ACL", "SETUSER", "mig", "reset", "on", ">geheim", *keys, *rights, *more)
    return server.url(user=READER)


def item(precheck, check):
    return next(i for i in precheck["items"] if i["id"] == check)


def refused(service, code=422, **body):
    with pytest.raises(ApiError) as error:
        service.request("POST", "/v1/jobs", dict({"kind": "migration"}, **body))
    assert error.value.status == code
    return [e["pointer"] for e in error.value.problem["errors"]]


def assert_equal(source, destination, keys=KEYS):
    report = compare(source.url(), destination.url())
    assert report.equal, report
    assert report.equal_keys > keys * 0.9, report
    return report


def story(service, word):
    """Log lines of the workers and their children that speak of `word`."""
    return [line for text in service.logs().values() for line in text.splitlines() if word in line]


def kill(service, job, role):
    """kill -9 of a process that is there, while the copy goes on."""
    while True:
        pid = service.wait_role(role)[0] if role == "worker" else job.wait_child(role)
        assert job.state != "completed", "the copy was over before all was killed"
        try:
            os.kill(pid, signal.SIGKILL)
            return
        except ProcessLookupError:
            pass  # it ended by itself, with the one that was killed before


# ---------------------------------------------------------------- SCAN


def test_an_account_without_psync_copies_by_scan(service, source, destination):
    fill(source.url(), KEYS)
    client = source.client()
    client.set(b"", b"the empty name")
    client.set("large", os.urandom(6_000_000))
    client.set("lately", "x", pxat=int(time.time() * 1000) + 10**9 + 123)
    client.function_load("#!lua name=lib\nredis.register_function('f', function() return 1 end)")
    url = reader(source, "+function|dump")
    before = source.counts()
    job = service.job(url, destination.url(), migration=FULL_ONLY)
    check = job.precheck()
    assert check["state"] == "passed", check
    assert check["plan"]["method"] == "SCAN and DUMP" and check["plan"]["source_forks"] == 0
    for name in ("src.psync_permission", "src.replconf_permission"):
        assert item(check, name)["result"] == "skipped"
        assert "SCAN" in item(check, name)["message"]
    assert item(check, "src.read_permission")["result"] == "pass"
    job.act("start")
    done = job.wait_state("completed")
    report = assert_equal(source, destination)
    assert set(report.types) == {"string", "hash", "list", "set", "zset", "stream"}
    assert set(report.per_database) == set(DATABASES) and report.with_expiry > KEYS / 10
    assert report.ours_source == [], "nothing was written to the source"
    assert done["consistency"] == "exact" and done["source"]["version"]
    full = done["progress"]["full"]
    assert full["percent"] == 100.0 and full["keys_total"] == sum(before.values())
    # SCAN may name a key twice, and each costs one DUMP.
    assert KEYS * 0.9 < full["keys_done"] <= source.calls("dump")
    assert client.info("stats")["sync_full"] == 0 and source.calls("psync") == 0


def test_a_source_that_is_written_promises_nothing(service, source, destination):
    fill(source.url(), 3000)
    with Writer(source.url()):
        job = service.job(source.url(), destination.url(),
                          migration=dict(FULL_ONLY, read_mode="scan"),
                          throttle={"full": {"source_qps": 3000}})
        check = job.precheck(ignore_warnings=True)
        assert item(check, "src.full_only_writes")["result"] in ("warn", "ignored")
        assert item(check, "src.psync_permission")["result"] == "skipped"
        job.act("start")
        done = job.wait_state("completed")
    assert done["consistency"] == "not_guaranteed"
    assert destination.client().dbsize() > 900
    assert source.client().info("stats")["sync_full"] == 0


def test_a_copy_by_psync_alone_is_judged_too(service, redis_server):
    quiet, busy = redis_server(), redis_server()
    for server in (quiet, busy):
        fill(server.url(), 3000)
    with Writer(busy.url()):
        jobs = [service.job(server.url(), redis_server().url(), migration=FULL_ONLY)
                for server in (quiet, busy)]
        for job in jobs:
            job.precheck(ignore_warnings=True)
            # Slow enough for the writer to be seen at work.
            job.service.request("PUT", job.path + "/throttle", {"full": {"rps": 1500}})
            job.act("start")
        words = [job.wait_state("completed")["consistency"] for job in jobs]
    assert words == ["exact", "not_guaranteed"]
    assert quiet.client().info("stats")["sync_full"] == 1


def test_what_the_account_lacks_is_said_before_anything_is_written(service, source, destination):
    source.client().set("k", 1)
    spec = dict(migration=FULL_ONLY)
    url = reader(source, "-dump")
    lacks = item(service.precheck(url, destination.url(), **spec), "src.read_permission")
    assert lacks["result"] == "fail" and "DUMP" in lacks["message"] and "+dump" in lacks["remedy"]
    assert lacks["ignorable"] is False
    url = reader(source)
    lacks = item(service.precheck(url, destination.url(), **spec), "src.read_permission")
    assert lacks["result"] == "warn" and "FUNCTION DUMP" in lacks["message"]
    # Following demands PSYNC: nothing is done instead.
    check = service.precheck(url, destination.url())
    assert item(check, "src.psync_permission")["result"] == "fail"
    # Keys that the account does not see: told by the one that is tried, else found out later.
    url = reader(source, "+function|dump", keys=("~other:*",))
    assert item(service.precheck(url, destination.url(), **spec), "src.read_permission")["result"] == "fail"
    url = reader(source, "+function|dump", keys=("~other:*", "~__rmig_probe:*"))
    job = service.job(url, destination.url(), migration=FULL_ONLY).check_and_start()
    blocked = job.wait_state("blocked")
    assert blocked["attention"]["code"] == "source_permission_missing"
    reader(source, "+function|dump")
    job.act("resume")
    job.wait_state("completed")
    assert destination.client().get("k") == b"1"


def test_databases_are_selected_and_mapped_by_scan(service, source, destination):
    fill(source.url(), 900)
    job = service.job(reader(source, "+function|dump"), destination.url(), migration=FULL_ONLY,
                      objects={"databases": [{"source": 3, "destination": 5},
                                             {"source": 9, "destination": 9}]}).check_and_start()
    job.wait_state("completed")
    report = compare(source.url(), destination.url(), {3: 5, 9: 9})
    assert report.equal and report.equal_keys > 500, report
    assert set(destination.counts()) == {5, 9}


def test_a_glob_and_types_select_what_is_read(service, source, destination):
    fill(source.url(), 3000)
    for db in DATABASES:
        for i in range(300):
            source.client(db).sadd("other:%d" % i, i)
    job = service.job(source.url(), destination.url(), throttle={"full": {"source_qps": 1500}}, migration=dict(
        FULL_ONLY, read_mode="scan", scan={"match": "fill:*", "types": ["set", "hash"]}))
    job.check_and_start()
    job.wait(lambda j: j["progress"]["full"]["keys_done"] > 50, "some keys")
    kill(service, job, "receive")  # it goes on in its pass, database and cursor
    service.patient("PUT", job.path + "/throttle", {"full": {"source_qps": None}})
    done = job.wait_state("completed")
    assert done["progress"]["full"]["percent"] == 100.0
    for db in DATABASES:
        client, there = source.client(db), destination.client(db)
        wanted = {key for kind in ("set", "hash") for key in client.scan_iter(match="fill:*", _type=kind)}
        assert len(wanted) > 100
        assert {key for key in there.scan_iter() if not key.startswith(b"{kf}:")} == wanted
        assert {there.type(key) for key in wanted} == {b"set", b"hash"}
    assert len([line for line in story(service, "receive.scan-begins") if job.id in line]) == 1


def test_an_empty_source_and_a_source_of_old_ways(service, redis_server):
    """No keys at all; and a server whose account knows no PEXPIRETIME: the clock stands in."""
    empty, old, first, second = (redis_server() for _ in range(4))
    job = service.job(reader(empty, "+function|dump"), first.url(), migration=FULL_ONLY)
    job.check_and_start().wait_state("completed")
    assert [k for k in first.client().keys() if not k.startswith(b"{kf}:")] == []
    at = int(time.time() * 1000) + 10**7
    for i in range(500):
        old.client().set("k:%d" % i, i, pxat=at + i)
    url = reader(old, "+function|dump", "-pexpiretime")
    job = service.job(url, second.url(), migration=FULL_ONLY)
    job.check_and_start().wait_state("completed")
    late = [second.client().execute_command("PEXPIRETIME", "k:%d" % i) - at - i for i in range(500)]
    assert min(late) >= 0 and max(late) < 5000, "never early, and late by a moment at most"


def test_killed_children_and_workers_go_on_by_the_cursor(start_service, redis_server):
    service = start_service(env={"KEYFERRY_LEASE_SECONDS": "3"})
    source, destination = redis_server(), redis_server()
    fill(source.url(), KEYS, expiring=0)
    job = service.job(reader(source, "+function|dump"), destination.url(), migration=FULL_ONLY,
                      throttle={"full": {"source_qps": 2500}})
    job.check_and_start()
    rng = random.Random(7)
    for role in ("receive", "worker", "receive", "apply", "worker"):
        job.wait(lambda j: j["progress"]["full"]["keys_done"] > 0, "some keys")
        time.sleep(0.3 + rng.random() * 0.3)
        kill(service, job, role)
    service.patient("PUT", job.path + "/throttle", {"full": {"source_qps": None}})
    done = job.wait_state("completed", timeout=120)
    assert_equal(source, destination)
    assert done["consistency"] == "exact"
    # A step of SCAN may be asked for once more after each death: never a second pass.
    assert source.calls("dump") < KEYS * 1.5, "keys were read again: %d" % source.calls("dump")
    assert len(story(service, "receive.scan-begins")) == 1
    assert len(story(service, "receive.scan-goes-on")) >= 2


def test_a_source_that_was_restarted_is_read_from_the_start(start_service, redis_server):
    service = start_service()
    source, destination = redis_server("--save", "3600 1000000"), redis_server()
    fill(source.url(), 6000, expiring=0)
    client = source.client()
    client.save()
    reader(source, "+function|dump")
    job = service.job(source.url(), destination.url(), migration=dict(FULL_ONLY, read_mode="scan"),
                      throttle={"full": {"source_qps": 1000}})
    job.check_and_start()
    job.wait(lambda j: j["progress"]["full"]["keys_done"] > 500, "some keys")
    source.kill()
    source.start()
    assert source.client().dbsize() > 1000
    # What was read of the other life and is no more must not stay.
    victim = next(destination.client().scan_iter(match="fill:*"))
    source.client().delete(victim)
    service.patient("PUT", job.path + "/throttle", {"full": {"source_qps": None}})
    job.wait_state("completed", timeout=90)
    assert len(story(service, "receive.scan-begins")) == 2
    assert_equal(source, destination, 6000)
    assert destination.client().exists(victim) == 0


def test_the_limit_of_what_the_source_is_asked_holds_and_can_be_changed(service, source, destination):
    fill(source.url(), 4000, expiring=0)
    job = service.job(source.url(), destination.url(), migration=dict(FULL_ONLY, read_mode="scan"),
                      throttle={"full": {"source_qps": 100}})
    job.check_and_start()
    job.wait(lambda j: j["progress"]["full"]["keys_done"] > 20, "some keys")
    for _ in range(4):  # after a halt of this machine more comes at once, or less
        began, before = time.monotonic(), source.calls("dump")
        time.sleep(1.5)
        rate = 2 * (source.calls("dump") - before) / (time.monotonic() - began)
        if 50 < rate < 150:
            break
    assert 50 < rate < 150, rate
    answer = service.request("PUT", job.path + "/throttle", {"full": {"source_qps": -1}})
    assert answer["effective"]["full"]["source_qps"] is None
    job.wait_state("completed", timeout=50)  # at a hundred calls a second it would take longer
    assert_equal(source, destination, 4000)


def test_scan_is_for_copies_alone(service, source, destination):
    ends = {"source": {"url": source.url()}, "destination": {"url": destination.url()}}
    assert refused(service, migration={"read_mode": "scan"}, **ends) == ["/migration/incremental"]
    assert refused(service, throttle={"full": {"source_qps": 5}}, **ends) == ["/throttle/full/source_qps"]


# ---------------------------------------------------------------- files


@pytest.fixture(scope="module")
def import_dir():
    path = pathlib.Path(tempfile.mkdtemp(prefix="kf-import-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def importing(import_dir):
    """A service whose workers may read files."""
    service = Service(env={"KEYFERRY_IMPORT_DIR": str(import_dir), "KEYFERRY_LEASE_SECONDS": "3",
                           "KEYFERRY_SPOOL_QUOTA_BYTES": str(96 << 20)}).share()
    yield service
    service.close()


@pytest.fixture(scope="module")
def saved(import_dir):
    """A server and the snapshot that it wrote, as `dump.rdb` and below a folder."""
    with RedisServer() as server:
        fill(server.url(), 6000, expiring=0.1)
        server.client().function_load(
            "#!lua name=lib\nredis.register_function('f', function() return 1 end)")
        server.client().save()
        shutil.copy(server.directory / "dump.rdb", import_dir / "dump.rdb")
        (import_dir / "day 1").mkdir()
        shutil.copy(server.directory / "dump.rdb", import_dir / "day 1" / "x.rdb")
        yield server


def test_a_snapshot_file_is_copied(importing, import_dir, saved, destination):
    job = importing.job("file:day%201/x.rdb", destination.url(), migration=FULL_ONLY)
    check = job.precheck()
    assert check["state"] == "passed", check
    assert item(check, "src.file")["result"] == "pass"
    assert item(check, "src.connect")["result"] == "skipped"
    assert check["plan"]["method"] == "Snapshot file" and check["plan"]["source_forks"] == 0
    assert check["facts"]["source"]["rdb_version"] == 10 and check["facts"]["source"]["keys"] == 6000
    job.act("start")
    done = job.wait_state("completed")
    assert_equal(saved, destination, 6000)
    assert done["consistency"] == "exact"
    assert done["source"]["label"] == "file:day 1/x.rdb" and done["source"]["product"] == "redis"
    full = done["progress"]["full"]
    assert full["keys_total"] == full["keys_done"] + full["skipped"]["expired"] == 6000
    assert full["bytes_total"] == (import_dir / "dump.rdb").stat().st_size


def test_the_command_line_takes_a_file(importing, saved, destination):
    result = importing.run("migrate", "file:dump.rdb", destination.url(), "--until", "stopped",
                           "--database", "3:7")
    assert result.returncode == 0, result.stdout + result.stderr
    assert set(destination.counts()) == {7}
    report = compare(saved.url(), destination.url(), {3: 7})
    assert report.equal and report.equal_keys > 1500, report


def test_a_killed_copy_of_a_file_goes_on(importing, import_dir, redis_server, destination):
    source = redis_server()
    for i in range(120):
        source.client().set("k:%d" % i, os.urandom(1 << 20))
    source.client().save()
    shutil.copy(source.directory / "dump.rdb", import_dir / "large.rdb")
    job = importing.job("file:large.rdb", destination.url(), migration=FULL_ONLY,
                        throttle={"full": {"bytes_per_second": 25 << 20}})
    job.check_and_start(ignore_warnings=True)
    for role, at in ("receive", 45), ("worker", 55), ("apply", 65), ("receive", 75):
        # From 33 MB on, the spool has dropped what was copied first.
        job.wait(lambda j: j["progress"]["full"]["bytes_done"] > at << 20, "%d MB" % at)
        kill(importing, job, role)
    importing.patient("PUT", job.path + "/throttle", {})
    job.wait_state("completed", timeout=90)
    assert compare(source.url(), destination.url()).equal_keys == 120
    assert len(story(importing, "offset=0 bytes=%d" % (import_dir / "large.rdb").stat().st_size)) == 1
    (import_dir / "large.rdb").unlink()


def test_a_file_that_cannot_be_used_fails_the_precheck(importing, import_dir, saved, destination):
    data = (import_dir / "dump.rdb").read_bytes()
    (import_dir / "cut.rdb").write_bytes(data[:-3000])
    (import_dir / "flipped.rdb").write_bytes(data[:5000] + bytes([data[5000] ^ 1]) + data[5001:])
    (import_dir / "text.rdb").write_text("this is no snapshot\n" * 10)
    (import_dir / "empty.rdb").write_bytes(b"")
    (import_dir / "link.rdb").symlink_to("/etc/passwd")
    (import_dir / "out").symlink_to("/etc")
    (import_dir / "folder.rdb").mkdir()
    os.mkfifo(import_dir / "pipe.rdb")
    expected = {"cut.rdb": "offset", "flipped.rdb": "", "text.rdb": "offset", "empty.rdb": "empty",
                "link.rdb": "symbolic link", "out/passwd": "symbolic link",
                "folder.rdb": "no regular file", "pipe.rdb": "no regular file",
                "missing.rdb": "not in the import directory",
                "dump.rdb/x": "symbolic link or no directory"}
    for name, word in expected.items():
        check = importing.precheck("file:" + name, destination.url(), migration=FULL_ONLY)
        found = item(check, "src.file")
        assert check["state"] == "failed" and found["result"] == "fail", (name, found)
        assert word in found["message"], (name, found["message"])
    # A job is not started over one; nothing was written.
    assert destination.client().dbsize() == 0


def test_a_file_that_goes_bad_after_the_precheck_blocks_the_job(importing, import_dir, saved, destination):
    good = (import_dir / "dump.rdb").read_bytes()
    path = import_dir / "later.rdb"
    path.write_bytes(good)
    job = importing.job("file:later.rdb", destination.url(), migration=FULL_ONLY)
    assert job.precheck()["state"] == "passed"
    path.write_bytes(good[:len(good) // 2])
    job.act("start")
    blocked = job.wait_state("blocked")
    assert blocked["attention"]["code"] == "source_file_unusable"
    assert "offset" in blocked["attention"]["detail"]
    keys = [k for k in destination.client().keys() if not k.startswith(b"{kf}:")]
    assert keys == [], "half a file was copied"
    path.write_bytes(good)
    job.act("resume")
    job.wait_state("completed")
    assert_equal(saved, destination, 6000)


def test_names_that_lead_out_are_refused_and_so_is_a_worker_without_a_directory(
        service, importing, destination):
    for name in ("../x", "a/../../x", "/etc/passwd", "//etc/passwd", "%2e%2e/x", "./x", "", "a%00b"):
        pointers = refused(importing, source={"url": "file:" + name},
                           destination={"url": destination.url()}, migration=FULL_ONLY)
        assert pointers == ["/source/url"], name
    assert refused(importing, source={"url": destination.url()}, destination={"url": "file:x.rdb"},
                   migration=FULL_ONLY) == ["/destination"]
    assert refused(importing, source={"url": "file:x.rdb"},
                   destination={"url": destination.url()}) == ["/migration/incremental"]
    check = service.precheck("file:dump.rdb", destination.url(), migration=FULL_ONLY)
    found = item(check, "src.file")
    assert found["result"] == "fail" and "KEYFERRY_IMPORT_DIR" in found["remedy"]
