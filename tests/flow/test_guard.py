"""Nobody is led where he must not go, and no secret is left lying about."""

import json
import os
import pathlib
import re
import socket
import subprocess
import threading
import time

import pytest
from support import processes
from support.check_child import check, endpoint
from support.lying_server import LyingServer, bulk
from support.service import program, wait_marker
from support.tenant import Tenant
from support.workload import fill


class Canary:
    """Listens where no connection may arrive, on every address of this machine."""

    def __init__(self):
        self.arrived = []
        self.sockets = []
        first = socket.create_server(("0.0.0.0", 0))
        self.port = first.getsockname()[1]
        self.sockets.append(first)
        try:
            six = socket.create_server(("::", self.port), family=socket.AF_INET6, dualstack_ipv6=False)
            self.sockets.append(six)
        except OSError:
            pass
        for listener in self.sockets:
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener):
        while True:
            try:
                conn, peer = listener.accept()
            except OSError:
                return
            self.arrived.append(peer)
            conn.close()

    def close(self):
        for listener in self.sockets:
            listener.close()


def own_addresses():
    out = subprocess.run(["hostname", "-I"], capture_output=True, text=True).stdout.split()
    return out + [socket.gethostname()]


def spellings():
    """Names and forms of this machine, of metadata services and of what is nobody's business."""
    names = ["localhost", "LOCALHOST", "localhost.", "ip6-localhost", "127.0.0.1", "127.1", "127.0.1", "127.000.000.001",
             "2130706433", "0x7f000001", "0x7f.1", "0x7f.0x0.0x0.0x1", "017700000001", "0177.0.0.1", "0177.0.0.01",
             "0x7F.0.1", "127.0x1", "127.0.0.2", "127.255.255.254", "127.8.8.8", "0", "0.0.0.0", "0x0", "00", "0.0",
             "0.1.2.3", "::1", "0:0:0:0:0:0:0:1", "0000::0001", "::", "::ffff:127.0.0.1", "::ffff:7f00:1",
             "::FFFF:127.0.0.1", "0:0:0:0:0:ffff:127.0.0.1", "::127.0.0.1", "::7f00:1", "64:ff9b::127.0.0.1",
             "64:ff9b::7f00:1", "2002:7f00:1::", "2002:7f00:1::1", "::ffff:0.0.0.0", "::ffff:127.1.2.3", "127.0.0.1.",
             "169.254.169.254", "169.254.170.2", "169.254.0.1", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376",
             "::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::",
             "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254", "fe80::1", "fe80::1%lo",
             "fe80::", "224.0.0.1", "239.255.255.250", "255.255.255.255", "ff02::1", "ff05::2",
             "127.0.0.1%00.example", "127.0.0.1\u3002example", "\u2460\u2461\u2466.0.0.1", "127\u30020\u30020\u30021",
             "127.0.0.1#x", "127.0.0.1?x", "x@127.0.0.1", "a:b@127.0.0.1", "127.0.0.1/", "127.0.0.1//", "127.0.0.1\\",
             "127.0.0.1 ", " 127.0.0.1", "127.0.0.1\t", "127.0.0.1\r\n", "[::1]", "[127.0.0.1]", "[::1", "::1]",
             "localhost.localdomain", "localhost6", "localhost4", "0x7f.1.", "127.0.0.1:80", "1.0.0.127.in-addr.arpa",
             "127.0.0.1,127.0.0.2", "10.0.0.1@127.0.0.1", "127.0.0.1;x", "127.0.0.1&x", "127.0.0.1|x", "$(hostname)",
             "`hostname`", "127.0.0.1'", "file:///etc/passwd", "/etc/passwd", "/var/run/x.sock", "unix:/tmp/x", "..",
             ".", "-", "--", "*", "127.*.*.*", "017700000001.", "0x7f000001.", "00000177.0.0.1", "127.0.0.0x1",
             "::ffff:127.0.0.1%lo", "::1%lo", "0:0:0:0:0:0:7f00:1", "::ffff:0x7f.0.0.1"]
    return names + own_addresses()


@pytest.fixture
def canary():
    made = Canary()
    yield made
    made.close()


@pytest.fixture(scope="module")
def strict():
    """A service as servers have it: nothing on its own machine may be reached."""
    from support.service import Service
    service = Service(env={"KEYFERRY_EGRESS_ALLOW": "unix", "RES_OPTIONS": "timeout:1 attempts:1",
                           "KEYFERRY_API_REQUESTS_PER_SECOND": "100000"})
    service.start()
    yield service
    service.close()


def forms(name, port):
    host = "[%s]" % name if ":" in name and not name.startswith("[") else name
    return [{"url": "redis://%s:%d" % (host, port)}, {"url": "redis://%s:%d/0" % (host, port)},
            {"inline": {"endpoints": [{"host": name, "port": port}]}}]


def post(service, path, body):
    return service.http.post(service.url + path, json=body, timeout=60)


def wait_over(service, paths):
    deadline = time.monotonic() + 180
    for path in paths:
        while service.http.get(service.url + path, timeout=30).json().get("state") == "running":
            assert time.monotonic() < deadline, path
            time.sleep(0.1)


def test_no_spelling_leads_to_this_machine_by_a_precheck(strict, canary):
    names = spellings()
    assert len(names) >= 100
    runs, refused = [], 0
    for i, name in enumerate(names):
        form = forms(name, canary.port)[i % 3]
        other = forms(names[-1 - i], canary.port)[(i + 1) % 3]
        for body in ({"kind": "migration", "source": form, "destination": other},
                     {"kind": "migration", "source": form, "destination": {"url": "redis://0.0.0.0:1"}}):
            answer = post(strict, "/v1/prechecks", body)
            assert answer.status_code in (202, 422), (name, answer.text)
            if answer.status_code == 202:
                runs.append("/v1/prechecks/" + answer.json()["id"])
                break
            refused += 1
    wait_over(strict, runs)
    assert len(runs) > 50, "most are dialled at, or it proves little: %d" % len(runs)
    assert canary.arrived == []


@pytest.mark.full
def test_no_spelling_leads_there_by_any_other_entry(strict, canary):
    """Discovery, connectivity tests, registered instances and their passwords, jobs."""
    runs, instances = [], []
    for i, name in enumerate(spellings()):
        form = forms(name, canary.port)[i % 3]
        answer = [lambda: post(strict, "/v1/discover", {"endpoint": form}),
                  lambda: post(strict, "/v1/connectivity-tests", {"source": form}),
                  lambda: post(strict, "/v1/connectivity-tests", {"destination": form}),
                  lambda: post(strict, "/v1/instances", {"name": "x", "endpoint": form})][i % 4]()
        assert answer.status_code in (201, 202, 422), (name, answer.text)
        if answer.status_code == 202:
            runs.append(answer.headers["Location"])
        elif answer.status_code == 201:
            instances.append("/v1/instances/" + answer.json()["id"])
    for path in instances:
        post(strict, path + "/discover", {})
    deadline = time.monotonic() + 180
    while [p for p in instances if strict.request("GET", p)["work"]["state"] in ("queued", "running")]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    for path in instances:
        post(strict, path + "/rotate-secret", {"auth": {"password": "x"}})
    while [p for p in instances if strict.request("GET", p)["work"]["state"] in ("queued", "running")]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    wait_over(strict, runs)
    assert len(runs) > 20 and len(instances) > 10
    assert {strict.request("GET", p)["work"]["state"] for p in instances} == {"failed"}
    assert canary.arrived == []


@pytest.mark.full
@pytest.mark.parametrize("allowed, arrives", [("127.0.0.9", False), ("loopback", True)])
def test_no_address_that_a_cluster_announces_leads_to_this_machine(redis_server, canary, allowed, arrives):
    """Each spelling is a member's name; loopback allowed is the control."""
    names = [n for n in spellings() if n.isascii() and n.isprintable() and not set(n) & set(" ,")]
    assert len(names) >= 100
    text = "".join("%040x %s:%d@1 master - 0 0 1 connected %d\n" % (i, name, canary.port, i)
                   for i, name in enumerate(names)).encode()

    def lie(reply):
        return bulk(text) if b"myself" in reply else reply if b"cluster_state" in reply else b"-ERR no\r\n"

    member = redis_server("--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf")
    with LyingServer(member.port, {"CLUSTER": lie}, host="127.0.0.9") as liar:
        source = dict(endpoint(liar.port, host="127.0.0.9"), topology="cluster")
        found = check(source, None, checks=["src.connect", "src.topology"], env={
            "KEYFERRY_EGRESS_ALLOW": allowed, "RES_OPTIONS": "timeout:1 attempts:1"})
    assert found.done["facts"]["source"]["shard_count"] == len(names), found.done
    assert found.items["src.topology"]["result"] == "fail"
    assert not [s for s in found.done["facts"]["source"]["shards"] if s["reachable"]]
    assert bool(canary.arrived) is arrives, canary.arrived


def test_the_canary_would_notice(service, canary):
    """The control: where loopback is allowed a connection arrives."""
    answer = post(service, "/v1/prechecks", {"kind": "migration", "source": {"url": "redis://127.1:%d" % canary.port},
                                             "destination": {"url": "redis://127.0.0.1:%d" % canary.port}})
    wait_over(service, ["/v1/prechecks/" + answer.json()["id"]])
    assert canary.arrived


# ---- secrets

def words():
    return ["planted-%02d-%s" % (i, os.urandom(6).hex()) for i in range(20)]


def process_texts(service):
    """Arguments and environment of every process of the service."""
    for pid in [service.process.pid] + processes.descendants(service.process.pid):
        for name in ("cmdline", "environ"):
            try:
                yield "/proc/%d/%s" % (pid, name), pathlib.Path("/proc/%d/%s" % (pid, name)).read_bytes()
            except OSError:
                pass


def dump_of(service):
    environment = pathlib.Path("/proc/%d/environ" % service.pids("api")[0]).read_bytes().split(b"\0")
    url = [e.split(b"=", 1)[1].decode() for e in environment if e.startswith(b"KEYFERRY_DATABASE_URL=")][0]
    tool = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/pg_dump"))[-1]
    done = subprocess.run([str(tool), "--dbname", url], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def files_below(folder):
    return [p for p in folder.rglob("*") if p.is_file() and "postgres" not in p.relative_to(folder).parts]


def holds(data, word):
    """The word as it is, and as bytea shows it."""
    return word.encode() in data or word.encode().hex().encode() in data


def test_r_109_twenty_planted_secrets_are_found_nowhere(start_service, source, destination):
    service = start_service(env={"KEYFERRY_LOG_LEVEL": "debug"})
    planted = words()
    answers = []

    def say(method, path, body=None, key=None):
        answer = service.http.request(method, service.url + path, json=body, timeout=60,
                                      headers={"Accept": "application/json"})
        answers.append(answer.text + str(dict(answer.headers)))
        return answer.json()

    users = planted[:4]
    for i, word in enumerate(users):
        for server in (source, destination):
            server.client().execute_command("ACL", "SETUSER", "u%d" % i, "on", ">" + word, "~*", "&*", "+@all")
    fill(source.url(), 500)
    at = lambda server, i: "redis://u%d:%s@127.0.0.1:%d" % (i, users[i], server.port)
    job = service.job(at(source, 0), at(destination, 1))
    job.check_and_start(ignore_warnings=True)
    job.wait_caught_up()
    instance = say("POST", "/v1/instances", {"name": "i", "endpoint": {"url": at(source, 2)}})
    say("POST", "/v1/instances/%s/rotate-secret" % instance["id"], {"auth": {"username": "u3", "password": users[3]}})
    say("POST", "/v1/instances/%s/rotate-secret" % instance["id"], {"auth": {"username": "u3", "password": planted[4]}})
    # Wrong requests with secrets in odd places: no answer and no log quotes them.
    odd = planted[5:]
    for i, word in enumerate(odd):
        body = [{"source": {"url": "redis://%s@127.0.0.1" % word}}, {"source": {"url": "redis://u:%s@127.0.0.1:99999" % word}},
                {"source": {"url": "redis://u:%s@/@127.0.0.1" % word}},
                {"source": {"inline": {"endpoints": [{"host": "h"}], "auth": {"password": word, "x": 1}}}},
                {"source": {"inline": {"endpoints": [{"host": "h"}], "auth": {"password": [word]}}}},
                {"source": {"url": "redis://:%s@h" % word, "tls": {"enabled": True}}},
                {"source": {"url": "redis://:%s@h" % word, "auth": {"password": word}}},
                {"source": {"url": "gopher://u:%s@h" % word}}, {"source": {"url": "redis://u:%%zz%s@h" % word}},
                {"source": {"inline": {"endpoints": [{"host": "h"}], "tls": {"enabled": True, "client_key_pem": word}}}},
                {"source": {"url": "redis://u:%s@127.0.0.1:1" % word}, "destination": {"url": "redis://h"}}][i % 11]
        for path in ("/v1/jobs", "/v1/jobs/preview", "/v1/prechecks"):
            say("POST", path, dict(body, kind="migration"))
        service.http.post(service.url + "/v1/jobs", data='{"source": {"url": "redis://:%s@h"' % word,
                          headers={"Content-Type": "application/json"}, timeout=10)
    key = say("POST", "/v1/api-keys", {"name": "k", "scopes": ["read"]})["key"]
    shown = answers.pop()
    secret_part = key.split("_", 2)[2]
    for path in ("", "/logs", "/prechecks", "/steps", "/shards", "/events"):
        say("GET", job.path + path)
    for path in ("/v1/jobs", "/v1/instances", "/v1/audit", "/v1/events", "/v1/api-keys", "/v1/me"):
        say("GET", path)
    job.wait_caught_up()
    running = list(process_texts(service))
    dump = dump_of(service)
    assert b"CREATE TABLE" in dump and job.id.encode() in dump, "the dump is one: %r" % dump[:200]
    job.stop(drain=False)
    places = [("an answer", a.encode()) for a in answers] + running + [("the database", dump)]
    places += [(str(p), p.read_bytes()) for p in files_below(service.data_dir) if p.name != "admin.key"]
    assert len(running) > 10 and any("log" in name for name, _ in places)
    found = [(name, word) for name, data in places for word in planted + [secret_part] if holds(data, word)]
    assert not found, found[:10]
    assert holds(shown.encode(), secret_part), "the control: where it is said it is found"


def test_no_process_of_ours_leaves_a_core(service, source, destination):
    job = service.job(source.url(), destination.url()).check_and_start()
    job.wait_caught_up()
    ours = [pid for role, pids in service.roles().items() if role != "postgres" for pid in pids]
    assert len(ours) >= 4
    for pid in ours:
        limits = pathlib.Path("/proc/%d/limits" % pid).read_text()
        core = re.search(r"Max core file size\s+(\S+)", limits).group(1)
        dumpable = os.stat("/proc/%d" % pid).st_uid == 0 and os.geteuid() == 0
        assert core == "0" or not dumpable, processes.arguments(pid)
        assert core == "0", (processes.arguments(pid), core)
    wait_marker(source, destination, job=job)
    job.stop(drain=False)
