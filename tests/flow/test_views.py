"""What a console draws of a job that lives: key counts of both ends, who is connected, what the
selection resolves to, the record of the migration, and `keyferry top`."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest
from support.contract import Contract
from support.processes import register
from support.service import program


@pytest.fixture(autouse=True)
def contract(shared_service):
    if not hasattr(shared_service, "contract"):
        shared_service.contract = Contract(shared_service.request("GET", "/openapi.json"))


def read(service, job, view, **options):
    """A view of a job, held against the contract."""
    answer = service.request("GET", "%s/%s" % (job.path, view), timeout=60, **options)
    operation, _ = service.contract.operation("GET", "%s/%s" % (job.path, view))
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    wrong = list(service.contract.errors(schema, answer, "$"))
    assert not wrong, "\n".join(wrong)
    return answer


def until(look, accept, timeout=60):
    end = time.monotonic() + timeout
    while True:
        found = look()
        if accept(found):
            return found
        assert time.monotonic() < end, found
        time.sleep(0.2)


def counts_when(service, job, accept):
    return until(lambda: read(service, job, "key-counts?refresh=true"),
                 lambda c: c["state"] == "read" and accept(c))


def codes(row):
    return [e["code"] for e in row["explanations"]]


def started(service, source, destination, **spec):
    job = service.job(source.url(), destination.url(), **spec)
    job.check_and_start(ignore_warnings=True)
    return job


# ---- key counts ----

def test_r_047_key_counts_of_both_ends_leave_out_what_is_ours(service, source, destination):
    for db, count in ((0, 30), (3, 7)):
        pipe = source.client(db).pipeline()
        for i in range(count):
            pipe.set("k%d" % i, i)
        pipe.execute()
    source.client().set("soon", 1, px=10**7)
    job = started(service, source, destination)
    job.wait_caught_up()
    counts = counts_when(service, job, lambda c: c["databases"][0]["source"]["own_keys"] == 1)
    rows = {row["source_database"]: row for row in counts["databases"]}
    assert set(rows) == {0, 3} and rows[3]["destination_database"] == 3
    assert rows[0]["source"] == {"keys": 31, "expires": 1, "not_expiring": 30, "own_keys": 1,
                                 "hashes_with_expiring_fields": 0}
    assert rows[0]["destination"] == dict(rows[0]["source"], own_keys=1)
    # What the servers themselves say, which has ours in it.
    for server, end in ((source, "source"), (destination, "destination")):
        told = server.client().info("keyspace")["db0"]["keys"]
        assert told == rows[0][end]["keys"] + rows[0][end]["own_keys"], end
    assert counts["totals"] == {"source_keys": 38, "destination_keys": 38, "difference": 0}
    assert counts["verdict"] == "same_counts" and "comparison" in counts["note"]
    assert counts["source"]["by"] == "info" and counts["source"]["used_memory_bytes"] > 0
    job.stop()
    # Also when nobody works on it: a worker looks.
    counts = counts_when(service, job, lambda c: True)
    assert counts["totals"]["destination_keys"] == 38
    assert counts["databases"][0]["destination"]["own_keys"] == 1, "the seal"


def test_r_046_fewer_keys_for_a_while_are_explained(service, redis_server, destination):
    source = redis_server("--enable-debug-command", "yes")
    source.client().execute_command("DEBUG", "SET-ACTIVE-EXPIRE", "0")
    job = service.job(source.url(), destination.url(), migration={"incremental": False})
    job.precheck(ignore_warnings=True)
    # Behind the precheck, which looks at some keys: the source removes what it comes by.
    pipe = source.client().pipeline()
    for i in range(50):
        pipe.set("stays%d" % i, i)
        pipe.set("goes%d" % i, i, px=1)
    pipe.execute()
    time.sleep(0.1)
    job.act("start")
    job.wait_state("completed")
    counts = counts_when(service, job, lambda c: True)
    row = counts["databases"][0]
    assert row["difference"] == -50 and row["not_expiring_difference"] == 0
    assert row["verdict"] == "explained" and "expired_at_source" in codes(row)
    job.release()


def test_a_difference_that_nothing_explains_is_called_so(service, source, destination):
    for i in range(40):
        source.client().set("k%d" % i, i)
    job = started(service, source, destination)
    job.wait_caught_up()
    assert counts_when(service, job, lambda c: c["databases"][0]["difference"] == 0)
    destination.client().delete(*["k%d" % i for i in range(30)])
    counts = counts_when(service, job, lambda c: c["databases"][0]["difference"] == -30)
    assert counts["verdict"] == "unexplained", counts
    job.stop()


@pytest.mark.full
def test_what_a_job_that_stands_has_not_applied_explains_a_difference(service, source, destination):
    source.client().set("a", 1)
    job = started(service, source, destination)
    job.wait_caught_up()
    job.pause()
    for i in range(20):
        source.client().set("later%d" % i, i)
    counts = counts_when(service, job, lambda c: c["databases"][0]["difference"] == -20)
    assert codes(counts["databases"][0]) == ["not_yet_applied"] and counts["verdict"] == "explained"
    job.resume()
    job.stop()


@pytest.mark.full
def test_what_the_destination_had_and_kept_is_told(service, source, destination):
    source.client().mset({"a": 1, "b": 2})
    destination.client().mset({"b": "theirs", "old1": 1, "old2": 2})
    job = started(service, source, destination, conflict_mode="skip_existing")
    job.wait_caught_up()
    row = counts_when(service, job, lambda c: c["databases"][0]["destination"]["keys"] == 4)["databases"][0]
    assert row["difference"] == 2 and row["verdict"] == "explained"
    told = {e["code"]: e["keys"] for e in row["explanations"]}
    assert told["destination_had_keys"] == 3 and told["skipped_by_conflict"] == 1
    job.stop()


@pytest.mark.full
def test_without_info_keys_are_counted_by_dbsize_and_a_dead_end_is_said(service, source, redis_server):
    destination = redis_server()
    destination.client().execute_command(
        "ACL", "SETUSER", "narrow", "on", ">pw", "~*", "&*", "+@all", "-info")
    source.client().set("a", 1)
    job = service.job(source.url(), "redis://narrow:pw@127.0.0.1:%d" % destination.port)
    job.check_and_start(ignore_warnings=True)
    job.wait_caught_up()
    counts = counts_when(service, job, lambda c: c["databases"][0]["destination"])
    assert counts["destination"]["by"] == "dbsize"
    row = counts["databases"][0]
    assert row["destination"]["keys"] == 1 and row["destination"]["expires"] is None
    assert row["not_expiring_difference"] is None
    job.stop()
    destination.stop()
    counts = counts_when(service, job, lambda c: c["destination"]["problem"])
    assert counts["databases"][0]["destination"] is None and counts["verdict"] == "unknown"


@pytest.mark.full
def test_a_reading_is_answered_again_until_it_is_old(service, source, destination):
    job = started(service, source, destination)
    job.wait_caught_up()
    first = counts_when(service, job, lambda c: True)
    logins = source.calls("client|list")
    for _ in range(5):
        assert read(service, job, "key-counts")["read_at"] == first["read_at"]
    assert source.calls("client|list") == logins
    job.stop()


# ---- clients ----

def test_who_writes_to_the_source_is_named_no_key_is_and_a_missing_right_is_said(service, source, destination):
    destination.client().execute_command(
        "ACL", "SETUSER", "narrow", "on", ">pw", "~*", "&*", "+@all", "-client|list")
    source.client().execute_command("ACL", "SETUSER", "orders", "on", ">pw", "~*", "&*", "+@all")
    writer = source.client(username="orders", password="pw", client_name="checkout")
    reader = source.client(client_name="dashboard")
    writer.set("very-secret-key", "very-secret-value")
    reader.get("very-secret-key")
    job = service.job(source.url(), "redis://narrow:pw@127.0.0.1:%d" % destination.port)
    job.check_and_start(ignore_warnings=True)
    job.wait_caught_up()
    writer.set("very-secret-key", 2)
    reader.get("very-secret-key")
    clients = read(service, job, "clients?refresh=true")
    groups = {g["name"]: g for g in clients["source"]["groups"]}
    assert groups["checkout"]["writes"] == "yes" and groups["checkout"]["user"] == "orders"
    assert groups["checkout"]["address"] == "127.0.0.1" and groups["checkout"]["address_class"] == "loopback"
    assert "set" in groups["checkout"]["last_commands"]
    assert groups["dashboard"]["writes"] == "not_seen" and not groups["dashboard"]["is_keyferry"]
    assert groups["keyferry"]["is_keyferry"]
    assert any(g["kind"] == "replica" for g in clients["source"]["groups"]), "our link"
    assert clients["source"]["others"]["writing"] == 1
    assert until(lambda: read(service, job, "clients"), lambda c: c["source"]["written_by_others_at"])
    assert clients["destination"]["problem"]["code"] == "not_permitted"
    assert clients["destination"]["groups"] == [] and clients["source"]["problem"] is None
    assert "very-secret" not in json.dumps(clients)
    job.stop()


# ---- objects ----

def test_objects_tell_what_the_selection_resolves_to(service, source, destination):
    for db in (1, 4):
        source.client(db).mset({"user:%d" % i: i for i in range(20)})
        source.client(db).set("other", 1)
    job = started(service, source, destination, objects={"databases": [
        {"source": 1, "destination": 5, "include_prefixes": ["user:"]}, {"source": 4, "destination": 4}]})
    job.wait_caught_up()
    page = read(service, job, "objects?limit=1")
    assert len(page["items"]) == 1 and page["next_cursor"]
    rest = read(service, job, "objects?limit=1&cursor=" + page["next_cursor"])
    assert rest["next_cursor"] is None
    one, four = page["items"] + rest["items"]
    assert (one["source_database"], one["destination_database"], one["keys"]) == (1, 5, 21)
    assert one["include_prefixes"] == ["user:"] and one["state"] == "following"
    assert (four["destination_database"], four["keys"], four["include_prefixes"]) == (4, 21, [])
    row = counts_when(service, job, lambda c: c["databases"][0]["destination"]["keys"] == 20)["databases"][0]
    assert row["verdict"] == "not_comparable"
    job.stop()


@pytest.mark.full
def test_objects_tell_which_database_is_being_copied(service, source, destination):
    for db in (0, 1, 2):
        source.client(db).mset({"k%d" % i: "x" * 200 for i in range(400)})
    job = service.job(source.url(), destination.url(), throttle={"full": {"rps": 150}})
    job.check_and_start(ignore_warnings=True)
    items = until(lambda: read(service, job, "objects")["items"],
                  lambda rows: [r["state"] for r in rows] == ["copied", "copying", "waiting"], timeout=90)
    assert items[0]["keys_done"] == 400 and 0 < items[1]["keys_done"] <= 400 and items[2]["keys_done"] == 0
    service.request("PUT", job.path + "/throttle", {})
    job.wait_caught_up()
    assert [r["state"] for r in read(service, job, "objects")["items"]] == ["following"] * 3
    job.stop()


# ---- steps, shards, log ----

def test_steps_shards_and_the_log_tell_where_a_job_is(service, source, destination):
    source.client().set("a", 1)
    job = started(service, source, destination)
    job.wait_caught_up()
    steps = {s["name"]: s for s in read(service, job, "steps")["items"]}
    assert steps["full"]["state"] == "done" and steps["full"]["percent"] == 100
    assert steps["incremental"]["state"] == "running" and steps["incremental"]["percent"] is None
    shard = until(lambda: read(service, job, "shards")["items"][0], lambda s: s["heartbeat_seen_at"])
    assert shard["run_id"] == source.client().info()["run_id"] and shard["latency_us"] >= 0
    assert str(source.port) in shard["node"]
    assert shard["replication_id"] == source.client().info("replication")["master_replid"]
    whole = read(service, job, "logs")["items"]
    assert {line["type"] for line in whole} >= {"running", "copied", "caught_up"}
    assert [l["type"] for l in read(service, job, "logs?code=copied")["items"]] == ["copied"]
    assert read(service, job, "logs?level=error")["items"] == []
    some = [line for line in whole if "copy" in (line["sentence"] + (line["detail"] or "")).lower()]
    assert read(service, job, "logs?q=COPY")["items"] == some and some
    at = whole[2]["at"]
    assert read(service, job, "logs?from=" + at)["items"] == [l for l in whole if l["at"] >= at]
    assert read(service, job, "logs?to=" + at)["items"] == [l for l in whole if l["at"] < at]
    service.request("GET", job.path + "/logs?level=loud", expect=(422, 400))
    job.stop(drain=False)


# ---- report ----

def test_r_048_the_report_is_the_record_of_a_migration(service, source, destination):
    source.client().mset({"k%d" % i: i for i in range(200)})
    destination.client().config_set("maxmemory-policy", "allkeys-lru")
    job = service.job(source.url(), destination.url(), name="orders <b>| to new")
    job.check_and_start(ignore_warnings=True)
    job.wait_caught_up()
    for i in range(50):
        source.client().incr("n")
    until(lambda: job.get()["progress"]["incremental"]["commands_applied"], lambda n: n >= 50)
    destination.client().config_set("maxmemory-policy", "noeviction")
    job.act("cutover", {"pause_source": "client_pause"})
    job.wait_state("completed")
    steps = {s["name"]: s for s in read(service, job, "steps")["items"]}
    assert steps["cutover"]["state"] == "done" and steps["cutover"]["percent"] == 100
    report = read(service, job, "report?refresh=true")
    assert report["job"]["state"] == "completed" and report["source"]["product"] == "redis"
    assert any(p["by"].startswith("key:") for p in report["people"])
    plan = {p["what"]: p for p in report["plan"]}
    assert plan["source_forks"]["planned"] == plan["source_forks"]["measured"] == 1
    assert plan["duration_seconds"]["measured"] is not None
    ignored = {i["check"]: i for i in report["precheck"]["ignored"]}
    assert ignored["dst.eviction"]["reason"] and ignored["dst.eviction"]["by"]
    assert report["progress"]["full"]["keys_done"] == 200
    assert report["work"]["source"]["full_syncs"] == 1
    assert report["work"]["destination"]["keys_written_by_the_copy"] == 200
    for end in ("source", "destination"):
        memory = report["memory"][end]
        assert memory["used_bytes"] > 0 and memory["fragmentation_ratio"] > 0
    until(lambda: {c["command"]: c["applied"] for c in read(service, job, "report")["commands"]}.get("incrby"),
          lambda n: n == 50)
    assert report["cutover"]["state"] == "sealed" and report["seal"] == "set"
    assert report["key_counts"]["totals"]["difference"] == 0
    assert any("seal" in s for s in report["guarantees"]["given"])
    assert any("comparison" in s for s in report["guarantees"]["not_given"])
    text = service.run("report", job.id)
    assert text.returncode == 0 and "Guarantees" in text.stdout and "dst.eviction" in text.stdout
    marked = service.run("report", job.id, "--markdown").stdout
    assert marked.startswith("# Migration orders \\<b\\>\\| to new") and "## Plan" in marked
    assert "| what | planned | measured |" in marked
    assert json.loads(service.run("report", job.id, "--json").stdout)["job"]["id"] == job.id
    service.request("GET", job.path + "/report?format=pdf", expect=(400, 422))


def test_a_report_of_a_job_that_never_ran_claims_nothing(service, source, destination):
    job = service.job(source.url(), destination.url())
    report = read(service, job, "report")
    assert report["guarantees"] == {"given": [], "not_given": []} and report["precheck"] is None
    assert report["when"]["started_at"] is None and report["latency"]["p50_ms"] is None
    job.release()


# ---- keyferry top ----

def at(service):
    return dict(service.environment(), KEYFERRY_URL=service.url, KEYFERRY_API_KEY=service.key_file.read_text().strip())


ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def test_top_puts_who_needs_somebody_first(service, source, destination, redis_server):
    quiet = started(service, source, destination, name="quiet")
    quiet.wait_caught_up()
    other = redis_server()
    stuck = service.job(source.url(), other.url(), name="stuck")
    stuck.check_and_start()
    stuck.wait_caught_up()
    other.client().flushall()
    source.client().set("a", 1)
    stuck.wait_state("blocked")
    lines = service.run("top", "--once").stdout.splitlines()
    assert re.search("[1-9][0-9]* NEEDS YOU", lines[0]) and all(len(line) <= 80 for line in lines)
    table = lines[[i for i, l in enumerate(lines) if l.startswith("JOB ")][0] + 1:]
    rows = {line.split()[0]: (i, line) for i, line in enumerate(table)}
    assert rows["stuck"][0] < rows["quiet"][0] and "blocked" in rows["stuck"][1]
    assert "incremental" in rows["quiet"][1] and "ms" in rows["quiet"][1]
    assert "you may:" in "\n".join(lines)
    ids = [json.loads(line)["id"] for line in service.run("top", "--once", "--json").stdout.splitlines()]
    assert ids.index(stuck.id) < ids.index(quiet.id) and len(set(ids)) == len(ids)
    # In a pipe: a plain line of each job, again after the interval.
    child = register(subprocess.Popen([program("keyferry"), "top", "--interval", "1"], text=True,
                                      env=at(service), stdout=subprocess.PIPE))
    seen = [child.stdout.readline() for _ in range(2 * len(ids))]
    child.send_signal(signal.SIGINT)
    child.stdout.read()
    assert child.wait(20) == 0
    assert sum(stuck.id in line for line in seen) == 2 and not any("\x1b" in line for line in seen)
    stuck.stop(drain=False)
    quiet.stop()


class Terminal:
    """`keyferry top` on a terminal of its own."""

    def __init__(self, service, columns=80, rows=20):
        self.master, slave = pty.openpty()
        self.slave = slave
        self.resize(columns, rows)
        self.before = termios.tcgetattr(slave)
        self.child = register(subprocess.Popen(
            [program("keyferry"), "top", "--interval", "1"], env=at(service), stdin=slave,
            stdout=slave, stderr=slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)))
        self.text = ""

    def resize(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read_until(self, what, timeout=30):
        end = time.monotonic() + timeout
        while what not in self.text:
            assert time.monotonic() < end, self.text
            if select.select([self.master], [], [], 0.2)[0]:
                self.text += os.read(self.master, 65536).decode()
        text, self.text = self.text, ""
        return text

    def frame(self):
        """One whole screen as lines."""
        self.read_until("\x1b[J")
        return ESCAPE.sub("", self.read_until("\x1b[J")).replace("\r", "").split("\n")

    def close(self):
        os.close(self.master)
        os.close(self.slave)


@pytest.mark.full
def test_top_goes_on_when_the_service_was_away(start_service):
    service = start_service()
    screen = Terminal(service)
    try:
        screen.read_until("JOB")
        service.stop()
        screen.read_until("keyferry up")
        service.start()
        screen.read_until("JOB", timeout=60)
        os.write(screen.master, b"q")
        assert screen.child.wait(20) == 0
    finally:
        screen.close()


@pytest.mark.parametrize("how", ["q", pytest.param("ctrl-c", marks=pytest.mark.full)])
def test_top_refreshes_in_place_fits_the_terminal_and_gives_it_back(service, source, destination, how):
    job = started(service, source, destination, name="n" * 120)
    job.wait_caught_up()
    screen = Terminal(service)
    try:
        assert screen.read_until("JOB").count("\x1b[?1049h") == 1
        frame = screen.frame()
        assert len(frame) <= 20 and max(map(len, frame)) <= 80 and not frame[-1].startswith("JOB")
        screen.resize(150, 12)
        until(lambda: max(map(len, screen.frame())), lambda width: 80 < width <= 150)
        assert len(screen.frame()) <= 12
        assert termios.tcgetattr(screen.slave)[3] & (termios.ICANON | termios.ECHO) == 0
        os.write(screen.master, b"q" if how == "q" else b"\x03")
        assert "\x1b[?25h" in screen.read_until("\x1b[?1049l")
        assert screen.child.wait(20) == 0
        assert termios.tcgetattr(screen.slave) == screen.before
    finally:
        screen.close()
    job.stop()
