"""What each check of the precheck is shown with: how to make it pass, and how not.

CASES has a row per check: what is wrong in it, and the result. PASSES says how a check comes to pass
that a stock pair skips. NOT_SHOWN holds the ones that cannot be shown, with the reason. What no server
on this machine can be (a petabyte, another product) is said by a lying server in between.
"""


import contextlib
import threading
import time

import redis
from support.check_child import check, endpoint
from support.lying_server import LyingServer, fields
from support.ports import free_port
from support.redis_fixture import RedisServer
from support.sentinel import Group

HEARTBEAT = "DTS_REDIS_TIMESTAMP_HEARTBEAT"


class Pair:
    """Two servers and the message about them; a case changes what it needs to."""

    def __init__(self, stack, request):
        self.stack, self.request = stack, request
        self._source = self._destination = None
        self.source_end = self.destination_end = None
        self.spec, self.more, self.credentials, self.probe = {}, {}, {}, "full"

    def server(self, *arguments, **options):
        return self.stack.enter_context(RedisServer(*arguments, **options))

    def zoo(self, name):
        return self.server(binary=self.request.getfixturevalue("zoo")[name])

    @property
    def source(self):
        self._source = self._source or self.server()
        return self._source

    @source.setter
    def source(self, server):
        self._source = server

    @property
    def destination(self):
        self._destination = self._destination or self.server()
        return self._destination

    @destination.setter
    def destination(self, server):
        self._destination = server

    def user(self, end, rules, channels="&*"):
        server = getattr(self, end)
        server.client().execute_command("ACL", "SETUSER", "mover", "on", ">pw", *channels.split(),
                                        *rules.split())
        setattr(self, end + "_end", endpoint(server.port, user="mover"))
        self.credentials[end] = {"password": "pw"}

    def lie(self, end, delay=0, **lies):
        liar = self.stack.enter_context(LyingServer(getattr(self, end).port, lies, delay))
        setattr(self, end + "_end", endpoint(liar.port))

    def writer(self, end, size=10):
        """Somebody who writes until the case is over."""
        client, over = getattr(self, end).client(), threading.Event()

        def write():
            while not over.is_set():
                with contextlib.suppress(redis.exceptions.RedisError):
                    client.set("written", b"x" * size)
                time.sleep(0.005)

        thread = threading.Thread(target=write)
        thread.start()
        self.stack.callback(thread.join)
        self.stack.callback(over.set)

    def cluster(self, end, with_slots):
        """Of one node; clusters of several are in flow/test_cluster_checks.py."""
        server = self.server("--cluster-enabled", "yes", databases=1)
        if with_slots:
            server.client().execute_command("CLUSTER", "ADDSLOTS", *range(16384))
            until(lambda: b"cluster_state:ok" in raw(server, "CLUSTER", "INFO"), "the cluster is ok")
        setattr(self, end, server)
        setattr(self, end + "_end", dict(endpoint(server.port), topology="cluster"))

    def tls(self, end, certificate, ca=True):
        authority = self.request.getfixturevalue("authority")
        port = free_port()
        setattr(self, end, self.server(*authority.server(port, certificate)))
        tls = {"ca_pem": authority.text("ca.crt")} if ca else {}
        setattr(self, end + "_end", endpoint(port, tls=tls))

    def run(self, check_id):
        source = self.source_end or endpoint(self.source.port)
        destination = self.destination_end or endpoint(self.destination.port)
        found = check(source, destination, self.spec, probe=self.probe, credentials=self.credentials,
                      checks=[check_id], **self.more)
        assert found.status == 0 and list(found.items) == [check_id], found.done
        return found.items[check_id]


def raw(server, *words):
    answer = server.client().execute_command(*words)
    if isinstance(answer, dict):
        return "\n".join("%s:%s" % row for row in answer.items()).encode()
    return answer if isinstance(answer, bytes) else str(answer).encode()


def until(condition, what, timeout=60):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "not within %d s: %s" % (timeout, what)
        time.sleep(0.05)


# ---- what is wrong


def gone(end):
    return lambda p: setattr(p, end + "_end", endpoint(free_port()))


def unknown(end):
    return lambda p: setattr(p, end + "_end", endpoint(6379, host="no-such-host.invalid"))


def wrong_password(end):
    def make(p):
        getattr(p, end).client().config_set("requirepass", "right")
        setattr(p, end + "_end", dict(endpoint(getattr(p, end).port), auth={"configured": True}))
        p.credentials[end] = {"password": "wrong"}
    return make


def config(end, name, value):
    return lambda p: getattr(p, end).client().config_set(name, value)


def spec(**members):
    return lambda p: p.spec.update(members)


def lies(end, **info):
    return lambda p: p.lie(end, INFO=fields(**info))


def user(end, rules):
    return lambda p: p.user(end, rules)


def no_password_given(p):
    p.source.client().config_set("requirepass", "right")


def loading(p):
    server = p.server("--save", "900 1000000")
    pipe = server.client().pipeline(transaction=False)
    for i in range(4000):
        pipe.set("k%d" % i, i)
    pipe.execute()
    server.client().save()
    server.kill()
    server.arguments += ["--key-load-delay", "2500", "--loading-process-events-interval-bytes", "1024"]

    def start():  # it is ready long after the case is over
        with contextlib.suppress(RuntimeError):
            server.start(timeout=60)

    starting = threading.Thread(target=start)
    starting.start()
    p.stack.callback(starting.join)
    p.stack.callback(server.kill)
    p.source = server

    def is_loading():
        with contextlib.suppress(redis.exceptions.RedisError):
            return server.client().info("persistence")["loading"] == 1

    until(is_loading, "the server loads")


def replica_without_primary(end):
    return lambda p: getattr(p, end).client().execute_command("REPLICAOF", "127.0.0.1", free_port())


def watched(p):
    group = p.stack.enter_context(contextlib.closing(Group(replicas=0, sentinels=1)))
    p.source = group.primary
    until(lambda: any(c["name"].startswith("sentinel-") for c in p.source.client().client_list()),
          "the Sentinel has named its connection")


def small_backlog(p):
    p.source.client().config_set("repl-backlog-size", "16kb")
    p.writer("source", 20000)


def small_buffer(p):
    p.source.client().config_set("client-output-buffer-limit", "replica 16kb 16kb 1")
    p.writer("source", 20000)


def failed_snapshot(p):
    client = p.source.client()
    (p.source.directory / "dump.rdb").mkdir()  # a file cannot take its place
    client.bgsave()
    until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", "the snapshot fails")


def snapshot_running(p):
    pipe = p.source.client().pipeline()
    for i in range(300):
        pipe.set("k%d" % i, i)
    pipe.execute()
    p.source.client().config_set("rdb-key-save-delay", 10000)
    p.source.client().bgsave()


def throttled(p):
    p.spec["throttle"] = {"incremental": {"enabled": True, "rps": 1, "bytes_per_second": None}}
    p.writer("source")


def full_only(p):
    p.spec["migration"] = {"full": True, "incremental": False}


def full_only_written(p):
    full_only(p)
    p.writer("source")


def hidden_database(p):
    p.source.client(3).set("k", 1)
    p.lie("source", INFO=lambda reply: reply.replace(b"db3:", b"xx3:"))


def big_key(p):
    p.source.client().setrange("big", 70_000_000, "x")


def soon_gone(p):
    for i in range(20):
        p.source.client().set("k%d" % i, 1, px=30000)


def vectors(p):
    p.source = p.zoo("redis-8.6")


def functions(p):
    p.source.client().execute_command(
        "FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)")
    p.destination = p.zoo("redis-6.0")


def neighbour(relation):
    return lambda p: p.more.update(worker={"neighbours": [
        {"relation": relation, "job": "job_X", "state": "running"}]})


def refused_by_role(end):
    def make(p):
        p.spec[end] = {"reference": {"account_id": "acct_X", "role_name": "mover"}}
        p.credentials[end] = {"code": "role_not_trusted", "error": "the role mover of acct_X does not trust"}
    return make


def let_in_by_role(end):
    return lambda p: p.spec.update({end: {"reference": {"account_id": "acct_X", "role_name": "mover"}}})


def others_write(p):
    p.writer("destination")


def uses_copy(p):
    p.source.client().set("a", 1)
    p.source.client().execute_command("COPY", "a", "b")
    p.destination = p.zoo("redis-6.0")


def expiring_fields(p):
    p.source = p.zoo("redis-8.0")
    p.source.client().hset("h", "f", 1)
    p.source.client().execute_command("HPEXPIRE", "h", 90000, "FIELDS", 1, "f")


def old_destination(p):
    p.destination = p.zoo("redis-6.0")


def other_job_there(p):
    p.destination.client().hset("{kf}:job_OTHER:0", mapping={"v": 1, "state": "tail", "epoch": 3})


def seal_there(p):
    p.destination.client().hset("{kf}:job_OTHER:0", mapping={"v": 1, "state": "stopped", "epoch": 3})


def same(p):
    p.destination = p.source


def too_small(p):
    p.source.client().setrange("big", 5_000_000, "x")
    p.destination.client().config_set("maxmemory", "2mb")


def several_keys(p):
    p.source.client().mset({"a": 1, "b": 2})
    p.cluster("destination", True)


def few_databases(p):
    p.source.client(9).set("k", 1)
    p.destination = p.server(databases=4)


def equal_names(p):
    p.source.client(0).set("both", 1)
    p.source.client(1).set("both", 2)
    p.spec["objects"] = {"databases": [{"source": 0, "destination": 0}, {"source": 1, "destination": 0}]}


def no_disk(p):
    p.source.client().set("k", 1)
    lies("source", used_memory_dataset=10 ** 18)(p)
    p.more["worker"] = {"spool_dir": "/tmp"}


def prefixes(include, exclude=()):
    return lambda p: p.spec.update(objects={"databases": [
        {"source": 0, "destination": 0, "include_prefixes": list(include),
         "exclude_prefixes": list(exclude)}]})


def file(name):
    def make(p):
        folder = p.request.getfixturevalue("dump_folder")
        p.source_end = {"file": name, "label": "file:" + name}
        p.more["import_dir"] = str(folder)
        full_only(p)
    return make


def known(**members):
    """What the control database knows of the ends of the job that is tried."""
    return lambda p: p.more.update(job="job_X", worker={"known": dict(
        {"has_position": True, "history": "f" * 40}, **members)})


def known_source(p):
    known(history=p.source.client().info("replication")["master_replid"])(p)


def known_destination(p):
    p.destination.client().hset("{kf}:job_X:0", mapping={"v": 1, "state": "tail"})
    known()(p)


# id: (what is wrong, the result)
CASES = {
    "src.file": (file("missing.rdb"), "fail"),
    "src.dns": (unknown("source"), "fail"),
    "src.connect": (gone("source"), "fail"),
    "src.tls": (lambda p: p.tls("source", "stranger"), "fail"),
    "src.auth": (wrong_password("source"), "fail"),
    "src.secret_free": (no_password_given, "fail"),
    "src.role_session": (refused_by_role("source"), "fail"),
    "src.identity": (known(), "fail"),
    "src.loading": (loading, "fail"),
    "src.version": (lies("source", redis_version="1.2.6"), "fail"),
    "src.edition": (lies("source", kvrocks_version="2.9.0"), "fail"),
    "src.topology": (lambda p: p.cluster("source", False), "fail"),
    "src.psync_permission": (user("source", "+@all ~* -psync"), "fail"),
    "src.replconf_permission": (user("source", "+@all ~* -replconf"), "fail"),
    "src.read_permission": (user("source", "+@all ~app:*"), "warn"),
    "src.setex_permission": (user("source", "+@all ~* -psetex"), "warn"),
    "src.role": (replica_without_primary("source"), "fail"),
    "src.replica_semantics": (config("source", "min-replicas-to-write", 1), "warn"),
    "src.replicas_sentinel": (watched, "warn"),
    "src.backlog": (small_backlog, "warn"),
    "src.output_buffer": (small_buffer, "warn"),
    "src.repl_timeout": (config("source", "repl-timeout", 5), "warn"),
    "src.fork_headroom": (failed_snapshot, "warn"),
    "src.bgsave_running": (snapshot_running, "warn"),
    "src.bandwidth": (lies("source", used_memory_dataset=10 ** 18), "warn"),
    "src.write_rate": (throttled, "warn"),
    "src.full_only_writes": (full_only_written, "warn"),
    "src.keyspace_visible": (hidden_database, "warn"),
    "src.db_exists": (spec(objects={"databases": [{"source": 99, "destination": 0}]}), "fail"),
    "src.big_keys": (big_key, "warn"),
    "src.expiring_keys": (soon_gone, "warn"),
    "src.modules": (vectors, "warn"),
    "src.scripts": (functions, "warn"),
    "src.heartbeat_collision": (lambda p: p.source.client(2).set(HEARTBEAT + "S", 1), "warn"),
    "src.other_jobs": (neighbour("source"), "warn"),
    "dst.dns": (unknown("destination"), "fail"),
    "dst.connect": (gone("destination"), "fail"),
    "dst.tls": (lambda p: p.tls("destination", "old"), "warn"),
    "dst.auth": (wrong_password("destination"), "fail"),
    "dst.identity": (known(), "fail"),
    "dst.live": (others_write, "warn"),
    "dst.role_session": (refused_by_role("destination"), "fail"),
    "dst.writable": (replica_without_primary("destination"), "fail"),
    "dst.permission": (user("destination", "+@all ~* -restore"), "fail"),
    "dst.error_seal": (old_destination, "warn"),
    "dst.version_order": (old_destination, "warn"),
    "dst.payload_compat": (lambda p: p.lie("destination", RESTORE=lambda reply: (
        b"-ERR Bad data format\r\n")), "fail"),
    "dst.commands": (uses_copy, "warn"),
    "dst.hfe": (expiring_fields, "warn"),
    "dst.empty": (lambda p: p.destination.client(4).set("somebody's", 1), "fail"),
    "dst.position": (other_job_there, "warn"),
    "dst.same_instance": (same, "fail"),
    "dst.loop": (neighbour("reverse"), "fail"),
    "dst.memory": (too_small, "fail"),
    "dst.eviction": (config("destination", "maxmemory-policy", "allkeys-lru"), "warn"),
    "dst.edition": (lies("destination", dragonfly_version="1.2"), "fail"),
    "dst.cluster_health": (lambda p: p.cluster("destination", False), "fail"),
    "dst.cross_slot": (several_keys, "warn"),
    "dst.db_range": (few_databases, "fail"),
    "dst.map_collision": (equal_names, "fail"),
    "dst.limits": (lambda p: setattr(p, "destination", p.server("--maxclients", "6")), "warn"),
    "dst.persistence_risk": (lambda p: setattr(p, "destination", p.server(
        "--appendonly", "yes", "--appendfsync", "always")), "warn"),
    "env.worker_clock": (lambda p: p.lie("source", TIME=lambda reply: (
        b"*2\r\n$10\r\n1000000000\r\n$1\r\n0\r\n")), "warn"),
    "env.worker_disk": (no_disk, "fail"),
    "env.capacity": (lambda p: p.more.update(worker={"tasks_max": 2, "tasks_held": 2}), "warn"),
    "net.latency": (lambda p: p.lie("destination", delay=0.015), "warn"),
    "cfg.filters": (prefixes(["app:x"], ["app:"]), "fail"),
    "cfg.ttl_extension": (spec(extend_ttl_seconds=60), "warn"),
    "cfg.alerts": (lambda p: p.more.update(worker={"contacts": 0}), "skipped"),
    "cfg.retry": (spec(retry={"connection_minutes": 20, "other_minutes": 20}), "fail"),
}

# Where a stock pair has nothing to look at.
PASSES = {
    "src.identity": known_source,
    "dst.identity": known_destination,
    "src.file": file("dump.rdb"),
    "src.tls": lambda p: p.tls("source", "server"),
    "src.role_session": let_in_by_role("source"),
    "dst.role_session": let_in_by_role("destination"),
    "cfg.alerts": lambda p: p.more.update(worker={"contacts": 1}),
    "dst.tls": lambda p: p.tls("destination", "server"),
    "src.full_only_writes": full_only,
    "src.db_exists": spec(objects={"databases": [{"source": 3, "destination": 0}]}),
    "src.other_jobs": lambda p: p.more.update(worker={"neighbours": []}),
    "dst.loop": neighbour("source"),
    "dst.position": seal_there,
    "dst.cluster_health": lambda p: p.cluster("destination", True),
    "dst.cross_slot": lambda p: p.cluster("destination", True),
    "env.worker_disk": lambda p: p.more.update(worker={"spool_dir": "/tmp", "spool_quota_bytes": 1 << 40}),
    "env.capacity": lambda p: p.more.update(worker={"tasks_max": 2, "tasks_held": 1}),
    "cfg.filters": lambda p: (p.source.client().set("app:1", 1), prefixes(["hex:6170703a"])(p)),
}

# A check that cannot be shown both ways: why.
NOT_SHOWN = {
    "dst.tde": "no server tells whether its provider encrypts at rest: it is always skipped, and says so",
}
