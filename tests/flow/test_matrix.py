"""Every server as source to every other as destination: real servers of seven versions, all
types and encodings, writes of every kind while the copy is followed, and a comparison by an
independent client. What is moved is what both ends can hold (functions, expiring fields, vectors).

A pair either arrives equal, or is in NOT_BUILT: expected to fail with everything, and equal
without what is named.
The servers come from tests/support/zoo; one that is not to be had is a skip that says why.
"""

import pytest
from support import every_type
from support.compare import compare, knows
from support.redis_fixture import RedisServer
from support.service import Blocked, Service, wait_marker, worth_reading
from support.workload import Pipe, pack
from support.zoo_servers import NAMES, zoo_servers

OLD = ("redis-6.0", "redis-7.0")
REDIS_8 = ("redis-8.0", "redis-8.6")
VALKEY_8 = ("valkey-8.0", "valkey-8.1")

# What is not moved: the vector sets of 8.6 are of a module whose values 8.0 does not read.
NOT_BUILT = {("redis-8.6", "redis-8.0"): {"vectors"}}

# Pairs of the default run: every server in both roles, both ways between the products.
DEFAULT = {("redis-6.0", "redis-7.0"), ("redis-8.6", "redis-6.0"), ("redis-6.0", "valkey-9.1"), ("redis-7.0", "redis-8.6"),
           ("redis-7.0", "valkey-8.0"), ("redis-8.0", "redis-8.0"), ("redis-8.6", "valkey-9.1"),
           ("redis-8.6", "redis-8.6"), ("valkey-8.0", "redis-8.0"), ("valkey-8.1", "valkey-9.1"),
           ("valkey-9.1", "valkey-8.1"), ("valkey-9.1", "valkey-9.1")}

BIG = 100 << 20
BIG_PAIRS = [("redis-6.0", "redis-7.0"), ("redis-7.0", "valkey-8.0"), ("valkey-8.0", "redis-8.0"),
             ("redis-8.0", "redis-8.6"), ("redis-8.6", "redis-8.6"), ("valkey-8.1", "valkey-9.1"),
             ("valkey-9.1", "valkey-8.1")]


# Every list, set, sorted set and hash is longer than that, or nearly.
PIECES = {"KEYFERRY_PIECE_BYTES": "16"}
IN_PIECES = {("redis-6.0", "redis-7.0"), ("redis-8.6", "valkey-8.1"), ("valkey-9.1", "redis-8.0")}


def warned(source, destination):
    """The items that must be confirmed before a pair may start."""
    items = set()
    if destination == "redis-6.0" and source != "redis-6.0":
        items.add("dst.version_order")  # functions
    if source in REDIS_8 and (destination not in REDIS_8 or destination < source):
        items.add("src.modules")  # vector sets
    return items


def pairs():
    for pair in ((a, b) for a in NAMES for b in NAMES):
        marks = [] if pair in DEFAULT else [pytest.mark.full]
        lacks = NOT_BUILT.get(pair, set())
        name = "%s to %s" % pair
        if lacks:
            what = ", ".join(sorted(lacks))
            yield pytest.param(*pair, lacks, id="%s without %s" % (name, what), marks=marks)
            marks = [pytest.mark.full, pytest.mark.xfail(
                strict=True, raises=Blocked, reason="there is no other form for " + what)]
        yield pytest.param(*pair, set(), id=name, marks=marks)


@pytest.fixture(scope="module")
def zoo(request):
    return zoo_servers(300 if request.config.getoption("--full") else 30)


@pytest.fixture
def ends(zoo):
    """Starts two servers of the zoo by name."""
    servers = []

    def start(*names):
        binaries = [zoo[name] for name in names]
        for binary in binaries:
            servers.append(RedisServer(binary=binary))
        return servers

    yield start
    for server in servers:
        server.close()


def abilities(source, destination):
    return every_type.abilities(source.url()) & every_type.abilities(destination.url())


def finish(job, source, destination):
    wait_marker(source, destination, timeout=60, job=job)
    job.stop()
    report = compare(source.url(), destination.url())
    if not knows(source.client(), "PEXPIRETIME"):
        # What was streamed with a relative time ends a little later.
        report.ttl = [row for row in report.ttl if row[1] not in every_type.RELATIVE]
        assert compare(source.url(), destination.url(), ttl_tolerance_ms=2000).ttl == []
    assert report.equal, "\n%s" % report
    return report


@pytest.mark.parametrize("source_name, destination_name, without", pairs())
def test_what_both_can_hold_arrives_equal(service, ends, source_name, destination_name, without):
    source, destination = ends(source_name, destination_name)
    can = abilities(source, destination) - without
    keys = every_type.fill(source.url(), can)
    job = service.job(source.url(), destination.url())
    expected = warned(source_name, destination_name)
    if expected:
        found = job.precheck()
        assert found["state"] == "failed"
        # Remarks need not be confirmed: 6.0 is written by scripts.
        assert {item["id"]: item["result"] for item in worth_reading(found)
                if item["severity"] != "info"} == dict.fromkeys(expected, "warn")
    job.check_and_start(ignore_warnings=bool(expected))
    job.wait_caught_up()
    every_type.write_on(source.url(), can)
    report = finish(job, source, destination)
    assert report.equal_keys >= keys
    assert set(report.types) == {"string", "list", "set", "hash", "zset"} | {
        kind for kind, ability in (("stream", "streams"), ("vectorset", "vectors")) if ability in can}


def move_alone(service, source, destination, pair, but=()):
    """A copy without a tail, of what both ends can hold; keys of `but` may differ."""
    can = abilities(source, destination) - NOT_BUILT.get(pair, set())
    keys = every_type.fill(source.url(), can)
    job = service.job(source.url(), destination.url(), migration={"full": True, "incremental": False})
    job.check_and_start(ignore_warnings=True).wait_state("completed")
    assert not list(destination.client().scan_iter("*kf:tmp:*"))
    report = compare(source.url(), destination.url())
    differ, report.differ = report.differ, [row for row in report.differ if row[1] not in but]
    assert report.equal and report.equal_keys + len(differ) == keys, "\n%s" % report


@pytest.mark.parametrize("pair", [
    pytest.param(pair, id="%s to %s" % pair,
                 marks=[] if pair in (("redis-8.6", "redis-6.0"), ("valkey-9.1", "redis-7.0"))
                 else pytest.mark.full)
    for pair in ((a, b) for a in NAMES for b in NAMES) if pair[1] in OLD or pair in IN_PIECES])
def test_a_copy_alone_arrives_equal(service, ends, pair):
    move_alone(service, *ends(*pair), pair)


@pytest.fixture(scope="module")
def service_of_pieces(nothing_left_running):
    service = Service(env=PIECES).share()
    yield service
    service.close()


@pytest.mark.parametrize("pair", [
    pytest.param(pair, id="%s to %s" % pair, marks=[] if pair in IN_PIECES else pytest.mark.full)
    for pair in ((a, b) for a in NAMES for b in NAMES)])
def test_values_in_pieces_arrive_equal(service_of_pieces, ends, pair):
    source, destination = ends(*pair)
    # ZADD of -0 makes 0 of it in a small sorted set, which only 6.0 has kept.
    move_alone(service_of_pieces, source, destination, pair, {b"zset:packed"} if pair[0] == "redis-6.0" else ())
    assert destination.client().info("commandstats")["cmdstat_rename"]["calls"] >= 30


@pytest.mark.parametrize("destination_name", ["valkey-8.1", pytest.param("valkey-8.0", marks=pytest.mark.full)])
def test_an_expiring_field_does_not_lose_its_expiry_unasked(service, ends, destination_name):
    source, destination = ends("redis-8.0", destination_name)
    Pipe(source.url()).run([pack("HSET", "h", "f", 1, "g", 2), pack("HEXPIRE", "h", 5000, "FIELDS", 1, "f")])
    job = service.job(source.url(), destination.url()).check_and_start(ignore_warnings=True)
    job.wait_state("blocked")
    assert job.get()["attention"]["code"] == "payload_incompatible"
    assert destination.client().exists("h") == 0


@pytest.mark.full
def test_what_a_destination_refuses_is_not_passed_over(service, ends):
    """8.0 thinks for three seconds before it refuses the vectors."""
    source, destination = ends("redis-8.6", "redis-8.0")
    pipe = Pipe(source.url())
    pipe.run([pack("SADD", "set:%d" % n, "a", n) for n in range(500)])
    pipe.run([pack("VADD", "vectors", "VALUES", 2, 1, 2, "e")])
    pipe.close()
    job = service.job(source.url(), destination.url()).check_and_start(ignore_warnings=True)
    job.wait_state("blocked")
    for _ in range(2):  # a resume tries it again
        attention = job.get()["attention"]
        assert attention["code"] == "payload_incompatible", attention
        assert "vectorset" in attention["detail"], attention
        job.act("resume")
        job.wait(lambda seen: seen["state"] == "blocked" and seen["attention"]["since"] > attention["since"],
                 "blocked again")


@pytest.mark.parametrize("name", [pytest.param("redis-8.0", marks=pytest.mark.full), "redis-8.6", "valkey-9.1"])
def test_fields_that_begin_to_expire_meanwhile(service, ends, name):
    source, destination = ends(name, name)
    every_type.fill(source.url(), {"field_ttl"})
    job = service.job(source.url(), destination.url()).check_and_start()
    job.wait_caught_up()
    every_type.write_field_expiries(source.url())
    finish(job, source, destination)


@pytest.mark.parametrize("plant", [
    ("HPEXPIREAT", "hash", 4000000000001, "FIELDS", 1, "f"), ("HPERSIST", "hash", "FIELDS", 1, "f"),
    ("HPEXPIREAT", "hash", 4000000000000, "FIELDS", 1, "g"), ("HSET", "hash", "f", 1),
    ("VSETATTR", "vectors", "e", ""), ("VADD", "vectors", "VALUES", 2, 3, 4, "e"), ("VREM", "vectors", "other")],
    ids=lambda plant: " ".join(map(str, plant)))
def test_the_judge_sees_what_expires_in_a_hash_and_what_is_in_a_vector(ends, plant):
    both = ends("redis-8.0", "redis-8.0")
    for server in both:
        Pipe(server.url()).run([pack(*words) for words in (
            ("HSET", "hash", "f", 1, "g", 2), ("HPEXPIREAT", "hash", 4000000000000, "FIELDS", 1, "f"),
            ("VADD", "vectors", "VALUES", 2, 1, 2, "e"), ("VADD", "vectors", "VALUES", 2, 4, 3, "other"),
            ("VSETATTR", "vectors", "e", "{}"))])
    assert compare(both[0].url(), both[1].url()).equal_keys == 2
    Pipe(both[1].url()).run([pack(*plant)])
    assert [row[1] for row in compare(both[0].url(), both[1].url()).differ] == [plant[1].encode()]


def test_the_judge_sees_a_millisecond_on_a_server_that_does_not_tell_it(ends):
    both = ends("redis-6.0", "redis-6.0")
    for server, at in zip(both, (4000000000000, 4000000000001)):
        Pipe(server.url()).run([pack("SET", "off", 1), pack("PEXPIREAT", "off", at),
                                pack("SET", "same", 1), pack("PEXPIREAT", "same", 4000000000000)])
    report = compare(both[0].url(), both[1].url())
    assert [row[1] for row in report.ttl] == [b"off"] and report.equal_keys == 1, report


@pytest.mark.full
@pytest.mark.parametrize("pair", [pytest.param(pair, id="%s to %s" % pair) for pair in BIG_PAIRS])
def test_values_of_100_megabytes(service, ends, pair):
    source, destination = ends(*pair)
    pipe = Pipe(source.url())
    random_part, same_part = every_type.random.Random(1).randbytes(1 << 20), b"0123456789abcdef" * (1 << 16)
    pipe.run([pack("SET", "random", random_part * (BIG >> 20)), pack("SET", "same", same_part * (BIG >> 20)),
              pack("SET", "same, expires", same_part * (BIG >> 20), "EX", 9999)])
    for _ in range(BIG >> 20):
        pipe.run([pack("RPUSH", "list", random_part)])
    pipe.close()
    job = service.job(source.url(), destination.url()).check_and_start(ignore_warnings=True)  # src.big_keys
    job.wait_caught_up(180)
    source.client().append("random", "one more")
    assert finish(job, source, destination).equal_keys >= 4
