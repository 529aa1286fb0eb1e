"""What belongs to a value beside its data: when it expires, and how it was used."""

import time

import pytest
from support import processes
from support.compare import HELD_MS, compare
from support.redis_fixture import RedisServer
from support.service import wait_marker
from support.workload import Pipe, pack
from support.zoo_servers import zoo_servers

FULL_ONLY = {"full": True, "incremental": False}


@pytest.fixture(scope="module")
def zoo(request):
    return zoo_servers(300 if request.config.getoption("--full") else 30)


def copy(service, source, destination, before=lambda: None):
    """A copy alone; `before` is called when the precheck, which looks at keys, is through."""
    job = service.job(source.url(), destination.url(), migration=FULL_ONLY)
    assert job.precheck(ignore_warnings=True)["state"] == "passed"
    before()
    job.act("start")
    return job.wait_state("completed")


def test_what_has_expired_in_the_snapshot_is_not_made(service, redis_server):
    source, destination = redis_server("--enable-debug-command", "yes"), redis_server()

    def expire():
        pipe = Pipe(source.url())
        pipe.run([pack("DEBUG", "SET-ACTIVE-EXPIRE", 0), pack("SET", "stays", 1), pack("SET", "later", 1, "EX", 999)])
        for n in range(50):
            pipe.run([pack("SET", "gone:%d" % n, n, "PX", 1), pack("RPUSH", "gone list:%d" % n, n),
                      pack("PEXPIRE", "gone list:%d" % n, 1)])
        pipe.close()
        time.sleep(0.01)
    seen = copy(service, source, destination, before=expire)
    there = source.client().dbsize()  # a look of the precheck at some keys may have ended one or two
    assert 90 < there <= 102, "they were in the snapshot"
    assert sorted(destination.client().scan_iter("[gsl]*")) == [b"later", b"stays"]
    assert seen["progress"]["full"]["skipped"]["expired"] == there - 2, seen["progress"]


def use(source):
    """Keys of several types, some used often; returns their names."""
    pipe = Pipe(source.url())
    pipe.run([pack("SET", "string", "x"), pack("SET", "large", "x" * 9000), pack("SET", "expires", 1, "EX", 9999),
              pack("HSET", "hash", "f", "v"), pack("RPUSH", "list", *range(500)), pack("SET", "rare", 1)])
    for _ in range(300):
        pipe.run([pack("GET", "string"), pack("GET", "large"), pack("GET", "expires"), pack("HGET", "hash", "f"),
                  pack("LINDEX", "list", 0)])
    pipe.close()
    return ["string", "large", "expires", "hash", "list", "rare"]


def test_how_often_a_key_was_used_arrives_where_that_counts(service, redis_server):
    lfu = ("--maxmemory-policy", "allkeys-lfu", "--lfu-decay-time", "0")
    source, destination = redis_server(*lfu), redis_server(*lfu)
    keys = use(source)
    copy(service, source, destination)
    found = {key: (source.client().object("freq", key), destination.client().object("freq", key)) for key in keys}
    assert all(here == there for here, there in found.values()), found
    assert len(set(found.values())) > 1, found


def test_when_a_key_was_used_arrives_where_that_counts(service, redis_server):
    source = redis_server("--maxmemory-policy", "allkeys-lru")
    destination = redis_server("--maxmemory-policy", "volatile-lru")
    keys = use(source)
    time.sleep(2)
    copy(service, source, destination)
    for key in keys:
        assert destination.client().object("idletime", key) >= 2, key


def test_no_time_is_spent_on_what_the_destination_does_not_count(service, redis_server):
    source, destination = redis_server("--maxmemory-policy", "allkeys-lfu"), redis_server()
    use(source)
    copy(service, source, destination, before=destination.client().config_resetstat)
    calls = {name: row["calls"] for name, row in destination.client().info("commandstats").items()}
    assert calls["cmdstat_restore"] == 3 and calls["cmdstat_mset"] >= 1, calls
    assert compare(source.url(), destination.url()).equal


@pytest.mark.parametrize("pair", [
    ("redis-8.0", "valkey-9.1"), pytest.param(("redis-8.6", "redis-8.0"), marks=pytest.mark.full),
    pytest.param(("valkey-9.1", "redis-8.6"), marks=pytest.mark.full),
    pytest.param(("valkey-9.1", "valkey-9.1"), marks=pytest.mark.full)], ids=" to ".join)
@pytest.mark.parametrize("pieces", [pytest.param(False, marks=pytest.mark.full), True], ids=["whole", "in pieces"])
def test_fields_do_not_expire_while_a_job_follows(start_service, zoo, pair, pieces):
    source, destination = (RedisServer(binary=zoo[name]) for name in pair)
    try:
        service = start_service(env={"KEYFERRY_PIECE_BYTES": "16"} if pieces else {})
        at = int(time.time() * 1000) + 100_000
        pipe = Pipe(source.url())
        for key, fields in (("small", 5), ("large", 3000)):
            for n in range(fields):
                pipe.run([pack("HSET", key, "f%d" % n, "v%d" % n)])
            for n in range(0, fields, 2):
                pipe.run([pack("HPEXPIREAT", key, at + n, "FIELDS", 1, "f%d" % n)])
        pipe.close()
        job = service.job(source.url(), destination.url()).check_and_start(ignore_warnings=True)
        job.wait_caught_up()

        def times(key):
            return destination.client().execute_command(
                "HPEXPIRETIME", key, "FIELDS", 3, "f0", "f1", "f4")
        client = source.client()
        for key in ("small", "large"):
            client.restore("again " + key, 0, client.dump(key))
        wait_marker(source, destination, job=job)
        keys = ["small", "large", "again small", "again large"]
        for key in keys:
            assert times(key) == [at + HELD_MS, -1, at + 4 + HELD_MS], key
        before = destination.calls("eval")
        job.stop()
        # One for each of 16 databases, and the large hashes in steps: nobody waits for a whole one.
        assert destination.calls("eval") - before >= 16 + 2 * 5
        for key in keys:
            assert times(key) == [at, -1, at + 4], key
        assert compare(source.url(), destination.url()).equal
    finally:
        source.close()
        destination.close()


@pytest.mark.parametrize("destination_name", [
    "valkey-8.1", pytest.param("redis-7.0", marks=pytest.mark.full)])
def test_expiries_of_fields_are_dropped_where_someone_decided_so(service, zoo, destination_name):
    source, destination = (RedisServer(binary=zoo[name]) for name in ("redis-8.0", destination_name))
    try:
        pipe = Pipe(source.url())

        def run(*commands):
            pipe.run([pack(*command) for command in commands])
        for key, fields in (("small", 5), ("large", 700)):
            run(*[("HSET", key, "f%d" % n, n) for n in range(fields)])
            run(("HEXPIRE", key, 5000, "FIELDS", 3, "f0", "f1", "f2"))
        job = service.job(source.url(), destination.url(), hash_field_expiry="drop")
        assert "field_expiries_dropped" in {row["code"] for row in job.get()["warnings"]}
        job.check_and_start(ignore_warnings=True)
        job.wait_caught_up()
        assert job.get()["progress"]["full"]["field_expiries_dropped"] == 6
        run(("HPERSIST", "small", "FIELDS", 1, "f0"), ("HPEXPIRE", "small", 40, "FIELDS", 1, "f1"),
            ("HSETEX", "small", "EX", 900, "FIELDS", 1, "f7", "new"), ("HGETEX", "large", "EX", 9, "FIELDS", 1, "f9"))
        time.sleep(0.05)
        run(("HGET", "small", "f1"), ("SET", "last", 1))
        job.stop()
        for key in ("small", "large"):
            assert destination.client().hgetall(key) == source.client().hgetall(key)
        assert not destination.client().hexists("small", "f1"), "the source's own expiry removes it"
        assert job.get()["progress"]["full"]["field_expiries_dropped"] == 6 + 3
    finally:
        source.close()
        destination.close()


@pytest.mark.full
def test_a_hash_of_a_million_fields_takes_little_memory(start_service, source, destination):
    service, pipe = start_service(), Pipe(source.url())
    for at in range(0, 1_000_000, 1000):
        pipe.run([pack("HSET", "hash", *(word for n in range(at, at + 1000) for word in ("field %d" % n, "v" * 100)))])
    pipe.close()
    job = service.job(source.url(), destination.url()).check_and_start(ignore_warnings=True)
    job.wait_caught_up(180)
    apply = job.wait_child("apply")
    peak_kb = int(processes.status(apply)["VmHWM"].split()[0])
    assert destination.client().hlen("hash") == 1_000_000
    # All of it, with programs and libraries (an idle task has about 9 MB of such), and what ASan adds.
    assert peak_kb < 90_000, peak_kb  # the value has 120 MB
    job.stop()
    assert source.client().hgetall("hash") == destination.client().hgetall("hash")
