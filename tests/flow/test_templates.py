"""Hashes that share the names of their fields, as Redis 8.10 writes them: no server of the zoo
does, so the snapshot is made here and read as a file."""

import signal
import time

import pytest
from support import processes

FIELDS = [b"name", b"city", b"\0\xff", b"n"]
HASHES = 20_000


def length(n):
    return bytes([n]) if n < 64 else bytes([0x40 | n >> 8, n & 255]) if n < 16384 else b"\x80" + n.to_bytes(4, "big")


def string(text):
    return length(len(text)) + text


def listpack(*words):
    body = b""
    for word in words:
        entry = bytes([word]) if isinstance(word, int) else bytes([0x80 | len(word)]) + word
        body += entry + bytes([len(entry)])
    return (len(body) + 7).to_bytes(4, "little") + len(words).to_bytes(2, "little") + body + b"\xff"


def values(n):
    return [b"%d" % n, b"v" * (n % 60), b"", b"\r\n%d" % n]


def snapshot():
    yield b"REDIS0015" + b"\xfa" + string(b"redis-ver") + string(b"8.10.0")
    yield b"\xf2" + length(1) + length(1) + string(b"other")
    yield b"\xf2" + length(7) + length(len(FIELDS)) + b"".join(map(string, FIELDS))
    yield b"\xfe" + length(0)
    for n in range(HASHES):
        yield (bytes([30]) + string(b"packed:%d" % n) + string(listpack(7, *values(n))) if n % 2 else
               bytes([32]) + string(b"table:%d" % n) + length(7) + b"".join(map(string, values(n))))
    yield b"\xff" + bytes(8)


@pytest.fixture
def import_dir(tmp_path):
    (tmp_path / "templates.rdb").write_bytes(b"".join(snapshot()))
    for folder in (tmp_path, tmp_path.parent):
        folder.chmod(0o755)
    return tmp_path


def test_hashes_of_templates_arrive_also_when_the_copy_is_killed(start_service, import_dir, destination):
    service = start_service(env={"KEYFERRY_IMPORT_DIR": str(import_dir)})
    job = service.job("file:templates.rdb", destination.url(), migration={"full": True, "incremental": False},
                      throttle={"full": {"enabled": True, "rps": HASHES // 8}},
                      retry={"backoff": {"initial_ms": 100, "max_ms": 1000}})
    job.check_and_start(ignore_warnings=True)
    client, killed = destination.client(), []
    for part in (1000, 9000):
        apply = job.wait_child("apply", other_than=killed)
        deadline = time.monotonic() + 60
        while client.dbsize() < part:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert client.dbsize() < HASHES, "the copy was already over"
        processes.send(apply, signal.SIGKILL)
        killed.append(apply)
    service.request("PUT", job.path + "/throttle", {})
    job.wait_state("completed")
    pipe = client.pipeline(transaction=False)
    names = [b"packed:%d" % n if n % 2 else b"table:%d" % n for n in range(HASHES)]
    for name in names:
        pipe.hgetall(name)
    for n, found in enumerate(pipe.execute()):
        assert found == dict(zip(FIELDS, values(n))), names[n]
    assert client.dbsize() == HASHES + 1, "the position and nothing else"
