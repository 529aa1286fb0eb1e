"""The table of commands, held against what real servers say of themselves, and a source that sends
what no source may.
"""

import time

import pytest
from support.proxy import Proxy
from support.redis_fixture import RedisServer
from support.zoo_servers import NAMES, zoo_servers

# Keys that neither COMMAND's three numbers nor its key specifications place.
BY_OPTION = {"sort", "georadius", "georadiusbymember", "migrate", "xreadgroup", "eval", "evalsha", "fcall"}


@pytest.fixture(scope="module")
def zoo(request):
    return zoo_servers(300 if request.config.getoption("--full") else 30)


def text(value):
    return value.decode().lower() if isinstance(value, bytes) else value


def mapping(pairs):
    return {text(key): value for key, value in zip(pairs[::2], pairs[1::2])}


def specs_of(row):
    """[(first, last, step)] and the position of a count, from the key specifications of 7.0."""
    ranges, count_at, step_of_count = [], 0, 0
    for spec in map(mapping, row[8]):
        begin, find = mapping(spec["begin_search"]), mapping(spec["find_keys"])
        if text(begin["type"]) != "index":
            continue
        index, find_spec = mapping(begin["spec"])["index"], mapping(find["spec"])
        if text(find["type"]) == "range":
            last = find_spec["lastkey"]
            ranges.append((index, last if last < 0 else index + last, find_spec["keystep"]))
        elif text(find["type"]) == "keynum":
            count_at, step_of_count = index + find_spec["keynumidx"], find_spec["keystep"]
    return ranges, count_at, step_of_count


def write_commands(client):
    """{name: row} of what the server calls a write; subcommands as "xgroup create"."""
    connection = client.connection_pool.get_connection("COMMAND")
    try:
        connection.send_command("COMMAND")
        rows = connection.read_response()
    finally:
        client.connection_pool.release(connection)
    found = {}
    for row in rows:
        for each in [row] + (row[9] if len(row) > 9 else []):
            if b"write" in each[2]:
                found[text(each[0]).replace("|", " ")] = each
    return found


def differences(table, commands, name):
    product, version = name.split("-")
    wrong = {}
    for command, row in commands.items():
        # Of a container 6.0 has one row, and the table one for each second word.
        if command == "xgroup" or command in BY_OPTION:
            continue
        if command not in table:
            wrong[command] = "is not in the table"
            continue
        ours, since = table[command]["keys"], table[command]["since"][product]
        if since is None or [int(part) for part in since.split(".")] > [int(part) for part in version.split(".")]:
            wrong[command] = "is there, and the table says since %s" % since
        if len(row) > 8:
            ranges, count_at, step = specs_of(row)
            first = min((r[0] for r in ranges), default=0)
            last = max((r[1] for r in ranges), key=lambda at: (at < 0, at), default=0)
            step = step or max((r[2] for r in ranges), default=0)
        else:
            first, last, step, count_at = row[3], row[4], row[5], ours["count_at"]
            if count_at or command == "pfdebug":  # 6.0 places the keys of these nowhere
                continue
        theirs = {"first": first, "last": last, "count_at": count_at, "step": step}
        if any(theirs[at] != ours[at] for at in theirs if at != "step" or first or count_at):
            wrong[command] = (ours, theirs)
    return wrong


def called(client):
    return set(client.info("commandstats"))


@pytest.mark.parametrize("name", NAMES)
def test_every_write_command_of_a_server_is_in_the_table(service, zoo, name):
    table = {row["name"]: row for row in service.request("GET", "/v1/commands")["items"]}
    server = RedisServer(binary=zoo[name])
    try:
        commands = write_commands(server.client())
    finally:
        server.close()
    assert len(commands) > 80
    assert differences(table, commands, name) == {}
    # The comparison sees what is wrong.
    table["zunionstore" if name > "redis-6.1" else "set"]["keys"]["first"] = 3
    del table["incr"]
    assert len(differences(table, commands, name)) == 2


SHORT = (("CONFIG", "SET", "dir", "/tmp"),)
LONG = (("SHUTDOWN", "NOSAVE"), ("MODULE", "LOAD", "x.so"), ("SCRIPT", "KILL"), ("REPLICAOF", "NO", "ONE"), ("FAILOVER",),
        ("ACL", "SETUSER", "default", "off"), ("DEBUG", "SLEEP", "1"), ("CLIENT", "KILL", "TYPE", "normal"))


@pytest.mark.parametrize("words", SHORT + tuple(pytest.param(w, marks=pytest.mark.full) for w in LONG), ids=" ".join)
@pytest.mark.parametrize("inside", [False, pytest.param(True, marks=pytest.mark.full)], ids=["bare", "in MULTI"])
def test_a_hostile_source_ends_in_a_refusal(service, source, destination, words, inside):
    command = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words)
    if inside:
        command = b"*1\r\n$5\r\nMULTI\r\n" + command + b"*1\r\n$4\r\nEXEC\r\n"
    client = destination.client()
    client.config_resetstat()
    with Proxy(source.port) as proxy:
        job = service.job(source.url(port=proxy.port), destination.url()).check_and_start()
        job.wait_caught_up()
        deadline = time.monotonic() + 30
        before = called(client)
        while not proxy.inject(command):
            assert time.monotonic() < deadline, "nobody follows"
            time.sleep(0.05)
        blocked = job.wait_state("blocked")
        assert blocked["attention"]["code"] == "command_refused"
        assert words[0].lower() in blocked["attention"]["detail"]
    assert {name for name in called(client) - before if name.startswith("cmdstat_" + words[0].lower())} == set()
    job.stop(drain=False)


def test_scripts_of_an_old_source_run_and_are_counted(service, zoo, redis_server):
    """A source before 7.0 may send scripts instead of what they did; their replies are read."""
    source, destination = RedisServer(binary=zoo["redis-6.0"]), redis_server()
    try:
        src, dst = source.client(), destination.client()
        src.config_set("lua-replicate-commands", "no")
        job = service.job(source.url(), destination.url()).check_and_start(ignore_warnings=True)
        job.wait_caught_up()
        script = "redis.call('RPUSH',KEYS[1],ARGV[1]) return redis.call('INCRBY',KEYS[2],ARGV[2])"
        sha = src.script_load(script)
        for i in range(50):
            src.evalsha(sha, 2, "list", "sum", i, i)
        src.eval(script, 2, "list", "sum", "last", 1)
        deadline = time.monotonic() + 60
        while dst.lindex("list", -1) != b"last":
            assert time.monotonic() < deadline, job.get()
            time.sleep(0.05)
        assert dst.get("sum") == src.get("sum") == b"1226" and dst.lrange("list", 0, -1) == src.lrange("list", 0, -1)
        # One that fails there ends the job at once: nobody goes on from a difference.
        dst.set("other", "no list")
        src.eval(script, 2, "other", "sum", "x", 1)
        assert job.wait_state("blocked")["attention"]["code"] == "diverged"
        job.stop(drain=False)
        counts = {row["command"]: row for row in service.request("GET", "/v1/jobs/%s/metrics" % job.id)["by_command"]}
        assert counts["eval"]["applied"] + counts.get("evalsha", {"applied": 0})["applied"] == 51
    finally:
        source.close()
