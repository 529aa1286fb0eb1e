"""A server from before PSYNC, which no distribution has any more: a front that speaks as one and
keeps its data in a stock server behind it. Every command goes through one lock, so what a
replica gets is a snapshot that was saved there and then, byte for byte, every later write as the
client gave it (relative expiries stay relative), in one order.

    with OldServer(stock.port) as old:
        old.url()                         # redis://127.0.0.1:PORT
        old.password = "user:geheim"      # AUTH takes one word only
        old.drop_replicas()               # their connections are lost
        old.heard                         # names of what replicas sent after SYNC
        old.syncs                         # snapshots given
    old.clock_ahead = 5               # seconds, of what TIME says

Knows SYNC, and neither PSYNC, REPLCONF ACK nor AUTH with two words. What a replica sends after
SYNC is answered into its stream, as Redis 2.6 did.
"""

import socket
import socketserver
import threading
import time

import redis

VERSION = b"2.6.17"
UNKNOWN = {b"PSYNC", b"SCAN", b"DUMPALL", b"HELLO", b"ACL", b"COMMAND", b"FUNCTION", b"MEMORY", b"MODULE"}
ONLY_WHAT_IT_SAID = (b"master_replid", b"master_repl_offset", b"second_repl", b"repl_backlog", b"server_name",
                     b"cluster_enabled", b"total_net", b"used_memory_dataset", b"valkey", b"redis_mode")


def pack(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


def read_command(stream):
    """A command's words, or None at the end."""
    line = stream.readline()
    if not line:
        return None
    if line[:1] != b"*":
        return line.split()
    words = []
    for _ in range(int(line[1:])):
        size = int(stream.readline()[1:])
        words.append(stream.read(size + 2)[:-2])
    return words


def read_reply(stream):
    """One reply, raw."""
    line = stream.readline()
    if not line:
        raise ConnectionError("the stock server is gone")
    if line[:1] == b"$" and line[1:2] != b"-":
        return line + stream.read(int(line[1:]) + 2)
    if line[:1] == b"*" and line[1:2] != b"-":
        return line + b"".join(read_reply(stream) for _ in range(int(line[1:])))
    return line


class _Client(socketserver.BaseRequestHandler):
    def handle(self):
        old = self.server.old
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.db, self.queue, self.allowed, self.is_replica = 0, None, old.password is None, False
        with socket.create_connection(("127.0.0.1", old.stock_port)) as stock:
            self.stock, self.replies = stock, stock.makefile("rb")
            stream = self.request.makefile("rb")
            try:
                while True:
                    words = read_command(stream)
                    if words is None:
                        return
                    if words:
                        self.one(old, [words[0].upper()] + words[1:])
            except OSError:
                pass
            finally:
                old.forget(self)

    def one(self, old, words):
        name = words[0]
        with old.lock:
            if self.is_replica:
                old.heard.append(name)
            if name == b"AUTH":
                answer = self.auth(old, words)
            elif not self.allowed:
                answer = b"-ERR operation not permitted\r\n"
            elif name in UNKNOWN or (name == b"CONFIG" and words[1].upper() != b"GET"):
                answer = b"-ERR unknown command '%s'\r\n" % name
            elif name == b"REPLCONF" and words[1].lower() != b"listening-port":
                answer = b"-ERR Unrecognized REPLCONF option: %s\r\n" % words[1]
            elif name == b"TIME":
                now = time.time() + old.clock_ahead
                words = [b"%d" % now, b"%d" % (now % 1 * 1e6)]
                answer = b"*2\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)
            elif name == b"SYNC":
                if len(words) > 1:
                    answer = b"-ERR wrong number of arguments for 'sync' command\r\n"
                else:
                    old.sync(self)
                    return
            else:
                answer = self.run(old, words)
            self.request.sendall(answer)

    def auth(self, old, words):
        if len(words) != 2:
            return b"-ERR wrong number of arguments for 'auth' command\r\n"
        self.allowed = old.password is not None and words[1].decode() == old.password
        return b"+OK\r\n" if self.allowed else b"-ERR invalid password\r\n"

    def run(self, old, words):
        self.stock.sendall(pack(*words))
        answer = read_reply(self.replies)
        if words[0] == b"INFO":
            return old.info(answer)
        if answer[:1] == b"-":
            return answer
        if words[0] == b"SELECT":
            self.db = int(words[1])
        elif words[0].lower() in old.writes:
            old.feed(self.db, pack(*words))
        return answer


class OldServer:
    def __init__(self, stock_port, password=None, ping_seconds=1.0):
        from support.ports import free_port

        self.stock_port, self.password, self.clock_ahead = stock_port, password, 0
        self.client = redis.Redis(port=stock_port)
        self.writes = {name.encode().lower() for name, row in self.client.command().items()
                       if "write" in row["flags"]}
        self.snapshot = self.client.config_get("dir")["dir"] + "/dump.rdb"
        self.run_id = self.client.info("server")["run_id"][:40].encode()
        self.lock = threading.RLock()
        self.replicas, self.heard, self.syncs, self.fed_db = [], [], 0, None
        self.port = free_port()
        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", self.port), _Client)
        self.server.daemon_threads, self.server.old = True, self
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.over = threading.Event()
        self.expired = self.client.pubsub()
        self.client.config_set("notify-keyspace-events", "Ex")
        self.expired.psubscribe("__keyevent@*__:expired")
        threading.Thread(target=self._tend, args=(ping_seconds,), daemon=True).start()

    def url(self, user=None):
        return "redis://%s127.0.0.1:%d" % (user + "@" if user else "", self.port)

    # ---- with the lock held

    def sync(self, client):
        """Blank lines while it saves, the snapshot with its length, then what is written."""
        self.syncs += 1
        client.request.sendall(b"\n")
        self.client.save()
        with open(self.snapshot, "rb") as file:
            content = file.read()
        client.request.sendall(b"\n$%d\r\n" % len(content) + content)
        client.is_replica, self.fed_db = True, None
        self.replicas.append(client)

    def feed(self, db, raw):
        if db != self.fed_db:
            raw, self.fed_db = pack(b"SELECT", b"%d" % db) + raw, db
        for replica in list(self.replicas):
            try:
                replica.request.sendall(raw)
            except OSError:
                self.forget(replica)

    def info(self, answer):
        lines = answer.split(b"\r\n")[1:]
        kept = [line for line in lines if not line.startswith(ONLY_WHAT_IT_SAID)]
        text = b"\r\n".join(b"redis_version:" + VERSION if line.startswith(b"redis_version:") else line
                            for line in kept)
        return b"$%d\r\n%s\r\n" % (len(text), text)

    # ---- beside it

    def _tend(self, ping_seconds):
        next_ping = time.monotonic() + ping_seconds
        while not self.over.is_set():
            try:
                message = self.expired.get_message(ignore_subscribe_messages=True, timeout=0.1)
            except (redis.RedisError, OSError, ValueError):
                return
            with self.lock:
                if message:
                    db = int(message["channel"].split(b"@")[1].split(b"_")[0])
                    self.feed(db, pack(b"DEL", message["data"]))
                if time.monotonic() > next_ping:
                    next_ping = time.monotonic() + ping_seconds
                    self.feed(self.fed_db or 0, pack(b"PING"))

    def forget(self, client):
        with self.lock:
            if client in self.replicas:
                self.replicas.remove(client)

    def drop_replicas(self):
        with self.lock:
            dropped = list(self.replicas)
        for replica in dropped:
            try:
                replica.request.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        return len(dropped)

    def close(self):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()
        self.drop_replicas()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
