"""A part of a source into a part of a destination: databases, prefixes, several jobs side by side."""

import os
import signal
import time

import pytest
from support import processes
from support.proxy import Proxy
from support.redis_fixture import RedisServer
from support.service import ApiError, Blocked
from support.zoo_servers import zoo_servers

BINARY = b"\x00\xffbin:"


def select(*rows, **objects):
    return dict({"databases": [dict({"source": 0}, **row) for row in rows]}, **objects)


def keys_of(client):
    return {key for key in client.scan_iter(count=1000) if not key.startswith(b"{kf}:")}


def wait_for(client, key, value, job):
    """What was written last of all is there: so is everything before it."""
    deadline = time.monotonic() + 60
    while client.get(key) != value:
        state = job.get()
        if state["state"] in ("blocked", "failed"):
            raise Blocked(state, "%s" % key)
        assert time.monotonic() < deadline, "%s does not arrive: %s" % (key, state)
        time.sleep(0.05)


def wait_blocked(job, code):
    deadline = time.monotonic() + 60
    while (job.get().get("attention") or {}).get("code") != code:
        assert time.monotonic() < deadline, job.get()
        time.sleep(0.05)


def fill(client):
    for i in range(300):
        client.set("a:%d" % i, i)
        client.set("b:%d" % i, i, px=3600000 + i)
        client.rpush("c:%d" % i, i)
    client.set(BINARY + b"1", 1)


@pytest.mark.parametrize("mode", ["psync", pytest.param("scan", marks=pytest.mark.full)])
def test_a_copy_brings_what_is_selected(service, source, destination, mode):
    src, dst = source.client(), destination.client()
    fill(src)
    dst.set("b:mine", "kept")  # beside the selection: in nobody's way
    job = service.job(source.url(), destination.url(), migration={"incremental": False, "read_mode": mode},
                      objects=select({"include_prefixes": ["a:", "hex:00ff"], "exclude_prefixes": ["a:1"]}))
    job.check_and_start(ignore_warnings=True)
    job.wait_state("completed")
    expected = {key for key in keys_of(src) if key.startswith((b"a:", BINARY)) and not key.startswith(b"a:1")}
    assert keys_of(dst) == expected | {b"b:mine"} and len(expected) == 190
    assert dst.get("a:0") == b"0" and dst.get("b:mine") == b"kept"


def test_commands_across_the_border_become_what_they_mean(service, source, destination):
    src, dst = source.client(), destination.client()
    fill(src)
    job = service.job(source.url(), destination.url(), objects=select({"include_prefixes": ["a:"]}))
    job.check_and_start(ignore_warnings=True)
    job.wait_caught_up()
    src.delete("a:0", "b:0")
    src.mset({"a:new": 1, "b:new": 2})
    src.rename("a:1", "b:gone")
    src.rename("a:2", "a:renamed")
    src.sadd("b:set", "x", "y")
    src.smove("b:set", "a:set", "x")
    src.rpush("a:list", 1, 2, 3)
    src.lmove("a:list", "b:list", "LEFT", "RIGHT")
    src.copy("a:3", "b:copied")
    src.sunionstore("b:union", "a:set", "b:set")
    src.sunionstore("a:union", "a:set")
    src.move("a:4", 5)
    src.set("a:ttl", 1, px=7200000)
    pipe = src.pipeline(transaction=True)
    pipe.incr("a:5").incr("b:5").incr("a:6")
    pipe.execute()
    src.publish("a:channel", "nobody")
    src.set("a:last", "end")
    wait_for(dst, "a:last", b"end", job)
    job.stop()
    expected = {key for key in keys_of(src) if key.startswith(b"a:")}
    assert keys_of(dst) == expected
    for key in sorted(expected):
        if src.type(key) == b"string":
            assert (src.get(key), src.pexpiretime(key)) == (dst.get(key), dst.pexpiretime(key)), key
    assert dst.lrange("a:list", 0, -1) == [b"2", b"3"] and dst.smembers("a:set") == {b"x"}
    assert set(destination.counts()) == {0}


def test_what_enters_the_selection_stops_the_job_by_name(service, source, destination):
    src = source.client()
    src.set("b:1", 1)
    job = service.job(source.url(), destination.url(), objects=select({"include_prefixes": ["a:"]}))
    job.check_and_start(ignore_warnings=True)
    job.wait_caught_up()
    src.rename("b:1", "a:1")
    wait_blocked(job, "selection_crossed")
    attention = job.get()["attention"]
    assert "rename" in attention["detail"] and "b:1" not in str(attention)
    assert attention["choices"][0]["body"] == {"on_full_resync_needed": "overwrite"}
    job.resume(on_full_resync_needed="overwrite")
    wait_for(destination.client(), "a:1", b"1", job)
    job.stop()


def test_the_copy_that_answers_it_begins_once_whichever_worker_has_it(start_service, source, destination):
    service, src = start_service(), source.client()
    pipe = src.pipeline(transaction=False)
    for i in range(5000):
        pipe.rpush("a:%d" % i, i)
    pipe.execute()
    src.set("b:1", 1)
    job = service.job(source.url(), destination.url(), objects=select({"include_prefixes": ["a:"]}))
    job.check_and_start(ignore_warnings=True)
    job.wait_caught_up()
    src.rename("b:1", "a:last")
    wait_blocked(job, "selection_crossed")
    service.request("PUT", job.path + "/throttle", {"full": {"enabled": True, "rps": 500}})
    job.act("resume", {"on_full_resync_needed": "overwrite"})
    position = lambda: destination.client().hmget("{kf}:%s:0" % job.id, "gen", "state", "epoch", "mark")
    job.wait(lambda _: position()[1] == b"copy" and position()[3], "a part of the second copy")
    generation, _, epoch, _ = position()
    (worker,) = service.pids("worker")
    os.kill(worker, signal.SIGKILL)
    job.wait(lambda _: int(position()[2]) > int(epoch), "another claim")
    job.wait(lambda _: position()[3] or position()[1] == b"tail", "the copy")
    assert position()[0] == generation
    service.request("PUT", job.path + "/throttle", {"full": {"enabled": False}})
    wait_for(destination.client(), "a:last", b"1", job)
    job.stop()


def test_two_jobs_share_a_database_by_prefix(service, source, destination, redis_server):
    """Each flushes, stops and settles its own part; the other's position and held expiries stay."""
    other = redis_server()
    for server in (source, other):
        fill(server.client())
    dst = destination.client()
    dst.set("d:users", "own")
    one = service.job(source.url(), destination.url(),
                      objects=select({"include_prefixes": ["a:"]}, flush_policy="apply"))
    two = service.job(other.url(), destination.url(),
                      objects=select({"include_prefixes": ["b:"]}, flush_policy="apply"))
    for job in (one, two):
        job.check_and_start(ignore_warnings=True)
    for job in (one, two):
        job.wait_caught_up()
    assert {key[:2] for key in keys_of(dst)} == {b"a:", b"b:", b"d:"}
    source.client().flushall()
    source.client().set("a:last", "end")
    wait_for(dst, "a:last", b"end", one)
    assert {key for key in keys_of(dst) if key[:2] != b"b:"} == {b"a:last", b"d:users"}
    assert sum(key.startswith(b"b:") for key in keys_of(dst)) == 300
    held = dst.pexpiretime("b:7")
    one.stop()
    assert dst.pexpiretime("b:7") == held > 2 ** 42, "held by the job that goes on"
    other.client().set("b:last", "end")
    wait_for(dst, "b:last", b"end", two)
    two.stop()
    assert dst.pexpiretime("b:7") == other.client().pexpiretime("b:7")
    assert dst.get("d:users") == b"own"


@pytest.mark.full
def test_a_flush_of_the_source_asks_first(service, source, destination):
    src, dst = source.client(), destination.client()
    fill(src)
    job = service.job(source.url(), destination.url(), objects=select({"include_prefixes": ["a:"]}))
    job.check_and_start(ignore_warnings=True)
    job.wait_caught_up()
    source.client(db=3).flushdb()  # not the job's
    src.set("a:one", "end")
    wait_for(dst, "a:one", b"end", job)
    src.flushdb()
    src.set("a:two", "end")
    wait_blocked(job, "flush_blocked")
    assert dst.exists("a:one", "a:7") == 2, "nothing was flushed"
    job.stop(drain=False)


def test_a_copy_may_extend_expiries(service, source, destination):
    src, dst = source.client(), destination.client()
    fill(src)
    src.set("gone", 1, px=1)
    job = service.job(source.url(), destination.url(), migration={"incremental": False}, extend_ttl_seconds=3600)
    job.check_and_start(ignore_warnings=True)
    job.wait_state("completed")
    for i in range(0, 300, 50):
        assert dst.pexpiretime("b:%d" % i) == src.pexpiretime("b:%d" % i) + 3600000
    assert dst.pexpiretime("a:1") == -1


@pytest.mark.full
def test_fields_may_be_extended_too(service):
    zoo = zoo_servers(300)
    ends = [RedisServer(binary=zoo["redis-8.6"]) for _ in range(2)]
    try:
        src, dst = (end.client() for end in ends)
        for key, fields in (("small", 3), ("large", 2000)):
            src.hset(key, mapping={"f%d" % i: i for i in range(fields)})
            src.execute_command("HPEXPIREAT", key, 4000000000000, "FIELDS", 1, "f1")
        job = service.job(ends[0].url(), ends[1].url(), migration={"incremental": False}, extend_ttl_seconds=60)
        job.check_and_start(ignore_warnings=True)
        job.wait_state("completed")
        for key in ("small", "large"):
            assert dst.execute_command("HPEXPIRETIME", key, "FIELDS", 2, "f1", "f2") == [4000000060000, -1]
            assert dst.hgetall(key) == src.hgetall(key)
    finally:
        for end in ends:
            end.close()


@pytest.mark.full
def test_messages_arrive_where_they_are_wanted(service, source, destination):
    job = service.job(source.url(), destination.url(), objects={"publish": True})
    job.check_and_start(ignore_warnings=True)
    job.wait_caught_up()
    listener = destination.client().pubsub()
    listener.subscribe("news")
    deadline = time.monotonic() + 60
    while listener.get_message(timeout=0.2) is None or not source.client().publish("news", "hello") == 0:
        assert time.monotonic() < deadline
    while True:
        message = listener.get_message(timeout=0.2)
        if message and message["type"] == "message":
            break
        source.client().publish("news", "hello")
        assert time.monotonic() < deadline, "no message arrives"
    assert message["data"] == b"hello"
    job.stop()



def rejected(service, job):
    return service.request("GET", "/v1/jobs/%s/rejected-commands" % job.id)["items"]


def wait_rejected(service, job, **wanted):
    deadline = time.monotonic() + 60
    while True:
        items = rejected(service, job)
        if items and all(item[name] == value for item in items for name, value in wanted.items()):
            return items
        assert time.monotonic() < deadline, items
        time.sleep(0.1)


def inject(proxy, *words):
    """One more command in the source's stream, which the source knows nothing of."""
    data = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
    deadline = time.monotonic() + 60
    while not proxy.inject(data):
        assert time.monotonic() < deadline, "nobody follows"
        time.sleep(0.05)


def test_a_flush_that_was_left_out_can_be_applied_later(service, source, destination):
    src, dst = source.client(), destination.client()
    fill(src)
    job = service.job(source.url(), destination.url(), objects=select({"include_prefixes": ["a:"]}))
    job.check_and_start(ignore_warnings=True)
    job.wait_caught_up()
    src.flushdb()
    wait_blocked(job, "flush_blocked")
    service.request("PATCH", "/v1/jobs/" + job.id, {"objects": {"flush_policy": "skip"}})
    with pytest.raises(ApiError):
        service.request("PATCH", "/v1/jobs/" + job.id, {"objects": {"databases": None}})
    job.resume()
    src.set("a:last", "end")
    wait_for(dst, "a:last", b"end", job)
    assert dst.exists("a:7")
    job.wait(lambda seen: seen["progress"]["incremental"]["rejected"] == 1, "the count of what was left out")
    item, = wait_rejected(service, job, status="recorded")
    assert (item["command"], item["reason"], item["source_database"]) == ("flushdb", "flush_policy", 0)
    dst.set("d:users", "own")
    assert service.request("POST", "/v1/jobs/%s/rejected-commands/replay" % job.id, {}) == {"wanted": 1}
    wait_rejected(service, job, status="replayed")
    assert keys_of(dst) == {b"d:users"}, "the selection is empty, the rest stays"
    src.set("a:more", "end")
    wait_for(dst, "a:more", b"end", job)
    assert service.request("POST", "/v1/jobs/%s/rejected-commands/replay" % job.id, {}) == {"wanted": 0}
    job.stop()
    counts = {row["command"]: row for row in service.request("GET", "/v1/jobs/%s/metrics" % job.id)["by_command"]}
    assert counts["flushdb"]["rejected"] == 1 and counts["set"]["applied"] == 2


def test_what_is_left_out_is_on_record_before_it_is_passed(service, source, destination):
    """Scripts of old sources and unknown commands, with the worker killed behind them."""
    dst = destination.client()
    with Proxy(source.port) as proxy:
        job = service.job(source.url(port=proxy.port), destination.url(),
                          objects={"lua_policy": "skip", "unknown_command_policy": "skip_and_record"})
        job.check_and_start()
        job.wait_caught_up()
        inject(proxy, b"EVAL", b"redis.call('INCR',KEYS[1])", b"1", b"secret:counter")
        inject(proxy, b"NOSUCHCOMMAND", b"secret:key", b"value")
        items = wait_rejected(service, job, status="recorded")
        while len(items) < 2:
            items = rejected(service, job)
            time.sleep(0.05)
        assert [item["command"] for item in items] == ["eval", "NOSUCHCOMMAND"]
        assert items[0]["key_hash"] and items[1]["key_hash"] is None
        assert "secret" not in str(items)
        assert not [name for name, text in service.logs().items() if "secret:counter" in text or "secret:key" in text]
        assert not dst.exists("secret:counter")
        service.request("POST", "/v1/jobs/%s/rejected-commands/replay" % job.id, {"ids": [item["id"] for item in items]})
        deadline = time.monotonic() + 60
        while any(item["status"] in ("recorded", "wanted") for item in rejected(service, job)):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        first, second = rejected(service, job)
        assert first["status"] == "replayed" and dst.get("secret:counter") == b"1"
        assert second["status"] == "refused" and "unknown command" in second["detail"]
        assert "secret" not in second["detail"]
        job.stop(drain=False)


def test_a_replay_happens_once_whoever_dies(service, source, destination):
    dst = destination.client()
    with Proxy(source.port) as proxy:
        job = service.job(source.url(port=proxy.port), destination.url(), objects={"lua_policy": "skip"})
        job.check_and_start()
        job.wait_caught_up()
        for _ in range(20):
            inject(proxy, b"EVAL", b"redis.call('INCR',KEYS[1])", b"1", b"counter")
        deadline = time.monotonic() + 60
        while len(rejected(service, job)) < 20:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        service.request("POST", "/v1/jobs/%s/rejected-commands/replay" % job.id, {})
        for _ in range(3):
            for pid in job.pids("apply"):
                processes.send(pid, signal.SIGKILL)
            time.sleep(0.05)
        wait_rejected(service, job, status="replayed")
        assert dst.get("counter") == b"20"
        job.stop(drain=False)


def positions(client):
    return sorted(client.scan_iter(match="{kf}:*"))


@pytest.mark.parametrize("objects", [
    {"databases": [{"source": 0}, {"source": 3}], "flush_policy": "apply"}, pytest.param({}, marks=pytest.mark.full)],
    ids=["by database", "whole"])
def test_a_flush_leaves_what_ended_jobs_have_sealed(service, source, destination, redis_server, objects):
    """Emptied and swapped, whole or by database: their keys stay where they were, as they were."""
    other, first = redis_server(), destination.client()
    source.client().set("x", 1)
    sealed = service.job(source.url(), destination.url(), migration={"incremental": False})
    sealed.check_and_start(ignore_warnings=True)
    sealed.wait_state("completed")
    key, = positions(first)
    seal = first.hgetall(key)
    src = other.client()
    src.set("a", 1)
    job = service.job(other.url(), destination.url(), conflict_mode="overwrite", objects=objects)
    job.check_and_start(ignore_warnings=True)
    job.wait_caught_up()
    src.flushall()
    src.set("b", 1)
    src.flushdb()
    src.set("c", 1)
    src.swapdb(0, 3)
    src.set("last", "end")
    wait_for(first, "last", b"end", job)
    assert first.hgetall(key) == seal and keys_of(first) == {b"last"}
    assert keys_of(destination.client(db=3)) == {b"c"} and positions(destination.client(db=3)) == []
    assert len(positions(first)) == 2
    job.stop()
