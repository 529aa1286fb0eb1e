"""The judge on trial: compare.py must find every kind of planted difference, and
workload.check_model every kind of lost or doubled effect. Native replication makes the two
equal servers they are planted in."""

import time

import pytest
from support import compare as compare_module
from support.compare import HELD_MS, compare
from support.workload import Pipe, Writer, check_model, fill, pack

KEYS = 6000


@pytest.fixture(scope="module")
def pair():
    from support.redis_fixture import RedisServer

    with RedisServer() as a, RedisServer() as b:
        fill(a.url(), KEYS, seed=3)
        a.client().function_load("#!lua name=lib\nredis.register_function('f', function() return 1 end)")
        with Writer(a.url(), seed=3) as writer:
            b.client().replicaof("127.0.0.1", a.port)
            time.sleep(1.5)
            acknowledged = writer.stop()
        deadline = time.monotonic() + 60
        while b.client().info("replication").get("slave_repl_offset") != a.offset():
            assert time.monotonic() < deadline, "the replica is behind"
            time.sleep(0.05)
        b.client().replicaof("NO", "ONE")
        yield a, b, acknowledged


def test_equal_servers_are_equal_and_nothing_was_overlooked(pair):
    a, b, _ = pair
    before = sum(a.counts().values())
    report = compare(a.url(), b.url())
    assert report.equal, report
    assert report.equal_keys >= KEYS
    assert set(report.types) == {"string", "hash", "list", "set", "zset", "stream"}
    assert report.with_expiry > KEYS / 10
    assert set(report.per_database) == {0, 3, 9}
    # Some keys expire meanwhile.
    assert sum(a.counts().values()) <= report.equal_keys <= before


def key_of(client, kind, seed=0):
    """A key of that type that does not expire."""
    for key in client.scan_iter(match="fill:*", count=500, _type=kind):
        if client.ttl(key) == -1:
            return key
    raise AssertionError("no " + kind)



# A difference: how to plant it in a database of the destination, and the list that must name it.
PLANTED = {
    "a key is missing": ("string", lambda c, k: c.delete(k), "missing"),
    "a value differs": ("string", lambda c, k: c.append(k, b"\0"), "differ"),
    "a value has another type": ("string", lambda c, k: (c.delete(k), c.rpush(k, 1)), "differ"),
    "a hash has one field more": ("hash", lambda c, k: c.hset(k, "extra", ""), "differ"),
    "a hash value differs": ("hash", lambda c, k: c.hset(k, "field:1", "other"), "differ"),
    "a hash field is missing": ("hash", lambda c, k: c.hdel(k, "field:2"), "differ"),
    "a list has two elements swapped": (
        "list", lambda c, k: c.rpush(k, c.lpop(k)), "differ"),
    "a list element is doubled": ("list", lambda c, k: c.rpush(k, c.lindex(k, -1)), "differ"),
    "a set has another member": ("set", lambda c, k: (c.srem(k, c.srandmember(k)), c.sadd(k, "x")), "differ"),
    "a score differs in its last bit": (
        "zset", lambda c, k: c.zadd(k, {c.zrange(k, 1, 1)[0]: 5e-324}), "differ"),
    "a sorted set has one member less": ("zset", lambda c, k: c.zpopmin(k), "differ"),
    "a stream entry differs": (
        "stream", lambda c, k: (c.xdel(k, "2-1"), None), "differ"),
    "a stream's last id differs": (
        "stream", lambda c, k: c.execute_command("XSETID", k, "99999-1"), "differ"),
    "a stream has another group": ("stream", lambda c, k: c.xgroup_create(k, "g2", "0"), "differ"),
    "a pending entry was acknowledged": ("stream", lambda c, k: c.xack(k, "g", "2-1"), "differ"),
    "a pending entry has another owner": (
        "stream", lambda c, k: c.xclaim(k, "g", "other", 0, ["2-1"]), "differ"),
    "an expiry is missing": ("ttl", lambda c, k: c.persist(k), "ttl"),
    "an expiry is one millisecond off": (
        "ttl", lambda c, k: c.pexpireat(k, c.execute_command("PEXPIRETIME", k) + 1), "ttl"),
    "a key expires that should not": ("string", lambda c, k: c.pexpire(k, 10**7), "ttl"),
    "a key is extra": (None, lambda c, k: c.set(k, 1), "extra"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_difference_is_found_and_named(pair, name):
    a, b, _ = pair
    kind, plant, where = PLANTED[name]
    there, here = a.client(3), b.client(3)
    if kind is None:
        key = b"planted"
    elif kind == "ttl":
        key = next(k for k in there.scan_iter(match="fill:*") if there.ttl(k) > 2000)
    else:
        key = key_of(there, kind)
    kept, expires = there.dump(key), there.execute_command("PEXPIRETIME", key)
    plant(here, key)
    report = compare(a.url(), b.url())
    try:
        assert not report.equal
        lists = {n: [row[:2] for row in getattr(report, n)] for n in ("missing", "extra", "differ", "ttl")}
        assert lists.pop(where) == [(3, key)], report
        assert not any(lists.values()), report
    finally:
        here.delete(key)
        if kept is not None:
            here.restore(key, max(expires, 0), kept, absttl=True)
    assert compare(a.url(), b.url()).equal


def test_a_key_in_the_wrong_database_is_missing_and_extra(pair):
    a, b, _ = pair
    key = key_of(a.client(0), "string")
    b.client(0).move(key, 7)
    report = compare(a.url(), b.url())
    b.client(7).move(key, 0)
    assert [row[:2] for row in report.missing] == [(0, key)]
    assert [row[:2] for row in report.extra] == [(7, key)]


def test_functions_are_compared(pair):
    a, b, _ = pair
    b.client().execute_command("FUNCTION", "DELETE", "lib")
    report = compare(a.url(), b.url())
    b.client().execute_command("FUNCTION", "RESTORE", a.client().execute_command("FUNCTION", "DUMP"), "REPLACE")
    assert report.functions and not report.equal


def test_our_own_keys_are_reported_and_not_compared(pair):
    a, b, _ = pair
    a.client().set("DTS_REDIS_TIMESTAMP_HEARTBEAT:x", 1)
    b.client().hset("{kf}:job_1:0", "offset", 1)
    report = compare(a.url(), b.url())
    a.client().delete("DTS_REDIS_TIMESTAMP_HEARTBEAT:x")
    b.client().delete("{kf}:job_1:0")
    assert report.equal
    assert report.ours_source == [(0, b"DTS_REDIS_TIMESTAMP_HEARTBEAT:x")]
    assert report.ours_destination == [(0, b"{kf}:job_1:0")]


def test_a_mapping_compares_the_mapped_databases_only(pair):
    a, b, _ = pair
    assert compare(a.url(), b.url(), mapping={3: 3}).equal
    report = compare(a.url(), b.url(), mapping={3: 9})
    assert len(report.missing) > KEYS / 4 and len(report.extra) > KEYS / 4


def test_held_expiries_are_equal_only_when_all_are_held(redis_server):
    a, b = redis_server(), redis_server()
    now = int(time.time() * 1000)
    for i in range(10):
        a.client().set("k%d" % i, 1, pxat=now + 600000 + i)
        b.client().set("k%d" % i, 1, pxat=now + 600000 + i + HELD_MS)
    assert compare(a.url(), b.url(), held=True).equal
    assert len(compare(a.url(), b.url()).ttl) == 10
    b.client().set("k3", 1, pxat=now + 600003)
    assert [row[1] for row in compare(a.url(), b.url(), held=True).ttl] == [b"k3"]


def test_keys_that_expire_meanwhile_are_no_finding(redis_server, monkeypatch):
    a, b = redis_server(), redis_server()
    later = int(time.time() * 1000) + 10**6
    for server in (a, b):
        for i in range(50):
            server.client().set("k%d" % i, 1, pxat=later)
    collect = compare_module._collect

    def then_expire(*arguments):
        found = collect(*arguments)
        for server in (a, b):
            server.client().pexpireat("k7", 1)
        return found

    monkeypatch.setattr(compare_module, "_collect", then_expire)
    assert compare(a.url(), b.url()).equal


# ---- the model


def test_the_model_holds_on_an_exact_copy(pair):
    _, b, acknowledged = pair
    assert acknowledged["commands"] > 1000 and acknowledged["transactions"] > 50
    assert check_model(b.url(), acknowledged) == []


MODEL_PLANTED = {
    "a doubled INCR": ([("INCR", "kfw:seq:w0")], "INCR counter"),
    "a lost RPUSH": ([("RPOP", "kfw:log:w0")], "list"),
    "a doubled RPUSH": ([("RPUSH", "kfw:log:w0", "0")], "doubled [0]"),
    "a doubled APPEND": ([("APPEND", "kfw:app:w0", "00000001")], "doubled [1]"),
    "a reordered list": ([("LMOVE", "kfw:log:w0", "kfw:log:w0", "LEFT", "RIGHT")], "out of order"),
    "half a transfer": ([("DECRBY", "kfw:acct:1", "5")], "the bank holds"),
}


@pytest.mark.parametrize("name", MODEL_PLANTED)
def test_the_model_finds(pair, name):
    _, b, acknowledged = pair
    commands, expected = MODEL_PLANTED[name]
    client, pipe = b.client(3), Pipe(b.url())
    key = commands[0][1]
    kept = client.dump(key)
    pipe.run([pack("SELECT", 3)] + [pack(*command) for command in commands])
    pipe.close()
    problems = check_model(b.url(), acknowledged)
    client.restore(key, 0, kept, replace=True)
    assert len(problems) == 1 and expected in problems[0], problems
