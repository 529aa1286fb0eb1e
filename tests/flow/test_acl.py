"""The account that GET /v1/acl gives: made as it is printed, on servers of every version, it passes
the precheck and a whole migration, and may do no more than that."""

import pytest
import redis
from support.compare import compare
from support.redis_fixture import RedisServer
from support.service import wait_marker, worth_reading
from support.workload import fill
from support.zoo_servers import NAMES, zoo_servers

PASSWORD = "s3cret"
# Before 6.2 a server does not count the errors it answers: it is a source only.
PAIRS = [("redis-6.0", "redis-7.0")] + [(name, name) for name in NAMES if name != "redis-6.0"]
DEFAULT = {("redis-6.0", "psync"), ("redis-7.0", "scan"), ("valkey-9.1", "psync")}


@pytest.fixture(scope="module")
def zoo(request):
    return zoo_servers(300 if request.config.getoption("--full") else 30)


@pytest.fixture
def start(zoo):
    servers = []

    def one(name):
        servers.append(RedisServer(binary=zoo[name]))
        return servers[-1]

    yield one
    for server in servers:
        server.close()


def make_account(service, server, role, mode):
    version = server.client().info("server")
    answer = service.request("GET", "/v1/acl?role=%s&read_mode=%s&version=%s" % (
        role, mode, version.get("valkey_version", version["redis_version"])))
    line = answer["line"].replace("PASSWORD", PASSWORD)
    assert server.client().execute_command(*line.split()) in (b"OK", "OK", True)
    return server.url(user="keyferry:" + PASSWORD)


@pytest.mark.parametrize("source_name, destination_name, mode", [
    pytest.param(a, b, mode, id="%s by %s" % (a, mode),
                 marks=[] if (a, mode) in DEFAULT else [pytest.mark.full])
    for a, b in PAIRS for mode in ("psync", "scan")])
def test_with_that_account_a_migration_runs_to_its_end(service, start, source_name,
                                                       destination_name, mode):
    source, destination = start(source_name), start(destination_name)
    fill(source.url(), 900)
    follows = mode == "psync"
    job = service.job(make_account(service, source, "source", mode),
                      make_account(service, destination, "destination", mode),
                      migration={"full": True, "incremental": follows, "read_mode": mode})
    found = job.precheck()
    assert found["state"] == "passed" and worth_reading(found) == [], worth_reading(found)
    skipped = {i["id"]: i["id"] + " " + i["message"] for i in found["items"] if i["result"] == "skipped"}
    assert not [m for m in skipped.values() if "may not" in m], skipped
    job.act("start")
    if follows:
        job.wait_caught_up()
        wait_marker(source, destination, job=job)
        job.stop()
    else:
        job.wait_state("completed")
    # Before 7.0 SCAN is beside PTTL, which says how long, not until when.
    relative = source_name == "redis-6.0" and mode == "scan"
    report = compare(source.url(), destination.url(), **({"ttl_tolerance_ms": 2000} if relative else {}))
    assert report.equal, str(report)
    denied = destination.client().execute_command("ACL", "LOG") + source.client().execute_command("ACL", "LOG")
    denied = [row for row in denied if row[row.index(b"object") + 1] != b"client"]  # NO-TOUCH, where there is none
    assert denied == [], [(row[row.index(b"object") + 1], row[row.index(b"reason") + 1]) for row in denied]


def test_the_account_of_a_source_may_write_nothing_but_the_heartbeat(service, source):
    url = make_account(service, source, "source", "psync")
    client = redis.Redis.from_url(url)
    client.psetex("DTS_REDIS_TIMESTAMP_HEARTBEAT:job:0", 1000, 1)
    for command in (("PSETEX", "k", 9, 1), ("SET", "k", 1), ("DEL", "k"), ("FLUSHALL",), ("CONFIG", "SET", "maxmemory", "1"),
                    ("SHUTDOWN",), ("EVAL", "return 1", 0), ("KEYS", "*"), ("MONITOR",)):
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.execute_command(*command)


def test_a_server_without_accounts_is_told_so(service):
    answer = service.request("GET", "/v1/acl?role=source&version=5.0.14")
    assert answer["has_accounts"] is False and answer["line"] is None and answer["rules"] == []


def test_what_is_not_understood_is_refused_by_name(service):
    for query, pointer in (("role=both", "/role"), ("", "/role"), ("role=source&read_mode=quick", "/read_mode"),
                           ("role=source&version=new", "/version"),
                           ("role=source&topology=ring", "/topology"),
                           ("role=source&user=a%20b", "/user")):
        answer = service.request("GET", "/v1/acl?" + query, expect=(422,))
        assert [e["pointer"] for e in answer["errors"]] == [pointer], query
