"""Every command of the table goes through a tail, between every two servers that have it."""

import pytest
from support import every_command
from support.compare import compare
from support.redis_fixture import RedisServer
from support.service import wait_marker
from support.zoo_servers import NAMES, zoo_servers

# Before 6.2 a server does not count the errors it answers, which a tail relies on.
NO_TAIL = ("redis-6.0",)
DEFAULT = {("redis-6.0", "redis-7.0"), ("redis-8.6", "redis-8.6"), ("valkey-9.1", "valkey-9.1")}
# Sources before 7.0 send what is left to live: it arrives as late as the stream does.
RELATIVE_MS = 2000


@pytest.fixture(scope="module")
def zoo(request):
    return zoo_servers(300 if request.config.getoption("--full") else 30)


def pairs():
    for pair in ((a, b) for a in NAMES for b in NAMES if b not in NO_TAIL):
        yield pytest.param(*pair, id="%s to %s" % pair, marks=[] if pair in DEFAULT else [pytest.mark.full])


def test_every_command_has_an_example_or_a_reason(service):
    table = {row["name"]: row for row in service.request("GET", "/v1/commands")["items"]}
    needed = {name for name, row in table.items() if not row["since"]["module"] and row["replay_class"] != "never_run"}
    needed |= {name for name, row in table.items() if row["applied"] == "refused" and row["in_stream"] != "itself"}
    assert needed - set(every_command.EXAMPLES) - set(every_command.NEVER) - every_command.NEWER == set()
    assert set(every_command.EXAMPLES) <= set(table)


@pytest.mark.parametrize("source_name, destination_name", pairs())
def test_every_command_that_both_have_arrives(service, zoo, source_name, destination_name):
    servers = []
    try:
        for name in (source_name, destination_name, source_name):
            servers.append(RedisServer(binary=zoo[name]))
        source, destination, other = servers
        ends = [every_command.Runner(server) for server in (source, destination)]
        names = {name for name in every_command.EXAMPLES if all(end.has(name) for end in ends)}
        assert len(names) > 90
        job = service.job(source.url(), destination.url()).check_and_start(ignore_warnings=True)
        job.wait_caught_up()
        assert every_command.run(source, names, other) == names
        wait_marker(source, destination, timeout=60, job=job)
        job.stop()
        report = compare(source.url(), destination.url(), ttl_tolerance_ms=RELATIVE_MS if source_name == "redis-6.0" else 0)
        assert report.equal, "\n%s" % report
    finally:
        for server in servers:
            server.close()
