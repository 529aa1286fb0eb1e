"""Data of every type and encoding, below and above the limits of each, for servers of any
version; and a short story of writes after it.

    can = abilities(source.url()) & abilities(destination.url())
    fill(source.url(), can)        # checks that the encodings are what they are meant to be
    write_on(source.url(), can)

What a server can do beyond Redis 6.0 is asked of it, by the command that came with it.
Values are made from a fixed seed: two runs make the same.
"""

import random
import time

from support.workload import Pipe, pack

DATABASES = (0, 1, 9, 15)
EVERY_DATABASE = ("plain", "list:packed", "set:ints", "hash:packed", "zset:packed", "stream:groups")

# Ability -> the command it came with. A script names the data that needs it.
ABILITIES = {
    "streams": "XADD",
    "functions": "FUNCTION",
    "field_ttl": "HPEXPIREAT",
    "vectors": "VADD",
    "copy": "COPY",
    "getex": "GETEX",
    "autoclaim": "XAUTOCLAIM",
}

LIBRARY = """#!lua name=%s
redis.register_function{function_name='%s_get', callback=function(keys, args)
    return redis.call('GET', keys[1])
end, flags={'no-writes'}}
redis.register_function('%s_set', function(keys, args) -- not only ASCII: \u00e9\u4e16
    return redis.call('SET', keys[1], args[1])
end)"""


def library(name):
    return LIBRARY % (name, name, name)


def abilities(url):
    pipe = Pipe(url)
    infos = pipe.run([pack("COMMAND", "INFO", command) for command in ABILITIES.values()])
    pipe.close()
    return {name for name, info in zip(ABILITIES, infos) if info[0]}


# ---- values. Each yields (key, encodings it may have, commands).

TEXT = {b"embstr", b"raw"}  # where one ends differs between versions; a snapshot has no such limit
PACKED = {b"ziplist", b"listpack"}
PLAIN_SET = {b"listpack", b"hashtable"}  # a small set of strings is packed since 7.2
LIST = {b"quicklist", b"listpack"}       # a small list is one listpack since 7.2


def _numbered(n, size=0):
    return [b"%d" % i + b"x" * size for i in range(n)]


def _flat(pairs):
    return [part for pair in pairs for part in pair]


def strings(rng):
    for name, value in {
        "plain": "a value", "empty": "", "one byte": b"\0", "embstr 44": b"e" * 44, "raw 45": b"r" * 45,
        "int 0": 0, "int -1": -1, "int 8": 127, "int -8": -129, "int 16": 32767, "int 32": 1 << 31,
        "int -32": -(1 << 31) - 1, "int 64": (1 << 63) - 1, "int -64": -(1 << 63), "no int": "007",
        "beyond 64": 1 << 63, "float": "3.0e3", "crlf": b"\r\n$5\r\n", "all bytes": bytes(range(256)),
        "512": rng.randbytes(512), "511": b"same" * 128, "len 63": b"a" * 63, "len 64": b"ab" * 32,
        "len 16383": rng.randbytes(16383), "len 16384": rng.randbytes(16384), "packed 20k": b"lzf " * 5000,
        "4096": rng.randbytes(4096), "4097": rng.randbytes(4097), "1M": rng.randbytes(1 << 20),
        "1M packed": b"0123456789abcdef" * (1 << 16),
    }.items():
        raw = value if isinstance(value, bytes) else str(value).encode()
        number = raw.lstrip(b"-").isdigit() and -(1 << 63) <= int(raw) < 1 << 63 and raw == b"%d" % int(raw)
        kind = {b"int"} if number else TEXT
        yield name, kind, [("SET", name, value)]
    yield "hll sparse", TEXT, [("PFADD", "hll sparse", *range(50))]
    yield "hll dense", TEXT, [("PFADD", "hll dense", *range(30000))]
    yield "bits", TEXT, [("SETBIT", "bits", 77, 1), ("SETBIT", "bits", 99999, 1)]
    yield "appended", TEXT, [("SET", "appended", "a"), ("APPEND", "appended", "b" * 100)]


def names(rng):
    """Keys that are no words."""
    for key in (b"", b"\0", b" ", b"\xff\xfe\x80", b"a\r\nb", b"{tag}", "kl\u00fc\u4e16".encode(), b"-1",
                b"12345", b"k" * 64, b"kk" * 8192, rng.randbytes(300)):
        yield key, TEXT, [("SET", key, b"named " + key[:40])]
    yield b"\0hash", PACKED, [("HSET", b"\0hash", b"", b"", b"\0", b"\r\n", b"\xff" * 20, b"")]


def lists(rng):
    for name, elements in {
        "list:one": [b""], "list:packed": _numbered(20) + [b"", b"-5", b"\0\xff"],
        "list:ints": [rng.randrange(-2**62, 2**62) >> rng.randrange(62) for _ in range(300)],
        "list:nodes": [rng.randbytes(rng.randrange(80)) for _ in range(3000)],
        "list:compressible": [b"element " * 8] * 2000, "list:8k": [b"y" * 8180, b"z" * 8200],
        "list:large": ["small", rng.randbytes(20000), "small", b"big " * 25000, "small"],
        "list:huge element": [rng.randbytes(1 << 20)],
    }.items():
        kind = LIST if name in ("list:one", "list:packed") else {b"quicklist"}
        yield name, kind | ({b"listpack"} if name == "list:ints" else set()), \
            [("RPUSH", name, *elements[at:at + 500]) for at in range(0, len(elements), 500)]


def sets(rng):
    ints = {bits: [rng.randrange(-2**(bits - 1), 2**(bits - 1)) for _ in range(20)]
            for bits in (16, 32, 64)}
    for name, kind, members in (
            ("set:ints", {b"intset"}, [1, 2, 3]), ("set:16", {b"intset"}, ints[16]),
            ("set:32", {b"intset"}, ints[32] + [1 << 30]), ("set:64", {b"intset"}, ints[64] + [-1 << 63]),
            ("set:512 ints", {b"intset"}, range(512)), ("set:513 ints", {b"hashtable"}, range(513)),
            ("set:packed", PLAIN_SET, [b"a", b"", b"7", b"\0"]), ("set:128", PLAIN_SET, _numbered(128, 3)),
            ("set:129", {b"hashtable"}, _numbered(129, 3)), ("set:64 bytes", PLAIN_SET, [b"m" * 64]),
            ("set:65 bytes", {b"hashtable"}, [b"m" * 65]), ("set:table", {b"hashtable"}, _numbered(3000)),
            ("set:20k", {b"hashtable"}, [rng.randbytes(20000), b"n"])):
        yield name, kind, [("SADD", name, *members)]
    yield "set:mixed", PLAIN_SET, [("SADD", "set:mixed", 1, 2, 3), ("SADD", "set:mixed", "four")]


def hashes(rng):
    for name, kind, pairs in (
            ("hash:packed", PACKED, [("f", "v"), ("", ""), ("n", -77), (b"\0", b"\xff")]),
            ("hash:512", PACKED, [("f%d" % i, i) for i in range(512)]),
            ("hash:513", {b"hashtable"}, [("f%d" % i, i) for i in range(513)]),
            ("hash:64 bytes", PACKED, [("f", b"v" * 64), (b"f" * 64, "v")]),
            ("hash:65 bytes", {b"hashtable"}, [("f", b"v" * 65)]),
            ("hash:table", {b"hashtable"}, [(rng.randbytes(9), rng.randbytes(90)) for _ in range(2000)]),
            ("hash:20k", {b"hashtable"}, [("f", rng.randbytes(20000)), (b"k" * 9000, "compress " * 900)])):
        yield name, kind, [("HSET", name, *_flat(pairs))]


def field_ttls(now_ms):
    """Since Redis 7.4 and Valkey 9.0. A small one is a listpack in Redis, a table in Valkey."""
    for name, n, timed in (("fields:one", 1, 1), ("fields:some", 20, 7), ("fields:all", 30, 30),
                           ("fields:512", 512, 100), ("fields:table", 700, 300)):
        yield name, PACKED | {b"listpackex", b"hashtable"}, \
            [("HSET", name, *_flat(("f%d" % i, "v%d" % i) for i in range(n)))] + \
            [("HPEXPIREAT", name, now_ms + 3_000_000 + 1000 * i, "FIELDS", 1, "f%d" % i)
             for i in range(timed)]
    yield "fields:and key", {b"listpackex", b"hashtable"}, [
        ("HSET", "fields:and key", "a", 1, "b", 2), ("PEXPIREAT", "fields:and key", now_ms + 9_000_000),
        ("HPEXPIREAT", "fields:and key", now_ms + 5_000_000, "FIELDS", 1, "a")]


def sorted_sets(rng):
    scores = ["0", "-0.0", "1", "-1", "0.1", "1e300", "-1e-300", "5e-324", "inf", "-inf",
              "3.0000000000000004", "9007199254740993", "123456789012345680", "1.7976931348623157e308"]
    for name, kind, pairs in (
            ("zset:packed", PACKED, [(s, "m%d" % i) for i, s in enumerate(scores)]),
            ("zset:128", PACKED, [(i / 8, "m%d" % i) for i in range(128)]),
            ("zset:129", {b"skiplist"}, [(i / 8, "m%d" % i) for i in range(129)]),
            ("zset:64 bytes", PACKED, [(1, b"m" * 64), (2, b""), (3, 42)]),
            ("zset:65 bytes", {b"skiplist"}, [(1, b"m" * 65)]),
            ("zset:list", {b"skiplist"}, [(s, "s%d" % i) for i, s in enumerate(scores)]
             + [(rng.random() * 10 ** rng.randrange(-9, 9), rng.randbytes(12)) for _ in range(2000)])):
        yield name, kind, [("ZADD", name, *_flat(pairs))]
    yield "geo", PACKED, [
        ("GEOADD", "geo", 13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania")]


def streams(rng):
    yield "stream:one", None, [("XADD", "stream:one", "5-1", "f", "v")]
    yield "stream:empty", None, [("XGROUP", "CREATE", "stream:empty", "g", "$", "MKSTREAM")]
    yield "stream:emptied", None, [
        ("XADD", "stream:emptied", "7-7", "f", "v"), ("XDEL", "stream:emptied", "7-7")]
    yield "stream:nodes", None, \
        [("XADD", "stream:nodes", "%d-0" % i, "a", i, "b", "same") for i in range(1, 350)] + \
        [("XADD", "stream:nodes", "400-%d" % i, "other%d" % (i % 3), "", "n", i) for i in range(50)] + \
        [("XDEL", "stream:nodes", "1-0", "50-0", "51-0", "349-0", "400-49")]
    yield "stream:trimmed", None, \
        [("XADD", "stream:trimmed", "%d-5" % i, "f", i) for i in range(1, 250)] + \
        [("XTRIM", "stream:trimmed", "MAXLEN", 77)]
    yield "stream:large", None, [("XADD", "stream:large", "1-1", "f", rng.randbytes(20000)),
                                 ("XADD", "stream:large", "1-2", *_numbered(400))]
    key = "stream:groups"
    yield key, None, [("XADD", key, "%d-1" % i, "f", i) for i in range(1, 40)] + [
        ("XGROUP", "CREATE", key, "g", "0"), ("XGROUP", "CREATE", key, b"\0bin", "5-1"),
        ("XGROUP", "CREATE", key, "idle", "$"),
        ("XREADGROUP", "GROUP", "g", "alice", "COUNT", 12, "STREAMS", key, ">"),
        ("XREADGROUP", "GROUP", "g", "bob", "COUNT", 9, "STREAMS", key, ">"),
        ("XREADGROUP", "GROUP", b"\0bin", "", "COUNT", 3, "STREAMS", key, ">"),
        ("XACK", key, "g", "1-1", "2-1", "14-1"),
        ("XCLAIM", key, "g", "carol", 0, "5-1", "RETRYCOUNT", 300), ("XDEL", key, "6-1", "30-1")]


def vectors(rng):
    for key, option in (("vectors", []), ("vectors:exact", ["NOQUANT"]), ("vectors:bits", ["BIN"])):
        yield key, None, [
            ("VADD", key, "VALUES", 3, *(rng.randrange(-9, 9) for _ in range(3)), "e%d" % i, *option)
            for i in range(60)] + [("VSETATTR", key, "e3", '{"a": 1}')]


# ---- all of it


def _everything(rng, can, now_ms):
    parts = [strings(rng), names(rng), lists(rng), sets(rng), hashes(rng), sorted_sets(rng)]
    if "streams" in can:
        parts.append(streams(rng))
    if "field_ttl" in can:
        parts.append(field_ttls(now_ms))
    if "vectors" in can:
        parts.append(vectors(rng))
    for part in parts:
        yield from part


def fill(url, can):
    """Write everything the abilities allow; returns the number of keys. Every third key expires."""
    rng, now_ms = random.Random(7), int(time.time() * 1000)
    pipe = Pipe(url)
    # Nodes in the middle of a list are stored compressed, too.
    pipe.run([pack("CONFIG", "SET", "list-compress-depth", 1)])
    written = []
    for db in DATABASES:
        pipe.run([pack("SELECT", db)])
        for n, (key, encodings, commands) in enumerate(_everything(rng, can, now_ms)):
            if db and key not in EVERY_DATABASE:
                continue
            pipe.run([pack(*command) for command in commands])
            if n % 3 == 0 and not str(key).startswith("fields:"):
                pipe.run([pack("PEXPIREAT", key, now_ms + 600_000 + 1234 * n)])
            if encodings:
                (found,) = pipe.run([pack("OBJECT", "ENCODING", key)])
                assert found in encodings, "%r is a %s, not one of %s" % (key, found, encodings)
            written.append((db, key))
    if "functions" in can:
        pipe.run([pack("FUNCTION", "LOAD", library(name)) for name in ("one", "two")])
    pipe.close()
    return len(written)


# Before 7.0 these travel as what is left of their time, so they end as much later as the way took.
RELATIVE = {b"list:nodes", b"t:ex", b"t:setex", b"t:script"}


def write_on(url, can):
    """What clients do while the copy is followed: each way a write appears in the stream."""
    now_ms, pipe = int(time.time() * 1000), Pipe(url)
    commands = [
        ("SELECT", 0), ("INCR", "int 0"), ("INCRBY", "t:n", 5), ("INCRBYFLOAT", "t:float", "1.5"),
        ("SET", "t:ex", "v", "EX", 500),
        ("SETEX", "t:setex", 600, "v"), ("SETNX", "t:nx", "v"), ("APPEND", "plain", " longer"),
        ("SETRANGE", "512", 100, b"\0\1\2"), ("GETSET", "t:gs", 1), ("MSET", "t:a", 1, b"t:\0", b"\xff"),
        ("PEXPIREAT", "raw 45", now_ms + 700_000), ("EXPIRE", "list:nodes", 5000), ("PERSIST", "plain"),
        ("SET", "t:short", "gone soon", "PX", 30),
        ("RPUSH", "list:packed", "more", b"\0"), ("LPUSH", "t:list", *range(200)), ("LPOP", "list:nodes"),
        ("RPOPLPUSH", "list:nodes", "t:other list"), ("LSET", "list:ints", 3, "three"),
        ("LINSERT", "list:packed", "BEFORE", "more", "before"),
        ("LREM", "list:compressible", 1, b"element " * 8),
        ("SADD", "set:ints", 4, "no int"), ("SPOP", "set:table"), ("SPOP", "set:512 ints", 300),
        ("SREM", "set:packed", "a"), ("SMOVE", "set:ints", "set:32", 2),
        ("SUNIONSTORE", "t:union", "set:16", "set:packed"),
        ("HSET", "hash:packed", "more", b"\0\1"), ("HINCRBY", "hash:packed", "n", 3),
        ("HDEL", "hash:512", "f7"),
        ("HINCRBYFLOAT", "hash:513", "f9", "0.5"), ("HSETNX", "hash:table", "new", "v"),
        ("ZADD", "zset:packed", "4.25", "more"), ("ZINCRBY", "zset:128", "0.1", "m3"),
        ("ZPOPMIN", "zset:129"),
        ("ZREM", "zset:list", "s3"), ("ZUNIONSTORE", "t:zunion", 2, "zset:128", "zset:64 bytes"),
        ("GEOADD", "geo", 2.3, 48.8, "Paris"), ("PFADD", "hll sparse", "x", "y"), ("PFCOUNT", "hll dense"),
        ("PFMERGE", "t:hll", "hll sparse", "hll dense"),
        ("RENAME", "t:a", "t:renamed"), ("DEL", "embstr 44", b"\xff\xfe\x80"),
        ("UNLINK", "list:huge element"),
        ("MULTI",), ("SET", "t:m", 1), ("INCR", "t:m"), ("LPUSH", "t:ml", "a"), ("SELECT", 9),
        ("SET", "t:m in 9", "v"), ("SELECT", 0), ("EXEC",),
        ("EVAL", "redis.call('SET', KEYS[1], ARGV[1], 'PX', 90000) redis.call('INCR', KEYS[2])", 2,
        "t:script", "t:n", "v"),
        ("SORT", "set:16", "STORE", "t:sorted"), ("BITOP", "NOT", "t:not", "bits"), ("MOVE", "t:nx", 1),
        ("SELECT", 15), ("RPUSH", "list:packed", "in 15"), ("FLUSHDB",), ("SET", "after", "the flush"),
        ("SELECT", 0),
        ("SWAPDB", 1, 14)]
    if "streams" in can:
        commands += [
            ("XADD", "stream:one", "*", "f", "v"),
            ("XADD", "stream:nodes", "MAXLEN", "~", 120, "*", "f", "v"),
            ("XREADGROUP", "GROUP", "g", "dave", "COUNT", 2, "STREAMS", "stream:groups", ">"),
            ("XACK", "stream:groups", "g", "7-1"), ("XCLAIM", "stream:groups", "g", "bob", 0, "8-1"),
            ("XGROUP", "DELCONSUMER", "stream:groups", b"\0bin", ""),
            ("XGROUP", "CREATE", "stream:one", "late", "0"),
            ("XDEL", "stream:trimmed", "200-5"), ("XGROUP", "SETID", "stream:groups", "idle", "3-1")]
    if "getex" in can:
        commands += [("GETEX", "raw 45", "EX", 4000), ("GETDEL", "t:gs"),
                     ("LMOVE", "t:list", "t:other list", "LEFT", "RIGHT")]
    if "copy" in can:
        commands += [("COPY", "hash:64 bytes", "t:copied"), ("COPY", "plain", "plain", "DB", 9, "REPLACE")]
    if {"streams", "autoclaim"} <= can:
        commands += [("XAUTOCLAIM", "stream:groups", "g", "erin", 0, "0", "COUNT", 3)]
    if "functions" in can:
        commands += [("FUNCTION", "LOAD", library("three")), ("FCALL", "three_set", 1, "t:fcall", "v"),
                     ("FUNCTION", "DELETE", "two")]
    if "field_ttl" in can:
        commands += [("HPERSIST", "fields:some", "FIELDS", 1, "f2"),
                     ("HSET", "fields:some", "f3", "a new value ends its time"),
                     ("HPEXPIREAT", "fields:512", 1, "FIELDS", 1, "f5")]
    if "vectors" in can:
        commands += [("VADD", "vectors", "VALUES", 3, 1, 2, 3, "later"), ("VREM", "vectors", "e5")]
    pipe.run([pack(*command) for command in commands])
    time.sleep(0.04)  # what was set for 30 ms is gone, and the source finds out
    pipe.run([pack("GET", "t:short")])
    pipe.close()


def write_field_expiries(url):
    """Fields that begin to expire, or expire at another time, while the copy is followed."""
    now_ms, pipe = int(time.time() * 1000), Pipe(url)
    pipe.run([pack(*command) for command in (
        ("HEXPIRE", "hash:packed", 7000, "FIELDS", 2, "f", "nosuch"),
        ("HPEXPIRE", "fields:512", 30, "FIELDS", 1, "f6"),
        ("HPEXPIREAT", "fields:table", now_ms + 800_000, "FIELDS", 2, "f1", "f600"))])
    time.sleep(0.04)
    pipe.run([pack("HGET", "fields:512", "f6")])
    pipe.close()
