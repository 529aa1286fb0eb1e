#!/usr/bin/python3
"""Data and traffic for tests, from a seed.

    workload.py fill  redis://HOST:PORT [--keys N] [--databases 0,3,9] [--seed S]
    workload.py write redis://HOST:PORT [--databases 0,3,9] [--seed S] [--rate N] [--client NAME]
                                        [--mix all|model] [--failover URL]

`fill` makes mixed keys (six types, small and beyond every packed encoding's limit,
binary names, expiries) and prints what it made. `write` goes on writing until SIGTERM
or until its standard input closes, then prints as JSON what was *acknowledged*, from
which `check_model` tells whether a destination has every effect exactly once, without
looking at the source:

    kfw:seq:CLIENT   INCR           the number of acknowledged increments
    kfw:log:CLIENT   RPUSH 0,1,2…   every number once, in order
    kfw:app:CLIENT   APPEND         the same as one string of 8-digit numbers
    kfw:acct:*       MULTI transfers within and between databases; the sum stays

Beside these invariants it runs most of what changes a key; whether that arrived is for
compare.py to say. `--mix model` leaves the rest out: then no command can fail, however often it is
repeated (a repeated XADD does), and only a reader who counts can tell. With `--failover` a server
that has become a replica is left for the other one, and what it refused is written there.
"""

import argparse
import json
import random
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.parse

DATABASES = (0, 3, 9)
ACCOUNTS, OPENING_BALANCE = 10, 1000


def pack(*arguments):
    """One command as the protocol has it."""
    out = [b"*%d\r\n" % len(arguments)]
    for a in arguments:
        if not isinstance(a, bytes):
            a = str(a).encode()
        out.append(b"$%d\r\n%s\r\n" % (len(a), a))
    return b"".join(out)


class Refused(bytes):
    """An error reply, without its minus sign."""


class Pipe:
    """A connection that sends many commands and counts the replies. It understands
    just enough to know how many there were and which were errors."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port or 6379), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = self.socket.makefile("rb", 1 << 16)
        if parts.password:
            user = [parts.username] if parts.username else []
            self.run([pack("AUTH", *user, urllib.parse.unquote(parts.password))])

    def run(self, commands, refusals=False):
        """Send packed commands, read as many replies. Raises on an error reply, also on one
        inside an EXEC; with `refusals` a whole reply that is one is returned as it is. Returns
        the replies."""
        replies = []
        # In portions whose replies fit into the socket's buffers: a server that cannot
        # write its replies stops reading, and both sides would wait for ever.
        for at in range(0, len(commands), 1000):
            portion = commands[at:at + 1000]
            self.socket.sendall(b"".join(portion))
            replies += [self._reply(refusals) for _ in portion]
        return replies

    def _reply(self, refusals=False):
        line = self.reader.readline()
        if not line:
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-" and refusals:
            return Refused(rest)
        if kind == b"-":
            raise RuntimeError("the server refused a command: %r" % rest)
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else self.reader.read(size + 2)[:-2]
        if kind == b"*":
            return None if int(rest) < 0 else [self._reply() for _ in range(int(rest))]
        return int(rest) if kind == b":" else rest

    def close(self):
        self.reader.close()
        self.socket.close()


# ---------------------------------------------------------------- fill


def _value_commands(rng, now_ms, n, key, big):
    """The commands that make one key; the type follows from n. `big` goes beyond the limits
    of the packed encodings (128 fields, 512 intset members, 8 kB list nodes)."""
    kind = n % 10
    name = b"%d" % n
    if kind < 3:  # a string
        size = rng.choice((1, 5, 12, 40, 100)) if not big else 20000
        value = name if kind == 0 and not big else rng.randbytes(size)
        yield pack(b"SET", key, value)
    elif kind < 5:  # a hash
        fields = [x for i in range(200 if big else 4)
                  for x in (b"field:%d" % i, rng.choice((name, rng.randbytes(9))))]
        if big:
            fields += [b"long", rng.randbytes(300)]
        yield pack(b"HSET", key, *fields)
    elif kind == 5:  # a list
        items = [b"%s:%d" % (name, i) for i in range(2000 if big else 5)]
        yield pack(b"RPUSH", key, *items)
    elif kind == 6:  # a set: of integers, or of text
        if n % 20 == 6:
            items = [b"%d" % rng.getrandbits(rng.choice((8, 24, 60))) for _ in range(700 if big else 6)]
        else:
            items = [b"member:%d" % i for i in range(700 if big else 6)]
        yield pack(b"SADD", key, *items)
    elif kind < 9:  # a sorted set
        scores = (b"1", b"-2.5", b"3.14159265358979312", b"1e300", b"-inf", b"inf")
        items = [x for i in range(200 if big else 4)
                 for x in (rng.choice(scores) if i % 3 else b"%d" % i, b"m%d" % i)]
        yield pack(b"ZADD", key, *items)
    else:  # a stream, with groups and pending entries
        for i in range(150 if big else 2):
            yield pack(b"XADD", key, b"%d-1" % (i + 1), b"n", name, b"f%d" % (i % 3), b"v")
        yield pack(b"XGROUP", b"CREATE", key, b"g", b"0")
        yield pack(b"XREADGROUP", b"GROUP", b"g", b"c%d" % (n % 3), b"COUNT", b"3",
                   b"STREAMS", key, b">")
        yield pack(b"XACK", key, b"g", b"1-1")


def fill(url, keys=200000, databases=DATABASES, seed=1, expiring=0.25):
    """Make `keys` keys spread evenly over the databases. Returns a summary.
    A quarter of them expire: most in hours or days, some within the next minutes."""
    rng = random.Random(seed)
    pipe = Pipe(url)
    now_ms = int(time.time() * 1000)
    done = {}
    for place, db in enumerate(databases):
        share = range(place, keys, len(databases))
        batch = [pack("SELECT", db)]
        for n in share:
            big = n % 997 < 10 and n > 997  # ten neighbours: one big key of each kind
            key = b"fill:%d" % n if n % 50 else b"fill:\x00\xff\r\n%d" % n
            batch.extend(_value_commands(rng, now_ms, n, key, big))
            if rng.random() < expiring:
                seconds = rng.choice((20, 90, 3600, 86400, 30 * 86400))
                at = now_ms + seconds * 1000 + rng.randrange(1000 * seconds)
                batch.append(pack(b"PEXPIREAT", key, b"%d" % at))
            if len(batch) > 4000:
                pipe.run(batch)
                batch = []
        pipe.run(batch)
        done[db] = len(share)
    pipe.close()
    return {"keys": keys, "databases": done, "seed": seed}


# ---------------------------------------------------------------- write


class Client:
    """One writer: batches of random commands, each batch in one database."""

    def __init__(self, url, seed, name, databases, mix="all", failover=None):
        self.pipe = Pipe(url)
        self.urls = [url] + ([failover] if failover else [])
        self.mix = mix
        self.rng = random.Random("%s:%s" % (seed, name))
        self.name = name
        self.databases = databases
        self.database = databases[0]
        self.sequence = {db: 0 for db in databases}  # acknowledged, of seq, log and app
        self.streams = {}
        self.first_id = int(time.time() * 1000)
        self.commands = 0
        self.transactions = 0

    def open_accounts(self):
        for db in self.databases:
            self.pipe.run([pack("SELECT", db)] + [
                pack("SETNX", "kfw:acct:%d" % i, OPENING_BALANCE) for i in range(ACCOUNTS)])

    def round(self, size):
        """Send about `size` commands, wait for all replies."""
        rng = self.rng
        db = self.database = rng.choice(self.databases)
        batch = [pack("SELECT", db)]
        steps = 0
        while len(batch) < size:
            chance = rng.random()
            if chance < (0.25 if self.mix == "all" else 0.65):
                batch += self._model(db, self.sequence[db] + steps)
                steps += 1
            elif chance < 0.35 or self.mix != "all":
                batch += self._transfer(db)
                self.transactions += 1
            elif chance < 0.38:
                batch += self._transaction()
            else:
                batch += self.some(1)
        if len(self.urls) == 1:
            self.pipe.run(batch)
        else:
            self._run_anywhere(batch)
        self.sequence[db] += steps
        self.commands += len(batch)

    def _run_anywhere(self, batch):
        """As run(); what a server refuses because it is no primary any more goes to the other one.
        What it had taken before, it has handed over."""
        deadline = time.monotonic() + 60
        while True:
            replies = self.pipe.run(batch, refusals=True)
            refused = [i for i, reply in enumerate(replies) if isinstance(reply, Refused)]
            if not refused:
                return
            first = refused[0]
            for word in (replies[i] for i in refused):
                if not word.startswith((b"READONLY", b"EXECABORT")):
                    raise RuntimeError("the server refused a command: %r" % word)
            while self._open_part(batch[:first]):
                first -= 1  # a transaction was refused as a whole
            taken = [i for i in range(first, len(batch)) if i not in refused and self._writes(batch[i])
                     and not self._open_part(batch[:i])]
            if taken:
                raise RuntimeError("a server that had become a replica took a write")
            if time.monotonic() > deadline:
                raise RuntimeError("no primary was found for a minute")
            self.urls.append(self.urls.pop(0))
            self.pipe.close()
            time.sleep(0.05)
            self.pipe = Pipe(self.urls[0])
            batch = [pack("SELECT", self.database)] + batch[first:]

    @staticmethod
    def _writes(command):
        return b"\r\nSELECT\r\n" not in command and command != pack("MULTI")

    @staticmethod
    def _open_part(batch):
        """The commands since a MULTI that has no EXEC yet."""
        for i in range(len(batch) - 1, -1, -1):
            if batch[i] == pack("EXEC"):
                return []
            if batch[i] == pack("MULTI"):
                return batch[i:]
        return []

    def load_functions(self):
        """From 7.0 on."""
        replies = self.pipe.run([pack("FUNCTION", "LOAD", "REPLACE", FUNCTIONS)], refusals=True)
        self.has_functions = not isinstance(replies[0], Refused)

    def some(self, count):
        """So many random steps, to stand in a transaction."""
        return [command for _ in range(count)
                for command in MIXED[self.rng.randrange(len(MIXED))](self.rng, self.rng.randrange(25), self)]

    def _model(self, db, n):
        commands = [pack("INCR", "kfw:seq:" + self.name), pack("RPUSH", "kfw:log:" + self.name, n),
                    pack("APPEND", "kfw:app:" + self.name, "%08d" % n)]
        if self.rng.random() < 0.2:
            return [pack("MULTI")] + commands + [pack("EXEC")]
        return commands

    def _transfer(self, db):
        rng = self.rng
        amount = rng.randrange(1, 50)
        one, two = ("kfw:acct:%d" % rng.randrange(ACCOUNTS) for _ in range(2))
        other = rng.choice(self.databases)
        out = [pack("MULTI"), pack("DECRBY", one, amount)]
        if other != db:  # SELECT inside MULTI, and back
            out.append(pack("SELECT", other))
        out.append(pack("INCRBY", two, amount))
        if other != db:
            out.append(pack("SELECT", db))
        return out + [pack("EXEC")]

    def _transaction(self):
        """2 to 50 steps as one, sometimes under a WATCH that others may break; rarely ten thousand."""
        rng = self.rng
        self.transactions += 1
        watch = [pack("WATCH", "kfw:s:%d" % rng.randrange(25))] if rng.random() < 0.3 else []
        if rng.random() < 0.002:
            inside = [pack("INCRBY", "kfw:i:%d" % (i % 25), i) for i in range(10_000)]
        else:
            inside = self.some(rng.randrange(2, 50) // 2 + 1)
        return watch + [pack("MULTI")] + inside + [pack("EXEC")]

    def other(self, rng):
        """A database that is not the one of this round, for MOVE."""
        return rng.choice([db for db in self.databases if db != self.database] or [self.database + 1])

    def next_id(self, key):
        self.streams[key] = self.streams.get(key, 0) + 1
        return self.streams[key]


FUNCTIONS = """#!lua name=kfw
redis.register_function('kfw_push', function(keys, args)
    redis.call('RPUSH', keys[1], args[1])
    redis.call('HINCRBY', keys[2], 'calls', 1)
    return redis.call('LLEN', keys[1])
end)
"""


def _function(rng, i, client):
    if not client.has_functions:
        return _p("RPUSH", "kfw:l:%d" % i, "f")
    return _p("FCALL", "kfw_push", 2, "kfw:l:%d" % i, "kfw:h:%d" % rng.randrange(25), rng.randrange(99))


def _stream(rng, i, client):
    # A stream has one writer, so that its explicit ids only grow.
    key = "kfw:x:%s:%d:%d" % (client.name, i % 5, rng.randrange(2))
    n = client.next_id(key)
    trim = ("MAXLEN", "~", 200) if n % 4 else ()
    out = [pack("XADD", key, *trim, "%d-1" % (client.first_id + n), "n", n, "w", client.name)]
    group = "g%d" % rng.randrange(2)
    if rng.random() < 0.5:
        # CREATE fails when the group exists; inside a script that is no error of ours.
        out.append(pack("EVAL", "return redis.pcall('XGROUP','CREATE',KEYS[1],ARGV[1],'0') and 1",
                        1, key, group))
        out.append(pack("XREADGROUP", "GROUP", group, "c%d" % rng.randrange(3), "COUNT", 3,
                        "STREAMS", key, ">"))
        out.append(pack("EVAL", """
            local p = redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 3)
            if #p > 0 then redis.call('XACK', KEYS[1], ARGV[1], p[1][1]) end
            if #p > 1 then redis.call('XCLAIM', KEYS[1], ARGV[1], 'c9', 0, p[2][1]) end
            if #p > 2 then redis.call('XDEL', KEYS[1], p[3][1]) end
            return #p""", 1, key, group))
    return out


def _p(*arguments):
    return [pack(*arguments)]


# Each row: what one random step sends. Keys are few, so that steps meet.
MIXED = (
    lambda r, i, c: _p("SET", "kfw:s:%d" % i, r.randbytes(r.randrange(60))),
    lambda r, i, c: _p("SET", "kfw:s:%d" % i, "short", "PX", r.randrange(30, 4000)),
    lambda r, i, c: _p("SET", "kfw:s:%d" % i, "long", "EX", r.randrange(60, 9000)),
    lambda r, i, c: _p("SETRANGE", "kfw:s:%d" % i, r.randrange(80), "range"),
    lambda r, i, c: _p("GETSET", "kfw:s:%d" % i, i) + _p("GETDEL", "kfw:s:%d" % r.randrange(25)),
    lambda r, i, c: _p("GETEX", "kfw:s:%d" % i, "PX", r.randrange(1000, 90000)),
    lambda r, i, c: _p("MSET", "kfw:s:%d" % i, 1, "kfw:s:%d" % r.randrange(25), 2),
    lambda r, i, c: _p("SETBIT", "kfw:b:%d" % i, r.randrange(500), 1),
    lambda r, i, c: _p("BITFIELD", "kfw:b:%d" % i, "INCRBY", "u8", r.randrange(64), 3),
    lambda r, i, c: _p("INCRBYFLOAT", "kfw:f:%d" % i, "0.1"),
    lambda r, i, c: _p("INCRBY", "kfw:i:%d" % i, r.randrange(-99, 99)),
    lambda r, i, c: _p("PFADD", "kfw:p:%d" % i, r.randbytes(5)),
    lambda r, i, c: _p("HSET", "kfw:h:%d" % i, "f%d" % r.randrange(30), r.randbytes(12)),
    lambda r, i, c: _p("HINCRBY", "kfw:h:%d" % i, "n", r.randrange(-9, 9)),
    lambda r, i, c: _p("HINCRBYFLOAT", "kfw:h:%d" % i, "x", "1.5"),
    lambda r, i, c: _p("HDEL", "kfw:h:%d" % i, "f%d" % r.randrange(30), "n"),
    lambda r, i, c: _p("RPUSH", "kfw:l:%d" % i, *range(r.randrange(1, 6))),
    lambda r, i, c: _p("LPUSH", "kfw:l:%d" % i, r.randbytes(5)),
    lambda r, i, c: _p("LMOVE", "kfw:l:%d" % i, "kfw:l:%d" % r.randrange(25), "LEFT", "RIGHT"),
    lambda r, i, c: _p("LINSERT", "kfw:l:%d" % i, "BEFORE", "1", "in") + _p("LREM", "kfw:l:%d" % i, 1, "2"),
    lambda r, i, c: _p("LTRIM", "kfw:l:%d" % i, -30, -1),
    lambda r, i, c: _p("SADD", "kfw:m:%d" % i, *(r.randrange(90) for _ in range(3))),
    lambda r, i, c: _p("SREM", "kfw:m:%d" % i, r.randrange(90)) + _p("SPOP", "kfw:m:%d" % r.randrange(25)),
    lambda r, i, c: _p("SUNIONSTORE", "kfw:m:%d" % i, "kfw:m:%d" % r.randrange(25), "kfw:m:%d" % r.randrange(25)),
    lambda r, i, c: _p("SMOVE", "kfw:m:%d" % i, "kfw:m:%d" % r.randrange(25), r.randrange(90)),
    lambda r, i, c: _p("ZADD", "kfw:z:%d" % i, r.random() * 100, r.randrange(40)),
    lambda r, i, c: _p("ZINCRBY", "kfw:z:%d" % i, "0.1", r.randrange(40)),
    lambda r, i, c: _p("ZPOPMIN", "kfw:z:%d" % i) + _p("ZREMRANGEBYRANK", "kfw:z:%d" % r.randrange(25), 30, -1),
    lambda r, i, c: _p("ZUNIONSTORE", "kfw:z:%d" % i, 2, "kfw:z:%d" % i, "kfw:z:%d" % r.randrange(25)),
    lambda r, i, c: _p("SORT", "kfw:m:%d" % r.randrange(25), "STORE", "kfw:l:%d" % i),
    lambda r, i, c: _p("LPOP", "kfw:l:%d" % i) + _p("RPOP", "kfw:l:%d" % r.randrange(25)),
    _stream, _stream, _function,
    lambda r, i, c: _p("EXPIRE", "kfw:h:%d" % i, r.randrange(1, 900)),
    lambda r, i, c: _p("PEXPIRE", "kfw:l:%d" % i, r.randrange(50, 90000)),
    lambda r, i, c: _p("PEXPIRE", "kfw:z:%d" % i, r.randrange(20000, 90000), "GT"),
    lambda r, i, c: _p("EXPIRE", "kfw:m:%d" % i, 500, "NX") + _p("EXPIRE", "kfw:m:%d" % i, 90, "LT"),
    lambda r, i, c: _p("PERSIST", "kfw:%s:%d" % (r.choice("shlmz"), i)),
    lambda r, i, c: _p("DEL", "kfw:%s:%d" % (r.choice("shlmz"), i), "kfw:i:%d" % r.randrange(25)),
    lambda r, i, c: _p("UNLINK", "kfw:%s:%d" % (r.choice("bfp"), i)),
    lambda r, i, c: _p("SET", "kfw:r:%d" % i, i, "EX", 999) + _p("RENAME", "kfw:r:%d" % i, "kfw:r2:%d" % i),
    lambda r, i, c: _p("COPY", "kfw:h:%d" % i, "kfw:h:%d" % (i + 1), "REPLACE"),
    lambda r, i, c: _p("SET", "kfw:v:%d" % i, c.name)
    + _p("MOVE", "kfw:v:%d" % i, c.other(r)),
    lambda r, i, c: _p("EVAL", "redis.call('INCR',KEYS[1]) redis.call('RPUSH',KEYS[2],ARGV[1])"
                       " redis.call('EXPIRE',KEYS[2],ARGV[2]) return redis.call('LLEN',KEYS[2])",
                       2, "kfw:i:%d" % i, "kfw:l:%d" % i, r.randrange(99), r.randrange(9, 500)),
)


def write(url, seed=1, name="w0", databases=DATABASES, rate=3000, mix="all", pipeline=(1, 40),
          failover=None):
    """Write until SIGTERM or end of standard input; print what was acknowledged."""
    running = [True]
    signal.signal(signal.SIGTERM, lambda *_: running.__setitem__(0, False))
    signal.signal(signal.SIGINT, lambda *_: running.__setitem__(0, False))
    client = Client(url, seed, name, tuple(databases), mix, failover)
    client.open_accounts()
    if mix == "all":
        client.load_functions()
    began = time.monotonic()
    print("writing", flush=True)
    while running[0]:
        client.round(client.rng.randint(*pipeline))
        ahead = client.commands / rate - (time.monotonic() - began)
        if select.select([sys.stdin], [], [], max(0.0, min(ahead, 0.2)))[0]:
            break
    client.pipe.close()
    print(json.dumps({"client": name, "seed": seed, "databases": list(databases),
                      "sequence": {str(db): n for db, n in client.sequence.items()},
                      "commands": client.commands, "transactions": client.transactions,
                      "seconds": round(time.monotonic() - began, 2)}), flush=True)


class Writer:
    """`workload.py write` in a process of its own.

        writer = Writer(source.url(), seed=7)
        …
        acknowledged = writer.stop()
    """

    def __init__(self, url, seed=1, name="w0", databases=DATABASES, rate=3000, mix="all",
                 failover=None):
        self.acknowledged = None
        self.process = subprocess.Popen(
            [sys.executable, __file__, "write", url, "--seed", str(seed), "--client", name,
             "--rate", str(rate), "--mix", mix, "--databases", ",".join(map(str, databases))]
            + (["--failover", failover] if failover else []),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        line = self.process.stdout.readline()
        if line != b"writing\n":
            raise RuntimeError("the writer did not start: %r" % self.process.communicate(timeout=10)[1])

    def stop(self):
        """Stop and return what was acknowledged; raises when a command was refused."""
        if self.acknowledged is None:
            out, problem = self.process.communicate(timeout=60)
            if self.process.returncode != 0:
                raise RuntimeError("the writer failed: %s" % problem.decode()[-1500:])
            self.acknowledged = json.loads(out)
        return self.acknowledged

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def check_model(url, acknowledged, mapping=None):
    """Problems (sentences) of a server whose writers acknowledged this; [] when every effect
    is there exactly once. `acknowledged` is one result of Writer.stop() or a list of them."""
    writers = [acknowledged] if isinstance(acknowledged, dict) else acknowledged
    problems, total, accounts = [], 0, 0
    for db in writers[0]["databases"]:
        target = (mapping or {}).get(db, db)
        pipe = Pipe(url)
        pipe.run([pack("SELECT", target)])
        for writer in writers:
            name, expected = writer["client"], writer["sequence"][str(db)]
            count, log, text = pipe.run([pack("GET", "kfw:seq:" + name),
                                         pack("LRANGE", "kfw:log:" + name, 0, -1),
                                         pack("GET", "kfw:app:" + name)])
            where = "db %d client %s:" % (target, name)
            if int(count or 0) != expected:
                problems.append("%s INCR counter is %s, acknowledged %d" % (where, count, expected))
            problems += _check_sequence("%s list" % where, [int(x) for x in log], expected)
            text = text or b""
            problems += _check_sequence("%s APPEND string" % where,
                                        [int(text[i:i + 8]) for i in range(0, len(text), 8)], expected)
        balances = pipe.run([pack("GET", "kfw:acct:%d" % i) for i in range(ACCOUNTS)])
        total += sum(int(b or 0) for b in balances)
        accounts += ACCOUNTS
        pipe.close()
    if total != accounts * OPENING_BALANCE:
        problems.append("the bank holds %d instead of %d" % (total, accounts * OPENING_BALANCE))
    return problems


def _check_sequence(what, found, expected):
    if found == list(range(expected)):
        return []
    counts = {}
    for n in found:
        counts[n] = counts.get(n, 0) + 1
    doubled = sorted(n for n, times in counts.items() if times > 1)
    missing = [n for n in range(expected) if n not in counts]
    return ["%s has %d entries of %d; doubled %s, missing %s%s" % (
        what, len(found), expected, doubled[:8], missing[:8],
        "" if doubled or missing else ", out of order")]


def main():
    parser = argparse.ArgumentParser(description="Fill a Redis server, or keep writing to it.")
    parser.add_argument("action", choices=("fill", "write"))
    parser.add_argument("url")
    parser.add_argument("--keys", type=int, default=200000)
    parser.add_argument("--databases", default=",".join(map(str, DATABASES)))
    parser.add_argument("--seed", default="1")
    parser.add_argument("--rate", type=float, default=3000, help="commands a second")
    parser.add_argument("--client", default="w0", help="a name of its own for each writer")
    parser.add_argument("--mix", choices=("all", "model"), default="all")
    parser.add_argument("--failover", help="another server that may take the first one's place")
    options = parser.parse_args()
    databases = tuple(int(db) for db in options.databases.split(","))
    if options.action == "fill":
        print(json.dumps(fill(options.url, options.keys, databases, options.seed)))
    else:
        write(options.url, options.seed, options.client, databases, options.rate, options.mix,
              failover=options.failover)


if __name__ == "__main__":
    main()
