"""Every check of the catalogue, once where it passes and once where it does not, against real servers.

support/check_cases.py is the table; a check that is built and has no row there fails the suite.
The last test writes docs/check-tests.md of the build folder from it.
"""

import contextlib
import time

import pytest
from support.authority import Authority
from support.check_cases import CASES, NOT_SHOWN, PASSES, Pair, until
from support.check_child import check, endpoint
from support.redis_fixture import RedisServer
from support.service import build_folder
from support.workload import Writer, fill
from support.zoo_servers import NAMES, zoo_servers

# These wait for other processes.
SLOW = {"src.loading", "src.replicas_sentinel", "dst.cluster_health", "dst.cross_slot"}
ROWS = [pytest.param(i, marks=pytest.mark.full if i in SLOW else []) for i in CASES]


@pytest.fixture(scope="module")
def zoo(request):
    return zoo_servers(300 if request.config.getoption("--full") else 30)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    found = Authority(tmp_path_factory.mktemp("ca"))
    found.sign("server", "IP:127.0.0.1")
    found.sign("stranger", "DNS:other.example")
    found.sign("old", "IP:127.0.0.1", days=3)
    return found


@pytest.fixture(scope="module")
def dump_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dump")
    with RedisServer("--save", "900 1000000") as server:
        server.client().set("k", 1)
        server.client().save()
        (folder / "dump.rdb").write_bytes((server.directory / "dump.rdb").read_bytes())
    return folder


@pytest.fixture(scope="module")
def stock():
    """A run of all checks on a stock pair."""
    with RedisServer() as source, RedisServer() as destination:
        source.client().set("k", 1)
        return check(endpoint(source.port), endpoint(destination.port)).items


@pytest.fixture
def pair(request):
    with contextlib.ExitStack() as stack:
        yield Pair(stack, request)


@pytest.mark.parametrize("check_id", ROWS)
def test_it_does_not_pass_where_something_is_wrong(pair, check_id):
    make, result = CASES[check_id]
    make(pair)
    item = pair.run(check_id)
    assert item["result"] == result, item
    assert item["message"] and item["doc_url"] == "/v1/checks/" + check_id
    assert item["remedy"] or item["severity"] == "info", item  # what is only remarked needs none
    assert item["ignorable"] is (result == "warn" and item["severity"] != "info"), item


@pytest.mark.parametrize("check_id", ROWS)
def test_it_passes_where_nothing_is(request, check_id):
    if check_id not in PASSES:
        item = request.getfixturevalue("stock")[check_id]
    else:
        pair = request.getfixturevalue("pair")
        PASSES[check_id](pair)
        item = pair.run(check_id)
    assert item["result"] == "pass", item
    assert not item["remedy"], item


def test_a_way_that_is_narrower_than_the_changes_is_warned_of(pair):
    pair.writer("source", size=100_000)
    pair.lie("source", delay=0.05)
    item = pair.run("src.bandwidth")
    assert item["result"] == "warn" and "never catch up" in item["message"] and item["ignorable"], item


def test_only_what_is_selected_needs_memory(pair):
    pair.source.client().setrange("big", 20_000_000, "x")
    pair.source.client().set("app:1", 1)
    pair.destination.client().config_set("maxmemory", "8mb")
    assert pair.run("dst.memory")["result"] == "fail"
    pair.spec["objects"] = {"databases": [{"source": 0, "destination": 0, "include_prefixes": ["app:"]}]}
    assert pair.run("dst.memory")["result"] == "pass"


def test_every_check_that_is_built_is_shown_both_ways(service):
    built = {row["id"] for row in service.request("GET", "/v1/checks")["items"] if row["built"]}
    assert built == set(CASES) | set(NOT_SHOWN)
    assert not set(CASES) & set(NOT_SHOWN)


def test_what_is_always_skipped_says_so(stock):
    assert {i: stock[i]["result"] for i in NOT_SHOWN} == dict.fromkeys(NOT_SHOWN, "skipped")


def test_an_account_that_may_not_multi_starts_no_full_sync(pair):
    """Redis 6.0 would carry out the PSYNC that is only to be queued."""
    pair.source = pair.zoo("redis-6.0")
    pair.user("source", "+@all ~* -multi", channels="")
    item = pair.run("src.psync_permission")
    assert item["result"] == "warn" and "+multi" in item["remedy"], item
    assert pair.source.client().info("stats")["sync_full"] == 0


@pytest.mark.parametrize("name", ["redis-7.0"] + [pytest.param(name, marks=pytest.mark.full) for name in (
    "redis-6.0", "redis-8.6", "valkey-8.1", "valkey-9.1")])
def test_nothing_is_left_behind_on_either_server(pair, name):
    pair.source = pair.zoo(name)
    pair.destination = pair.zoo("valkey-9.1" if name.startswith("valkey") else "redis-8.6")
    pair.source.client().set("k", 1)

    def traces(server):
        client = server.client()
        knows = client.info("server")["redis_version"] >= "7"
        return (client.config_get("*"), [server.client(db).keys() for db in range(4)],
                client.execute_command("FUNCTION", "LIST") if knows else [],
                client.execute_command("ACL", "LIST"),
                client.info("memory")["number_of_cached_scripts"], client.info("stats")["sync_full"],
                client.info("replication")["role"])

    before = traces(pair.source), traces(pair.destination)
    found = check(endpoint(pair.source.port), endpoint(pair.destination.port))
    assert found.done["facts"]["probe_keys"] > 0
    assert (traces(pair.source), traces(pair.destination)) == before
    until(lambda: len(pair.source.client().client_list()) <= 5 and not [
        c for c in pair.source.client().client_list() + pair.destination.client().client_list()
        if "keyferry" in c["name"]], "its connections are gone")


def page():
    lines = ["# Which checks are shown by tests", "",
             "Made of tests/support/check_cases.py. Each check is run once where it passes and once where it",
             "does not, against real servers; the result is what the case gives.", "",
             "| check | where something is wrong |", "|---|---|"]
    lines += ["| `%s` | %s |" % (i, CASES[i][1]) for i in CASES]
    lines += ["", "## Not shown both ways", ""]
    lines += ["- `%s`: %s" % row for row in NOT_SHOWN.items()]
    return "\n".join(lines) + "\n"


def test_the_exceptions_and_their_reasons_are_a_page():
    path = build_folder() / "docs" / "check-tests.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text(page())
    assert all("`%s`: %s" % row in path.read_text() for row in NOT_SHOWN.items())


@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if name in ("redis-6.0", "redis-8.6", "valkey-9.1")
                                               else pytest.mark.full) for name in NAMES])
def test_two_stock_servers_pass_while_the_quickstart_writes(pair, name):
    """Thresholds follow what is at stake: limits as they are delivered are no reason to warn."""
    pair.source, pair.destination = pair.zoo(name), pair.zoo(name)
    fill(pair.source.url(), 3000)
    # 6.0 does not know all that the quickstart's writer runs.
    with Writer(pair.source.url(), rate=3000, mix="model" if name == "redis-6.0" else "all"):
        time.sleep(1)
        found = check(endpoint(pair.source.port), endpoint(pair.destination.port))
    # Before 6.2 a server does not count its errors: what is followed to it goes as scripts, a remark.
    assert found.problems() == ({"dst.error_seal": "warn"} if name == "redis-6.0" else {}), found.worth_reading()
    assert found.done["facts"]["source"]["writes_per_second"] > 100
