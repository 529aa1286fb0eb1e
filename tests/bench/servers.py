"""Servers and data of the benchmark."""

import contextlib
import pathlib
import socket
import subprocess
import tempfile
import time

from support import processes
from support.authority import Authority
from support.ports import free_port
from support.redis_fixture import RedisServer


class Server(RedisServer):
    """`tls` is None or an Authority whose certificate the server shows on `tls_port`."""

    def __init__(self, *arguments, tls=None, **options):
        self.tls, self.tls_port = tls, None
        if tls:
            self.tls_port = free_port()
            arguments += tls.server(self.tls_port)
        super().__init__(*arguments, **options)


def version():
    with RedisServer() as server:
        return server.client().info("server")["redis_version"]


def start_source(**options):
    # One that disconnects a replica which cannot keep up would end the measurement.
    return Server("--client-output-buffer-limit", "replica 0 0 0", **options)


@contextlib.contextmanager
def authority():
    with tempfile.TemporaryDirectory(prefix="kf-bench-") as folder:
        found = Authority(pathlib.Path(folder))
        found.sign("server", "IP:127.0.0.1")
        found.ca = lambda: found.text("ca.crt")
        yield found


@contextlib.contextmanager
def further_away(program, server, one_way_us):
    """The port on which `server` is found behind a longer way."""
    port = free_port()
    process = processes.register(subprocess.Popen([program, str(port), str(server.port), str(one_way_us)]))
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait(10)


# ---- a million keys of every common type, written by the server itself

MIXED = """
local from, to = tonumber(ARGV[1]), tonumber(ARGV[2])
for i = from, to - 1 do
    local kind, key = i % 10, string.format('%08d', i)
    if kind < 4 then
        redis.call('SET', 's:' .. key, string.rep('v', 60 + i % 80))
    elseif kind < 6 then
        local words = {}
        for f = 1, 10 do words[#words + 1] = 'field:' .. f; words[#words + 1] = 'value:' .. i end
        redis.call('HSET', 'h:' .. key, unpack(words))
    elseif kind == 6 then
        local words = {}
        for f = 1, 10 do words[f] = 'member:' .. f * i end
        redis.call('SADD', 'u:' .. key, unpack(words))
    elseif kind == 7 then
        local words = {}
        for f = 1, 10 do words[#words + 1] = f * i / 7; words[#words + 1] = 'member:' .. f end
        redis.call('ZADD', 'z:' .. key, unpack(words))
    elseif kind == 8 then
        local words = {}
        for f = 1, 20 do words[f] = 'element:' .. f end
        redis.call('RPUSH', 'l:' .. key, unpack(words))
    else
        for f = 1, 5 do redis.call('XADD', 'x:' .. key, f .. '-1', 'field', 'value:' .. i) end
        if i % 100 == 9 then redis.call('XGROUP', 'CREATE', 'x:' .. key, 'group', '0') end
    end
    if i % 10 == 3 then redis.call('EXPIRE', 's:' .. key, 86400) end
end
"""


def fill_mixed(server, keys, step=10_000):
    script = server.client().register_script(MIXED)
    for at in range(0, keys, step):
        script(args=[at, min(at + step, keys)])


def fill_hash(server, fields, step=10_000):
    client = server.client()
    for at in range(0, fields, step):
        client.hset("hash", mapping={"field:%08d" % i: "value %d" % i for i in range(at, at + step)})
