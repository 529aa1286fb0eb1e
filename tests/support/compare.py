#!/usr/bin/python3
"""Are two Redis servers equal? Asked with redis-py and the servers' own reading
commands; nothing of Keyferry's code takes part.

Compared both ways, per database: existence, type, value (order-free where the
type has no order, list order, sorted-set score bits, expiries of hash fields, stream
entries, ids, groups and pending entries, vectors with their attributes), the absolute
expiry to the millisecond, and functions. What only one of two versions tells (a stream's
entries-added, before 7.0) is not compared.
DEBUG DIGEST cannot do it (it is equal for different TTLs, stream groups and
functions) and neither can comparing DUMPs (equal sets may be encoded differently).

Two passes. A script run by each server walks the keyspace and answers a SHA-1 of
each value in canonical form, which takes a second or two for 200,000 keys. Whatever
looks different is read again with plain commands on both sides, several times, so that
a key that expired between the two reads, or a sort order that depends on a
server's locale, is no finding.

It cannot know whether a destination is merely *behind*: let the caller wait until
the applied offset has reached the source's.

    compare.py redis://127.0.0.1:6379 redis://127.0.0.1:6380 [--map 0:1] [--held]
Exit 0 equal, 5 different, 2 usage or no connection.
"""

import argparse
import concurrent.futures
import json
import struct
import sys
import time

import redis

HELD_MS = 1 << 42  # what a held expiry is later than the true one
OURS = (b"{kf}:", b"DTS_REDIS_TIMESTAMP_HEARTBEAT")

# One step of SCAN: records of key length, key, expiry (-1 none), type length, type and the
# SHA-1 of the canonical value. Streams: what differs by nature between equal
# streams (radix tree counts, when a consumer was last seen) is left out.
WALK = b"""
local function text(v)
    if v == false or v == nil then return '~' end
    if type(v) == 'table' then
        local out = {}
        for i = 1, #v do out[i] = text(v[i]) end
        return '[' .. table.concat(out) .. ']'
    end
    v = tostring(v)
    return #v .. ':' .. v
end
local function members(flat, names)
    local out = {}
    for i = 1, #flat, 2 do
        if names[flat[i]] then out[#out + 1] = {flat[i], flat[i + 1]} end
    end
    return out
end
local STREAM = {['length']=1, ['last-generated-id']=1, ['max-deleted-entry-id']=1,
                ['entries-added']=1, ['entries']=1}
local GROUP = {['name']=1, ['last-delivered-id']=1, ['entries-read']=1, ['pel-count']=1, ['pel']=1}
local CONSUMER = {['name']=1, ['pel-count']=1, ['pel']=1}
local function stream(key)
    local info = redis.call('XINFO', 'STREAM', key, 'FULL', 'COUNT', '0')
    local out = {members(info, STREAM)}
    for i = 1, #info, 2 do
        if info[i] == 'groups' then
            for _, group in ipairs(info[i + 1]) do
                out[#out + 1] = members(group, GROUP)
                for j = 1, #group, 2 do
                    if group[j] == 'consumers' then
                        for _, consumer in ipairs(group[j + 1]) do
                            out[#out + 1] = members(consumer, CONSUMER)
                        end
                    end
                end
            end
        end
    end
    return text(out)
end
local function hash(key)
    local flat, fields, times, all = redis.call('HGETALL', key), {}, {}, {}
    for i = 1, #flat, 2 do fields[#fields + 1] = flat[i] end
    for from = 1, ARGV[4] == '1' and #fields or 0, 1000 do
        local part = {}
        for i = from, math.min(from + 999, #fields) do part[#part + 1] = fields[i] end
        for i, at in ipairs(redis.call('HPEXPIRETIME', key, 'FIELDS', #part, unpack(part))) do
            if at > 0 then times[from + i - 1] = string.format('%.0f', at - tonumber(ARGV[5])) end
        end
    end
    for i, field in ipairs(fields) do all[i] = text({field, flat[2 * i], times[i]}) end
    table.sort(all)
    return table.concat(all)
end
local function vectors(key)
    local all = redis.call('VRANDMEMBER', key, redis.call('VCARD', key))
    table.sort(all)
    for i, name in ipairs(all) do
        all[i] = {name, redis.call('VEMB', key, name), redis.call('VGETATTR', key, name)}
    end
    return text(all)
end
local function expires_at(key)
    if ARGV[3] == '1' then return redis.call('PEXPIRETIME', key) end
    -- Before 7.0 only what is left can be asked: right when the clock stood still around it.
    while true do
        local before, left, after = redis.call('TIME'), redis.call('PTTL', key), redis.call('TIME')
        local ms = before[1] * 1000 + math.floor(before[2] / 1000)
        if left < 0 then return left end
        if ms == after[1] * 1000 + math.floor(after[2] / 1000) then return ms + left end
    end
end
local function value(kind, key)
    if kind == 'string' then return redis.call('GET', key) end
    if kind == 'list' then return text(redis.call('LRANGE', key, 0, -1)) end
    if kind == 'stream' then return stream(key) end
    if kind == 'set' then
        local all = redis.call('SMEMBERS', key)
        table.sort(all)
        return text(all)
    end
    if kind == 'hash' then return hash(key) end
    if kind == 'vectorset' then return vectors(key) end
    if kind == 'zset' then
        local flat = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
        for i = 2, #flat, 2 do flat[i] = string.format('%.17g', tonumber(flat[i])) end
        return text(flat)
    end
    return redis.call('DUMP', key)
end
local step = redis.call('SCAN', ARGV[1], 'COUNT', ARGV[2])
local out = {}
for i, key in ipairs(step[2]) do
    local kind = redis.call('TYPE', key)['ok']
    if kind ~= 'none' then
        out[#out + 1] = struct.pack('>I4', #key) .. key .. struct.pack('>i8', expires_at(key))
            .. struct.pack('>I1', #kind) .. kind .. redis.sha1hex(value(kind, key))
    end
end
return {step[1], table.concat(out)}
"""


def walk(client, count=1000, shift=0):
    """Yield (key, type, expiry in unix ms or -1, SHA-1) of every key of one database.
    A key may come twice, as with any SCAN. `shift` is taken from the expiries of fields."""
    known = [int(knows(client, name)) for name in ("PEXPIRETIME", "HPEXPIRETIME")]
    cursor = b"0"
    while True:
        cursor, blob = client.eval(WALK, 0, cursor, count, *known, shift)
        at = 0
        while at < len(blob):
            (size,) = struct.unpack_from(">I", blob, at)
            key = blob[at + 4:at + 4 + size]
            at += 4 + size
            expiry, size = struct.unpack_from(">qB", blob, at)
            at += 9
            kind = blob[at:at + size]
            digest = blob[at + size:at + size + 40]
            at += size + 40
            yield key, kind, expiry, digest
        if cursor == b"0":
            return


def knows(client, command):
    """Does the server have that command? Asked once per connection pool."""
    known = client.connection_pool.__dict__.setdefault("commands_known", {})
    if command not in known:
        known[command] = _raw(client, "COMMAND", "INFO", command) != [None]
    return known[command]


def _raw(client, *command):
    """A reply as it came: redis-py's own reading of some drops what it does not know."""
    connection = client.connection_pool.get_connection(command[0])
    try:
        connection.send_command(*command)
        return connection.read_response()
    finally:
        client.connection_pool.release(connection)


def _expires_at(client, key):
    if knows(client, "PEXPIRETIME"):
        return client.execute_command("PEXPIRETIME", key)
    while True:
        before, left, after = client.pipeline().time().pttl(key).time().execute()
        if left < 0:
            return left
        if before[1] // 1000 == after[1] // 1000:
            return before[0] * 1000 + before[1] // 1000 + left


def read_key(client, key, shift=0):
    """(type, expiry, canonical value) of one key by plain commands; None when it is gone."""
    kind = client.type(key)
    if kind == b"none":
        return None
    expiry = _expires_at(client, key)
    readers = {
        b"string": lambda: client.get(key),
        b"list": lambda: client.lrange(key, 0, -1),
        b"set": lambda: sorted(client.smembers(key)),
        b"hash": lambda: _read_hash(client, key, shift),
        b"zset": lambda: [(m, struct.pack(">d", s))
                          for m, s in client.zrange(key, 0, -1, withscores=True)],
        b"stream": lambda: _read_stream(client, key),
        b"vectorset": lambda: _read_vectors(client, key),
    }
    try:
        return kind, expiry, readers.get(kind, lambda: client.dump(key))()
    except redis.ResponseError:
        return None  # it became another type, or went, between two commands


def _read_hash(client, key, shift):
    """Triples of field, value and expiry less `shift`, None where there is none."""
    pairs = sorted(client.hgetall(key).items())
    times = [-1] * len(pairs)
    if pairs and knows(client, "HPEXPIRETIME"):
        names = [name for name, _ in pairs]
        times = _raw(client, "HPEXPIRETIME", key, "FIELDS", len(names), *names)
    return [(name, value, at - shift if at > 0 else None) for (name, value), at in zip(pairs, times)]


def _read_vectors(client, key):
    names = sorted(_raw(client, "VRANDMEMBER", key, _raw(client, "VCARD", key)))
    return [(name, _raw(client, "VEMB", key, name), _raw(client, "VGETATTR", key, name))
            for name in names]


class _Since7(tuple):
    """A name and a number that servers before 7.0 do not have (None)."""


class _Group(tuple):
    """What identifies a consumer group; the first member is entries-read."""


def _read_stream(client, key):
    def pairs(flat):
        return {flat[i]: flat[i + 1] for i in range(0, len(flat), 2)}

    info = pairs(_raw(client, "XINFO", "STREAM", key, "FULL", "COUNT", "0"))
    out = [(name, info[name]) for name in (b"length", b"last-generated-id", b"entries")]
    out += [_Since7((name, info.get(name))) for name in (b"max-deleted-entry-id", b"entries-added")]
    for group in map(pairs, info[b"groups"]):
        names = (b"entries-read", b"name", b"last-delivered-id", b"pel-count", b"pel")
        out.append(_Group(group.get(name) for name in names))
        for consumer in map(pairs, group[b"consumers"]):
            out.append([consumer.get(name) for name in (b"name", b"pel-count", b"pel")])
    return out


class Report:
    """What was found. Lists hold (source database, key, explanation)."""

    def __init__(self):
        self.missing, self.extra, self.differ, self.ttl = [], [], [], []
        self.ours_source, self.ours_destination = [], []  # (database, key)
        # Streams equal but for a group's entries-read. Redis 7.0 does not send that counter to
        # its own replicas when XREADGROUP moves it, so nobody behind a stream can have it.
        self.entries_read = []
        self.functions = None  # explanation when functions differ
        self.equal_keys = 0
        self.with_expiry = 0
        self.types = {}
        self.per_database = {}  # source database -> (keys on the source, on the destination)
        self.seconds = 0.0

    def count(self, kind, expiry):
        """One more equal key."""
        self.equal_keys += 1
        self.with_expiry += expiry >= 0
        self.types[kind.decode()] = self.types.get(kind.decode(), 0) + 1

    @property
    def equal(self):
        return not (self.missing or self.extra or self.differ or self.ttl or self.functions)

    def as_dict(self):
        lists = ("missing", "extra", "differ", "ttl", "entries_read", "ours_source", "ours_destination")
        out = {name: [[str(part) for part in row] for row in getattr(self, name)] for name in lists}
        out.update(equal=self.equal, equal_keys=self.equal_keys, with_expiry=self.with_expiry,
                   types=self.types, functions=self.functions, seconds=round(self.seconds, 2),
                   databases={str(db): list(pair) for db, pair in self.per_database.items()})
        return out

    def __str__(self):
        lines = ["%d equal, %d missing, %d extra, %d differ, %d TTL off; databases %s; %.1f s"
                 % (self.equal_keys, len(self.missing), len(self.extra), len(self.differ),
                    len(self.ttl), self.per_database, self.seconds)]
        for name in ("missing", "extra", "differ", "ttl"):
            rows = getattr(self, name)
            lines += ["  %-7s db %s %r %s" % (name, *row) for row in rows[:12]]
            if len(rows) > 12:
                lines.append("  %-7s … and %d more" % (name, len(rows) - 12))
        if self.functions:
            lines.append("  functions: " + self.functions)
        return "\n".join(lines)


def compare(source_url, destination_url, mapping=None, held=False, ttl_tolerance_ms=0,
            functions=True):
    """Compare two servers (redis:// URLs without a database).

    `mapping` {source database: destination database} selects and renames;
    None = every database that either side has, one to one. With `held` every expiry
    on the destination must be 2^42 ms later than the source's.
    """
    began = time.monotonic()
    report = Report()
    if mapping is None:
        known = set(_databases(source_url)) | set(_databases(destination_url))
        mapping = {db: db for db in sorted(known)}
    for source_db, destination_db in mapping.items():
        a = redis.Redis.from_url(source_url, db=source_db)
        b = redis.Redis.from_url(destination_url, db=destination_db)
        _compare_database(report, a, b, source_db, destination_db, held, ttl_tolerance_ms)
        a.close()
        b.close()
    if functions:
        report.functions = _compare_functions(source_url, destination_url)
    report.seconds = time.monotonic() - began
    return report


def _databases(url):
    client = redis.Redis.from_url(url)
    return [int(name[2:]) for name in client.info("keyspace")]


def _compare_database(report, a, b, source_db, destination_db, held, tolerance):
    # Both servers work at the same time; this process mostly waits for them.
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        both = [pool.submit(_collect, a, 0), pool.submit(_collect, b, HELD_MS if held else 0)]
        (there, ours), (here, ours_here) = [future.result() for future in both]
    report.ours_source += [(source_db, key) for key in ours]
    report.ours_destination += [(destination_db, key) for key in ours_here]
    suspects = set(there.keys() ^ here.keys())
    for key, (kind, expiry, digest) in there.items():
        other = here.get(key)
        if other is None:
            continue
        if other[0] != kind or other[2] != digest or not _ttl_equal(expiry, other[1], held, tolerance):
            suspects.add(key)
            continue
        report.count(kind, expiry)
    _confirm(report, a, b, source_db, suspects, held, tolerance)
    report.per_database[source_db] = (len(there), len(here))


def _collect(client, shift):
    """({key: (type, expiry, digest)}, [our keys]) of one database."""
    found, ours = {}, set()
    for key, kind, expiry, digest in walk(client, shift=shift):
        if key.startswith(OURS):
            ours.add(key)
        else:
            found[key] = (kind, expiry, digest)
    return found, sorted(ours)


def _ttl_equal(source, destination, held, tolerance):
    if (source < 0) != (destination < 0):
        return False
    if source < 0:
        return True
    return abs(source + (HELD_MS if held else 0) - destination) <= tolerance


def _confirm(report, a, b, db, suspects, held, tolerance, rounds=3):
    """Record which suspects differ whenever they are read again."""
    findings = []
    for again in range(rounds):
        if again and suspects:
            time.sleep(0.05)
        findings = []
        for key in sorted(suspects):
            finding = _finding(report, db, key, read_key(a, key),
                               read_key(b, key, HELD_MS if held else 0), held, tolerance)
            if finding:
                findings.append(finding)
        suspects = [row[1] for _, row in findings]
    for where, row in findings:
        where.append(row)


def _finding(report, db, key, one, two, held, tolerance):
    """(the list it belongs to, the row), or None when both are equal."""
    if one is None and two is None:
        return None
    if one is None:
        return report.extra, (db, key, two[0].decode())
    if two is None:
        return report.missing, (db, key, one[0].decode())
    if one[0] != two[0]:
        return report.differ, (db, key, "type %s, destination %s" % (one[0].decode(), two[0].decode()))
    if not _values_equal(*one[::2], two[2]):
        return report.differ, (db, key, _describe(one[0], one[2], two[2]))
    if not _ttl_equal(one[1], two[1], held, tolerance):
        return report.ttl, (db, key, "%d, destination %d" % (one[1], two[1]))
    report.count(one[0], one[1])
    if one[0] == b"stream" and any(x[0] != y[0] for x, y in zip(one[2], two[2]) if isinstance(x, _Group)):
        report.entries_read.append((db, key, _describe(one[0], one[2], two[2])))
    return None


def _values_equal(kind, one, two):
    if kind != b"stream":
        return one == two
    if len(one) != len(two):
        return False
    for x, y in zip(one, two):
        if isinstance(x, _Since7) and None in (x[1], y[1]):
            continue
        if (x[1:] != y[1:]) if isinstance(x, _Group) else (x != y):
            return False
    return True


def _describe(kind, one, two):
    sizes = "%s of %d, destination %d" % (kind.decode(), len(one), len(two))
    if kind == b"stream":
        return "%s: %s" % (sizes, [pair for pair in zip(one, two) if pair[0] != pair[1]][:2])
    if kind == b"string":
        at = next((i for i, (x, y) in enumerate(zip(one, two)) if x != y), min(len(one), len(two)))
        return "%s bytes: differ at %d: %r, %r" % (sizes, at, one[at:at + 24], two[at:at + 24])
    for i, (x, y) in enumerate(zip(one, two)):
        if x != y:
            return "%s: element %d is %r, %r" % (sizes, i, x, y)
    return sizes


def _compare_functions(source_url, destination_url):
    """None when both have the same libraries with the same code."""
    lists = []
    for url in (source_url, destination_url):
        try:
            rows = redis.Redis.from_url(url).execute_command("FUNCTION", "LIST", "WITHCODE")
        except redis.ResponseError:
            rows = []  # before 7.0
        libraries = []
        for row in rows:
            fields = {row[i]: row[i + 1] for i in range(0, len(row), 2)}
            libraries.append((fields[b"library_name"], fields[b"library_code"]))
        lists.append(sorted(libraries))
    if lists[0] == lists[1]:
        return None
    return "source has %s, destination %s" % tuple([name for name, _ in part] for part in lists)


def main():
    parser = argparse.ArgumentParser(description="Compare two Redis servers, key by key.")
    parser.add_argument("source")
    parser.add_argument("destination")
    parser.add_argument("--map", action="append", default=[], metavar="A:B",
                        help="compare database A of the source with B of the destination")
    parser.add_argument("--held", action="store_true", help="expiries are still held (t + 2^42 ms)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    mapping = {int(a): int(b) for a, b in (pair.split(":") for pair in options.map)} or None
    try:
        report = compare(options.source, options.destination, mapping, options.held)
    except redis.RedisError as why:
        print("compare: %s" % why, file=sys.stderr)
        return 2
    print(json.dumps(report.as_dict()) if options.json else report)
    return 0 if report.equal else 5


if __name__ == "__main__":
    sys.exit(main())
