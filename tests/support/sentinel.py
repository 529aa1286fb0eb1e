"""A primary, its replicas and the Sentinels that watch them, on loopback.

    with Group(replicas=1) as group:
        url = group.url()                    # redis+sentinel://127.0.0.1:P,127.0.0.1:Q,…/kf
        group.primary, group.replicas        # RedisServer
        group.fail_over()                    # kill -9 of the primary; the Sentinels choose another
        group.primary.client().ping()        # which is the primary now
"""

import time

import redis

from support.redis_fixture import RedisServer

NAME = "kf"


class _Sentinel(RedisServer):
    """RedisServer's life; a Sentinel needs a file that it may write to."""

    def __init__(self, watched, quorum, password=None):
        self.watched, self.quorum, self.own_password = watched, quorum, password
        super().__init__()
        self.password = password

    def start(self, timeout=60):
        config = self.directory / "sentinel.conf"
        if not config.exists():
            config.write_text(
                "port %d\nbind 127.0.0.1\ndir %s\nlogfile %s\n"
                "sentinel monitor %s 127.0.0.1 %d %d\n"
                "sentinel down-after-milliseconds %s 700\n"
                "sentinel failover-timeout %s 4000\nsentinel parallel-syncs %s 1\n" % (
                    self.port, self.directory, self.log, NAME, self.watched, self.quorum,
                    NAME, NAME, NAME))
            if self.own_password:  # of itself, and for asking the others
                with config.open("a") as more:
                    more.write("requirepass %s\nsentinel sentinel-pass %s\n" % ((self.own_password,) * 2))
        return self.start_command([self.binary, str(config), "--sentinel"], timeout)


class Group:
    def __init__(self, replicas=1, sentinels=3, arguments=(), sentinel_password=None):
        self.arguments = arguments
        first = RedisServer(*arguments)
        self.servers = [first]
        self.sentinels = []
        try:
            for _ in range(replicas):
                server = RedisServer("--replicaof", "127.0.0.1", str(first.port), *arguments)
                self.servers.append(server)
            self._until(lambda: first.client().info("replication")["connected_slaves"] == replicas,
                        "the replicas are attached")
            for _ in range(sentinels):
                self.sentinels.append(_Sentinel(first.port, sentinels // 2 + 1, sentinel_password))
            for sentinel in self.sentinels:
                self._until(lambda: self._knows(sentinel, replicas, sentinels),
                            "the Sentinels know each other")
        except BaseException:
            self.close()
            raise

    @staticmethod
    def _until(condition, what, timeout=60):
        deadline = time.monotonic() + timeout
        while True:
            try:
                if condition():
                    return
            except redis.exceptions.RedisError:
                pass
            assert time.monotonic() < deadline, "not within %d s: %s" % (timeout, what)
            time.sleep(0.05)

    @staticmethod
    def _knows(sentinel, replicas, sentinels):
        answer = sentinel.client().execute_command("SENTINEL", "MASTER", NAME)
        if isinstance(answer, dict):
            facts = {str(k): v for k, v in answer.items()}
        else:
            words = [word.decode() for word in answer]
            facts = dict(zip(words[::2], words[1::2]))
        return (int(facts["num-slaves"]) == replicas
                and int(facts["num-other-sentinels"]) == sentinels - 1)

    def named(self):
        """The port that the Sentinels name."""
        answer = self.sentinels[0].client().execute_command(
            "SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)
        return int(answer[1])

    @property
    def primary(self):
        port = self.named()
        return next(server for server in self.servers if server.port == port)

    @property
    def replicas(self):
        port = self.named()
        return [server for server in self.servers if server.port != port]

    def fail_over(self, timeout=90):
        """kill -9 of the primary; returns it once another one is."""
        lost = self.primary
        lost.kill()
        self._until(lambda: self.named() != lost.port
                    and self.primary.client().info("replication")["role"] == "master",
                    "another primary is chosen", timeout)
        return lost

    def addresses(self, of):
        return ",".join("127.0.0.1:%d" % server.port for server in of)

    def url(self):
        return "redis+sentinel://%s/%s" % (self.addresses(self.sentinels), NAME)

    def list_url(self):
        return "redis://" + self.addresses(self.servers)

    def close(self):
        for server in self.sentinels + self.servers:
            server.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
