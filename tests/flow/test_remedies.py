"""Whoever reads a remedy pastes it: what begins with ACL SETUSER or CONFIG SET is a line its server takes,
and after a few rounds of precheck and remedies the precheck passes, whatever the account lacked."""

import re
import shlex

import pytest
import redis
from support.check_child import check, endpoint
from support.redis_fixture import RedisServer
from support.zoo_servers import zoo_servers

FOLLOWED = {"migration": {"full": True, "incremental": True, "read_mode": "psync"}}
SCANNED = {"migration": {"full": True, "incremental": False, "read_mode": "scan"}}
EVERYTHING = "~* +@all"
# {what is lacking: (rules of the source's account, of the destination's, the job)}
ACCOUNTS = {
    "source may log in": ("", EVERYTHING, FOLLOWED),
    "source may log in, scan": ("", EVERYTHING, SCANNED),
    "source has commands and no keys": ("+@all", EVERYTHING, FOLLOWED),
    "source has keys and no heartbeat": ("+@all -psetex -del ~*", EVERYTHING, FOLLOWED),
    "destination may log in": (EVERYTHING, "", FOLLOWED),
    "destination may begin": (EVERYTHING, "+multi +exec +discard", FOLLOWED),
    "destination has commands and no keys": (EVERYTHING, "+@all", FOLLOWED),
    "neither may INFO": (EVERYTHING + " -info", EVERYTHING + " -info", FOLLOWED),
}
ROUNDS = 4
# Where words of 7.0 or a second pattern would break the line.
DEFAULT = ("source may log in, scan", "source has keys and no heartbeat", "destination may begin")


@pytest.fixture(scope="module", params=["redis-6.0", pytest.param("redis-7.0", marks=pytest.mark.full),
                                        pytest.param("redis-8.6", marks=pytest.mark.full),
                                        pytest.param("valkey-9.1", marks=pytest.mark.full)])
def ends(request):
    binary = zoo_servers(300 if request.config.getoption("--full") else 30)[request.param]
    with RedisServer(binary=binary) as source, RedisServer(binary=binary) as destination:
        source.client().set("k", 1)
        yield source, destination


def lines(item, source, destination):
    """[(server, words)] of a remedy that is one or more lines for a server."""
    remedy = item["remedy"] or ""
    found = []
    for line in re.findall(r"(?:ACL SETUSER|CONFIG SET) [^,]*", remedy):
        words = re.split(r" (?:on the|for the|until) ", line)[0]
        on = re.search(r"(?i)on the (source|destination)(?: ACL|,|$)", remedy if line == remedy else
                       remedy[max(0, remedy.index(line) - 20):remedy.index(line)] + line)
        end = on.group(1).lower() if on else "destination" if item["id"].startswith("dst.") else "source"
        found.append(({"source": source, "destination": destination}[end], shlex.split(words)))
    return found


def follow(source, destination, spec, user="mover"):
    """Precheck and do what it says until nothing is wrong; the problems that are left."""
    for _ in range(ROUNDS):
        found = check(endpoint(source.port, user=user), endpoint(destination.port, user=user), spec,
                      credentials={end: {"password": "pw"} for end in ("source", "destination")})
        problems = {i: found.items[i] for i in found.problems() if found.items[i]["severity"] != "info"}
        if not problems:
            return {}
        for item in problems.values():
            for server, words in lines(item, source, destination):
                try:
                    assert server.client().execute_command(*words) in (True, b"OK"), words
                except redis.ResponseError as why:
                    raise AssertionError("%s: %r is refused: %s" % (item["id"], words, why)) from why
    return problems


@pytest.mark.parametrize("lacking", [
    pytest.param(name, marks=[] if name in DEFAULT else pytest.mark.full) for name in ACCOUNTS])
def test_a_line_that_is_pasted_is_taken_and_in_the_end_the_precheck_passes(ends, lacking):
    source, destination = ends
    *rules, spec = ACCOUNTS[lacking]
    for server, given in zip(ends, rules):
        server.client().execute_command("ACL", "SETUSER", "mover", "reset", "on", ">pw", *given.split())
    assert follow(source, destination, spec) == {}


@pytest.mark.full
def test_settings_are_pasted_as_well(ends):
    source, destination = ends
    for server in ends:
        server.client().execute_command("ACL", "SETUSER", "mover", "reset", "on", ">pw", "~*", "+@all")
    source.client().set("large", "x" * 2000000)
    for server, name, value in ((source, "repl-timeout", 5), (destination, "maxmemory-policy", "allkeys-lru"),
                                (destination, "maxmemory", "3gb"), (destination, "maxclients", 12),
                                (destination, "proto-max-bulk-len", 1048576)):
        server.client().config_set(name, value)
    assert follow(source, destination, FOLLOWED) == {}
