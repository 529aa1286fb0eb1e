"""Every command of the table once, on a real server, by an example.

    ran = run(source, names, other)     # {command}; other: where MIGRATE goes

An example is a list of commands, words in one text; the last one is the command itself. A word
"{k}" is a key of the example's own, "{k}2" another one. "{dump}" is DUMP of {k}, "{id}" the last
answer of XADD, "{sha}" of SCRIPT LOAD, "{other}" a port. Examples leave behind what they can, so that
both ends can be compared.
"""

import re

HASH = "HSET {k} a 1 b 2 c 3"
LIST = "RPUSH {k} a b c d"
SET = "SADD {k} a b c d"
ZSET = "ZADD {k} 1 a 2 b 3 c 4 d"
STREAM = "XADD {k} 5-1 f v"
MORE = "XADD {k} 6-1 f v"
GROUP = "XGROUP CREATE {k} g 0"
READ = "XREADGROUP GROUP g c1 COUNT 1 STREAMS {k} >"

EXAMPLES = {
    "set": ["SET {k} v EX 5000"], "setex": ["SETEX {k} 5000 v"], "psetex": ["PSETEX {k} 5000000 v"],
    "setnx": ["SETNX {k} v"], "mset": ["MSET {k} 1 {k}2 2"], "msetnx": ["MSETNX {k} 1 {k}2 2"],
    "msetex": ["MSETEX 2 {k} 1 {k}2 2 EX 5000"], "getset": ["SET {k} a", "GETSET {k} b"],
    "getdel": ["SET {k} a", "GETDEL {k}"], "getex": ["SET {k} a", "GETEX {k} EX 5000"],
    "append": ["SET {k} a", "APPEND {k} b"], "setrange": ["SET {k} abc", "SETRANGE {k} 5 x"],
    "setbit": ["SETBIT {k} 77 1"], "bitfield": ["BITFIELD {k} SET u8 0 200 INCRBY u8 0 10"],
    "bitop": ["SET {k}2 ab", "SET {k}3 xyz", "BITOP XOR {k} {k}2 {k}3"], "incr": ["INCR {k}"],
    "incrby": ["INCRBY {k} 5"], "incrbyfloat": ["SET {k} 1 EX 5000", "INCRBYFLOAT {k} 0.25"], "decr": ["DECR {k}"],
    "decrby": ["DECRBY {k} 7"], "del": ["MSET {k} 1 {k}2 2 {k}3 3", "DEL {k} {k}2"],
    "unlink": ["MSET {k} 1 {k}2 2 {k}3 3", "UNLINK {k} {k}2"], "delex": ["SET {k} a", "DELEX {k} IFEQ a"],
    "delifeq": ["SET {k} a", "DELIFEQ {k} a"], "expire": ["SET {k} a", "EXPIRE {k} 5000"],
    "pexpire": ["SET {k} a", "PEXPIRE {k} 5000000"], "expireat": ["SET {k} a", "EXPIREAT {k} 4000000000"],
    "pexpireat": ["SET {k} a", "PEXPIREAT {k} 4000000000123"], "persist": ["SET {k} a EX 50", "PERSIST {k}"],
    "rename": ["SET {k} a", "RENAME {k} {k}2"], "renamenx": ["SET {k} a", "RENAMENX {k} {k}2"],
    "copy": [LIST, "COPY {k} {k}2 REPLACE"], "move": ["SET {k} a", "MOVE {k} 3"],
    "restore": [ZSET, "RESTORE {k}2 5000000 {dump} REPLACE"],
    "restore-asking": [ZSET, "RESTORE-ASKING {k}2 0 {dump} REPLACE"],
    "sort": ["RPUSH {k} 3 1 2", "SORT {k} DESC STORE {k}2"], "migrate": [LIST, "MIGRATE 127.0.0.1 {other} {k} 0 5000"],

    "lpush": ["LPUSH {k} a b"], "lpushx": [LIST, "LPUSHX {k} x"], "rpush": ["RPUSH {k} a b"],
    "rpushx": [LIST, "RPUSHX {k} x"], "lpop": [LIST, "LPOP {k}"], "rpop": [LIST, "RPOP {k}"],
    "lmpop": [LIST, "LMPOP 2 {k}none {k} LEFT COUNT 2"], "lset": [LIST, "LSET {k} 1 x"], "lrem": [LIST, "LREM {k} 1 b"],
    "ltrim": [LIST, "LTRIM {k} 1 2"], "linsert": [LIST, "LINSERT {k} BEFORE b x"],
    "rpoplpush": [LIST, "RPOPLPUSH {k} {k}2"], "lmove": [LIST, "LMOVE {k} {k}2 LEFT RIGHT"],
    "blpop": [LIST, "BLPOP {k} 1"], "brpop": [LIST, "BRPOP {k} 1"], "blmpop": [LIST, "BLMPOP 1 1 {k} RIGHT COUNT 2"],
    "brpoplpush": [LIST, "BRPOPLPUSH {k} {k}2 1"], "blmove": [LIST, "BLMOVE {k} {k}2 RIGHT LEFT 1"],

    "sadd": ["SADD {k} a b"], "srem": [SET, "SREM {k} b"], "spop": [SET, "SPOP {k} 2"], "smove": [SET, "SMOVE {k} {k}2 a"],
    "sunionstore": [SET, "SUNIONSTORE {k}2 {k}"], "sinterstore": [SET, "SINTERSTORE {k}2 {k}"],
    "sdiffstore": [SET, "SDIFFSTORE {k}2 {k} {k}3"],

    "zadd": ["ZADD {k} 1.5 a -inf b"], "zincrby": [ZSET, "ZINCRBY {k} 2.5 b"], "zrem": [ZSET, "ZREM {k} b"],
    "zremrangebyrank": [ZSET, "ZREMRANGEBYRANK {k} 0 1"], "zremrangebyscore": [ZSET, "ZREMRANGEBYSCORE {k} 2 3"],
    "zremrangebylex": ["ZADD {k} 0 a 0 b 0 c", "ZREMRANGEBYLEX {k} [a [b"], "zpopmin": [ZSET, "ZPOPMIN {k} 2"],
    "zpopmax": [ZSET, "ZPOPMAX {k}"], "zmpop": [ZSET, "ZMPOP 1 {k} MIN COUNT 2"], "bzpopmin": [ZSET, "BZPOPMIN {k} 1"],
    "bzpopmax": [ZSET, "BZPOPMAX {k} 1"], "bzmpop": [ZSET, "BZMPOP 1 1 {k} MAX COUNT 2"],
    "zunionstore": [ZSET, "ZUNIONSTORE {k}2 1 {k} WEIGHTS 2"], "zinterstore": [ZSET, "ZINTERSTORE {k}2 1 {k}"],
    "zdiffstore": [ZSET, "ZDIFFSTORE {k}2 2 {k} {k}3"], "zrangestore": [ZSET, "ZRANGESTORE {k}2 {k} 1 2"],
    "geoadd": ["GEOADD {k} 13.361389 38.115556 Palermo 15.087269 37.502669 Catania"],
    "georadius": ["GEOADD {k} 13.36 38.11 a 15.08 37.50 b", "GEORADIUS {k} 15 37 200 km STORE {k}2"],
    "georadiusbymember": ["GEOADD {k} 13.36 38.11 a 15.08 37.50 b", "GEORADIUSBYMEMBER {k} a 200 km STOREDIST {k}2"],
    "geosearchstore": ["GEOADD {k} 13.36 38.11 a 15.08 37.50 b",
                       "GEOSEARCHSTORE {k}2 {k} FROMLONLAT 15 37 BYRADIUS 200 km"],

    "hset": [HASH], "hmset": ["HMSET {k} a 1 b 2"], "hsetnx": ["HSETNX {k} a 1"], "hdel": [HASH, "HDEL {k} a"],
    "hgetdel": [HASH, "HGETDEL {k} FIELDS 2 a b"], "hincrby": [HASH, "HINCRBY {k} a 5"],
    "hincrbyfloat": [HASH, "HINCRBYFLOAT {k} b 0.5"], "hsetex": ["HSETEX {k} EX 5000 FIELDS 1 a 1"],
    "hgetex": [HASH, "HGETEX {k} EX 5000 FIELDS 1 a"], "hexpire": [HASH, "HEXPIRE {k} 5000 FIELDS 1 a"],
    "hpexpire": [HASH, "HPEXPIRE {k} 5000000 FIELDS 2 a b"], "hexpireat": [HASH, "HEXPIREAT {k} 4000000000 FIELDS 1 c"],
    "hpexpireat": [HASH, "HPEXPIREAT {k} 4000000000123 FIELDS 1 c"],
    "hpersist": [HASH, "HEXPIRE {k} 5000 FIELDS 1 a", "HPERSIST {k} FIELDS 1 a"],

    "pfadd": ["PFADD {k} a b c"], "pfmerge": ["PFADD {k}2 a b", "PFMERGE {k} {k}2"],
    "pfcount": ["PFADD {k} a b c", "PFCOUNT {k}"],

    "xadd": ["XADD {k} MAXLEN ~ 100 * f v"], "xtrim": [STREAM, MORE, "XTRIM {k} MAXLEN 1"],
    "xdel": [STREAM, MORE, "XDEL {k} 5-1"], "xdelex": [STREAM, MORE, "XDELEX {k} KEEPREF IDS 1 5-1"],
    "xack": [STREAM, GROUP, READ, "XACK {k} g 5-1"], "xackdel": [STREAM, MORE, GROUP, READ, "XACKDEL {k} g DELREF IDS 1 5-1"],
    "xclaim": [STREAM, GROUP, READ, "XCLAIM {k} g c2 0 5-1"],
    "xautoclaim": [STREAM, GROUP, READ, "XAUTOCLAIM {k} g c2 0 0"], "xreadgroup": [STREAM, MORE, GROUP, READ],
    "xsetid": [STREAM, "XSETID {k} 9-9"], "xgroup create": ["XGROUP CREATE {k} g $ MKSTREAM"],
    "xgroup createconsumer": [STREAM, GROUP, "XGROUP CREATECONSUMER {k} g c9"],
    "xgroup delconsumer": [STREAM, GROUP, READ, "XGROUP DELCONSUMER {k} g c1"],
    "xgroup destroy": [STREAM, GROUP, "XGROUP DESTROY {k} g"], "xgroup setid": [STREAM, GROUP, "XGROUP SETID {k} g 5-1"],
    "xcfgset": [STREAM, "XCFGSET {k} IDMP-DURATION 200"],

    "vadd": ["VADD {k} VALUES 3 1 2 3 e"], "vrem": ["VADD {k} VALUES 3 1 2 3 e", "VADD {k} VALUES 3 1 0 3 f", "VREM {k} e"],
    "vsetattr": ["VADD {k} VALUES 3 1 2 3 e", "VSETATTR {k} e {{\"a\":1}}"],

    "select": ["SELECT 3", "SET {k} other", "SELECT 0"], "multi": ["MULTI", "INCR {k}", "EXEC"],
    "exec": ["MULTI", "LPUSH {k} 1", "LPUSH {k} 2", "EXEC"], "ping": ["PING"], "publish": ["PUBLISH channel message"],
    "spublish": ["SPUBLISH channel message"], "wait": ["SET {k} v", "WAIT 0 10"],
    "eval": ["EVAL return\u00a0redis.call('SET',KEYS[1],ARGV[1]) 1 {k} v"],
    "evalsha": ["SCRIPT LOAD return\u00a0redis.call('INCR',KEYS[1])", "EVALSHA {sha} 1 {k}"],
    "script load": ["SCRIPT LOAD return\u00a01"], "script flush": ["SCRIPT FLUSH"],
    "function load": ["FUNCTION LOAD {library}"],
    "function delete": ["FUNCTION LOAD {library}", "FUNCTION DELETE {name}"],
    "fcall": ["FUNCTION LOAD {library}", "FCALL {name} 1 {k} v"],
    "function restore": ["FUNCTION LOAD {library}", "FUNCTION RESTORE {functions} REPLACE"],
    "flushdb": ["SELECT 3", "SET {k} x", "FLUSHDB", "SELECT 0"], "swapdb": ["SET {k} x", "SWAPDB 0 3", "SWAPDB 4 3"],
    "flushall": ["SET {k} x", "FLUSHALL"], "function flush": ["FUNCTION LOAD {library}", "FUNCTION FLUSH"],
}

# What removes what others have left behind comes first.
FIRST = ("flushall", "function flush", "flushdb", "swapdb")

# No example, and why.
NEVER = {
    "replconf": "between servers", "trimslots": "of clusters", "cluster syncslots": "of clusters",
    "cluster flushslot": "of clusters", "sflush": "of clusters", "pfdebug": "refused: for debugging the server",
    "xidmprecord": "written when a server loads its own file",
}
NEWER = {"increx", "lmovem", "blmovem", "himport set", "xnack", "ardel", "ardelrange", "arinsert", "armset", "arring",
         "arseek", "arset"}  # Redis 8.8 and 8.10: no server of the zoo has them

LIBRARY = "#!lua name=%s\nredis.register_function('%s', function(k, a) return redis.call('SET', k[1], a[1]) end)"


class Runner:
    def __init__(self, server, other=None):
        self.connection = server.client().connection_pool.make_connection()
        self.other = other

    def call(self, *words):
        self.connection.send_command(*words)
        return self.connection.read_response()

    def has(self, command):
        """6.0 knows no subcommands, and says in a HELP which there are."""
        first, _, second = command.partition(" ")
        if self.call("COMMAND", "INFO", first)[0] is None:
            return False
        if not second or self.call("COMMAND", "INFO", "%s|%s" % (first, second))[0] is not None:
            return True
        if self.call("COMMAND", "INFO", "lmpop")[0] is not None:  # 7.0 would know
            return False
        return any(re.match(second + r"\b", line.decode().lower()) for line in self.call(first, "HELP"))

    def example(self, command):
        key, name = "every:" + command.replace(" ", "-"), "lib_" + re.sub(r"\W", "_", command)
        values = {"k": key, "name": name, "library": LIBRARY % (name, name), "other": str(self.other.port) if self.other else ""}
        for line in EXAMPLES[command]:
            words = []
            for word in line.split(" "):
                if word == "{dump}":
                    words.append(self.call("DUMP", key))
                elif word == "{functions}":
                    words.append(self.call("FUNCTION", "DUMP"))
                else:
                    words.append(word.format(**values).replace("\u00a0", " "))
            answer = self.call(*words)
            if words[:2] == ["SCRIPT", "LOAD"]:
                values["sha"] = answer.decode()


def run(server, names, other):
    """An example that fails raises, naming it."""
    runner = Runner(server, other)
    order = [name for name in FIRST if name in names] + [name for name in EXAMPLES if name in names and name not in FIRST]
    for name in order:
        try:
            runner.example(name)
        except Exception as error:
            raise AssertionError("%s: %s" % (name, error)) from error
    return set(order)
