"""A cluster of real servers on loopback, without redis-cli: slots are given and nodes introduced by hand.

    with Cluster() as cluster:                 # three shards, no replicas, all slots
        cluster.url()                          # redis+cluster://127.0.0.1:P,…
        cluster.servers[1].client()            # RedisServer; servers[i] has the i-th third of the slots
        cluster.set("k", 1)                    # on whichever has the slot

    with together(Cluster.plan(), Cluster.plan(replicas=1)) as (a, b):    # both come up at the same time

A primary waits two seconds before it says that it is ok; that is most of the time this takes.
"""

import contextlib
import time

import redis

from support.ports import free_port
from support.redis_fixture import RedisServer

SLOTS = 16384


def crc16(data):
    value = 0
    for byte in data:
        value ^= byte << 8
        for _ in range(8):
            value = (value << 1 ^ 0x1021 if value & 0x8000 else value << 1) & 0xFFFF
    return value


def slot_of(key):
    key = key if isinstance(key, bytes) else key.encode()
    start = key.find(b"{")
    end = key.find(b"}", start + 1)
    if start >= 0 and end > start + 1:
        key = key[start + 1:end]
    return crc16(key) % SLOTS


def text(answer):
    return answer.decode() if isinstance(answer, bytes) else str(answer)


class _Node(RedisServer):
    def __init__(self, *arguments, **options):
        self.bus = free_port()
        super().__init__("--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf",
                         "--cluster-node-timeout", "2000", *arguments, **options)

    def start(self, timeout=60):
        known = any(word == "--cluster-port" for word in self.arguments)
        if not known and not self.is_old():
            self.arguments += ["--cluster-port", str(self.bus)]
        if self.is_old():
            self.bus = self.port + 10000
        return super().start(timeout)

    def is_old(self):
        return self.binary.endswith("6.0")

    def say(self, *words):
        """The answer as it came, as text."""
        client = self.client()
        client.response_callbacks.clear()
        return client.execute_command(*words)


class Cluster:
    def __init__(self, *arguments, shards=3, replicas=0, binary=None, binaries=None, node=_Node, ready=True):
        binaries = binaries or [binary] * shards
        self.servers, self.replicas = [], []
        try:
            for one in binaries:
                self.servers.append(node(*arguments, binary=one))
            for i in range(replicas * shards):
                self.replicas.append(node(*arguments, binary=binaries[i % shards]))
            self._introduce()
            if ready:
                self.wait()
        except BaseException:
            self.close()
            raise

    @classmethod
    def plan(cls, *arguments, **options):
        return lambda: cls(*arguments, ready=False, **options)

    def _introduce(self):
        count = len(self.servers)
        self.ranges = [(SLOTS * i // count, SLOTS * (i + 1) // count - 1) for i in range(count)]
        for i, server in enumerate(self.servers):
            server.say("CLUSTER", "ADDSLOTS", *range(self.ranges[i][0], self.ranges[i][1] + 1))
        for i, server in enumerate(self.servers + self.replicas):
            server.say("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
            first = self.servers[0]
            if server is not first:
                first.say("CLUSTER", "MEET", "127.0.0.1", server.port, server.bus)

    def wait(self, timeout=60):
        """Until every node knows all others and says that all is well."""
        nodes = self.servers + self.replicas
        self.until(lambda: all("cluster_known_nodes:%d" % len(nodes) in text(n.say("CLUSTER", "INFO"))
                               for n in nodes), "all nodes know each other", timeout)
        for i, replica in enumerate(self.replicas):
            primary = text(self.servers[i % len(self.servers)].say("CLUSTER", "MYID"))
            self.until(lambda: replica.say("CLUSTER", "REPLICATE", primary), "a replica is attached", timeout)
        if self.replicas:
            self.until(lambda: all(r.client().info("replication")["master_link_status"] == "up"
                                   for r in self.replicas), "the replicas are in step", timeout)
        self.until(lambda: self.is_ok() and all(
            text(n.say("CLUSTER", "NODES")).count(" slave ") + text(n.say("CLUSTER", "NODES")).count(
                ",slave ") == len(self.replicas) for n in nodes), "every node is well", timeout)
        return self

    def is_ok(self):
        return all("cluster_state:ok" in text(n.say("CLUSTER", "INFO")) for n in self.servers + self.replicas)

    @staticmethod
    def until(condition, what, timeout=60):
        deadline = time.monotonic() + timeout
        while True:
            with contextlib.suppress(redis.exceptions.RedisError):
                if condition():
                    return
            assert time.monotonic() < deadline, "not within %d s: %s" % (timeout, what)
            time.sleep(0.05)

    def name(self, i):
        return "127.0.0.1:%d" % self.servers[i].port

    def node_id(self, i):
        return text(self.servers[i].say("CLUSTER", "MYID"))

    def owner(self, key):
        slot = slot_of(key)
        return next(i for i, (first, last) in enumerate(self.ranges) if first <= slot <= last)

    def client(self, key, **options):
        return self.servers[self.owner(key)].client(**options)

    def set(self, key, value):
        return self.client(key).set(key, value)

    def each(self, *words):
        return [server.say(*words) for server in self.servers]

    def url(self, user=None, seeds=None):
        return "redis+cluster://%s%s" % (user + "@" if user else "", ",".join(
            self.name(i) for i in seeds or range(len(self.servers))))

    def endpoint(self, user="", seeds=None, **members):
        found = {"endpoints": [{"host": "127.0.0.1", "port": self.servers[i].port}
                               for i in seeds or range(len(self.servers))],
                 "topology": "cluster", "auth": {"username": user}, "connect_timeout_ms": 5000}
        found.update(members)
        return found

    def keys(self):
        return sum(server.client().dbsize() for server in self.servers)

    def close(self):
        for server in self.replicas + self.servers:
            server.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@contextlib.contextmanager
def together(*plans):
    with contextlib.ExitStack() as stack:
        clusters = [stack.enter_context(contextlib.closing(plan())) for plan in plans]
        for cluster in clusters:
            cluster.wait()
        yield clusters
