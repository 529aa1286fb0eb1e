"""Our own processes die, stand still, or are told to fail at a named place."""

import signal
import time
import zlib

from support import chaos, processes
from support.chaos import need
from support.failpoints import NAMES
from support.recipes import recipe
from support.service import wait_marker

DATA_PLANE = ("worker", "receive", "apply")


def kill_one(run, roles):
    """kill -9 of one process of these roles. Returns its role, None when nobody was there."""
    service = run.the_service
    there = {role: pids for role, pids in service.roles().items() if role in roles}
    if not there:
        return None
    role = run.rng.choice(sorted(there))
    pid = run.rng.choice(there[role])
    if not processes.send(pid, signal.SIGKILL):
        return None
    run.harm("kill " + role, "kill -9 %s %d", role, pid)
    return role


@recipe("T1", "kill -9 of the worker and its children every 50 to 450 ms", 180, 10)
def kills(run):
    source, destination = run.redis("--repl-backlog-size", "64mb"), run.redis()
    run.fill(source)
    run.service()
    run.writer(source, "a")
    run.writer(source, "b")
    job = run.start(source.url(), destination.url())
    copies = source.client().info("stats")["sync_full"]
    supervisor_at = 0
    while run.until():
        time.sleep(run.rng.uniform(0.05, 0.45))
        # A supervisor that lived for 20 s is started again at once, others ever later.
        due = time.monotonic() - supervisor_at > 21
        if kill_one(run, ("worker",) if due else DATA_PLANE[1:]) == "worker":
            supervisor_at = time.monotonic()
    run.wait(lambda: run.the_service.pids("apply"), "an apply after the kills", 90)
    run.finish(job, source, destination, faults=run.seconds * 0.6, commands=run.seconds * 300)
    need(source.client().info("stats")["sync_full"] == copies, "it took another full copy", run.log)


# ---------------------------------------------------------------- T2: every named place

# What has to be done so that somebody comes by the place; all others are on the way of every migration.
STORY_OF = {
    "heavy": ("receive.trim",),
    "drop": ("receive.drop-snapshot",),
    "renamed": ("receive.history-renamed", "tail.history-renamed", "tail.new-name-stored"),
    "spool-lost": ("receive.spool-lost",),
    "lease": ("worker.lease-raised",),
    "superseded": ("copy.superseded",),
    "leave": ("worker.leaves",),
    "alone": ("apply.completes", "apply.completed"),
    "stop": ("receive.drain-sampled", "apply.stops", "apply.settled", "apply.sealed", "tail.finished",
             "settle.step", "worker.gives-back"),
    "copy": ("worker.claimed", "worker.first-claim-noted", "worker.full-sync-noted", "worker.moves",
             "receive.full-sync-allowed", "receive.snapshot-begins", "receive.snapshot-begun",
             "receive.snapshot-spooled", "receive.snapshot-complete", "receive.snapshot-noted",
             "spool.emptied", "spool.data-unlinked", "spool.meta-write", "spool.meta-sync",
             "spool.meta-rename", "spool.meta-written", "apply.may-go", "apply.waits-for-snapshot",
             "copy.prepared", "copy.generation-begins", "copy.generation-begun", "copy.unit-filled",
             "copy.unit-acknowledged", "worker.moved"),
    # Who dies at one of these does not come by the next.
    "gave-back": ("worker.gave-back",),
    "copy-ends": ("copy.ended", "copy.tail-begun", "apply.copied", "apply.said-copied"),
}
SPECIAL = {name for names in STORY_OF.values() for name in names}
# Shared among the processes, so that they die in turn: who dies too often is started later.
IN_TAIL = tuple(sorted((name for name in NAMES if name not in SPECIAL),
                       key=lambda name: zlib.crc32(name.encode())))


class Ladder:
    """Orders for many places at once: each is carried out at the next pass, and then life goes on."""

    def __init__(self, run, action):
        self.run, self.action, self.told = run, action, set()

    def order(self, names):
        for name in names:
            self.run.points.order(name, self.action)

    def climb(self, names, timeout=120, job=None):
        """Until all are carried out. Who has died often is started late: with `job` that is paused and
        resumed then, which lets them start at once."""
        deadline, quiet = time.monotonic() + timeout, time.monotonic()
        left = set(names)
        while left:
            fired = left & self.run.points.fired()
            for name in sorted(fired - self.told):
                self.told.add(name)
                quiet = time.monotonic()
                self.run.harm("%s at a place" % self.action, "%s at %s", self.action, name)
            left -= fired
            need(time.monotonic() < deadline, "nobody came by %s within %d s" % (sorted(left), timeout),
                 self.run.log)
            if job and time.monotonic() - quiet > 1:
                job.pause()
                job.act("resume")
                quiet = time.monotonic()
            time.sleep(0.02)


def _push_until(run, names, source, destination, job):
    """Megabytes through the stream, of which nothing stays, until the orders are carried out."""
    client = source.client(9)
    for _ in range(12):
        if not set(names) & run.points.waiting():
            break
        for i in range(24):
            client.set("kfw:heavy", bytes([65 + i]) * 1_000_000)
        client.delete("kfw:heavy")
        run.marker(source, destination, job)


def every_place(run, action):
    """One migration from start to seal that is hit at every place of the table."""
    source, destination = run.redis("--repl-backlog-size", "64mb"), run.redis()
    other = run.redis("--repl-backlog-size", "64mb")
    run.fill(source, 3000)
    # Room for two segments of the stream: more has to be made.
    service = run.service(workers=2, KEYFERRY_LEASE_SECONDS="2", KEYFERRY_SPOOL_QUOTA_BYTES=str(96 << 20))
    ladder = Ladder(run, action)
    to_source, to_destination = run.proxy(source), run.proxy(destination)
    writer = run.writer(source, "a", rate=800)
    # The copy: it must not be through before the snapshot is.
    to_destination.rate = 30_000
    ladder.order(STORY_OF["copy"])
    job = run.start(source.url(port=to_source.port), destination.url(port=to_destination.port),
                    caught_up=False)
    ladder.climb({name for name in STORY_OF["copy"] if not name.startswith(("copy.", "apply."))}, job=job)
    to_destination.rate = 300_000
    ladder.climb(set(STORY_OF["copy"]), job=job)
    to_destination.rate = 0
    job.wait_caught_up(timeout=180)
    run.log("caught up")
    for at in range(0, len(IN_TAIL), 12):
        ladder.order(IN_TAIL[at:at + 12])
        ladder.climb(IN_TAIL[at:at + 12], job=job)
        run.marker(source, destination, job)
    # The worker is asked to go, and does not get far.
    ladder.order(STORY_OF["leave"])
    for pid in service.pids("worker"):
        processes.send(pid, signal.SIGTERM)
    ladder.climb(STORY_OF["leave"])
    job.wait_caught_up()
    # Somebody whose lease was higher has been there.
    ladder.order(STORY_OF["lease"])
    for key in destination.client().scan_iter(match="{kf}:*"):
        destination.client().hset(key, "lease", 1000)
    for pid in service.pids("apply"):
        processes.send(pid, signal.SIGKILL)
    ladder.climb(STORY_OF["lease"])
    run.marker(source, destination, job)
    # The spool is taken away while nobody needs it.
    job.pause()
    for path in service.data_dir.rglob("*-0/stream/*"):
        path.unlink()
    ladder.order(STORY_OF["spool-lost"])
    job.resume()
    ladder.climb(STORY_OF["spool-lost"])
    run.marker(source, destination, job)
    # More than the spool wants to keep.
    ladder.order(STORY_OF["heavy"])
    _push_until(run, STORY_OF["heavy"], source, destination, job)
    ladder.climb(STORY_OF["heavy"])
    # The source fails over: the history goes on under another name.
    acknowledged = writer.stop()
    need(acknowledged["commands"] > 1000, "the writer wrote too little", run.log)
    run.marker(source, destination, job)  # a new replica's backlog begins where it was attached
    fail_over(run, source, other, to_source, lambda: ladder.order(STORY_OF["renamed"]))
    run.marker(other, destination, job)
    other.client(3).set("kfw:after", "the failover")
    ladder.climb(STORY_OF["renamed"])
    run.marker(other, destination, job)
    ladder.order(STORY_OF["stop"])
    run.finish(job, other, destination)
    ladder.climb(STORY_OF["stop"], timeout=5)
    return ladder


def fail_over(run, master, replica, proxy, before=lambda: None):
    """The replica of a living source takes its place, the proxy leads to it."""
    replica.client().replicaof("127.0.0.1", master.port)
    run.wait(lambda: replica.client().info("replication").get("master_link_status") == "up",
             "the replica of the source")
    run.wait(lambda: replica.client().info("replication")["slave_repl_offset"] >= master.offset() - 200,
             "the replica has everything")
    before()
    master.client().execute_command("FAILOVER", "TO", "127.0.0.1", replica.port)
    run.wait(lambda: replica.client().info("replication")["role"] == "master", "the failover")
    proxy.target = replica.port
    proxy.cut()
    run.harm("failover of the source")


def ends_of_copies(run, ladder):
    """Small migrations, each hit at one place behind its last key; then two of a copy alone."""
    source = run.redis("--repl-backlog-size", "64mb")
    run.fill(source, 1500, expiring=0)
    for name in STORY_OF["copy-ends"]:
        destination = run.redis()
        ladder.order([name])
        job = run.start(source.url(), destination.url())
        ladder.climb([name])
        run.marker(source, destination, job)
        if name == STORY_OF["copy-ends"][0]:
            ladder.order(STORY_OF["drop"])
            _push_until(run, STORY_OF["drop"], source, destination, job)
            ladder.climb(STORY_OF["drop"])
            run.marker(source, destination, job)
            ladder.order(STORY_OF["gave-back"])
        job.stop()
        chaos.verdict(source, destination, run.log)
        told = [row["type"] for row in run.the_service.request(
            "GET", job.path + "/events", headers={"Accept": "application/json"})["items"]]
        assert any(type.endswith("copied") for type in told), "the end of the copy is not told: %s" % told
    ladder.climb(STORY_OF["gave-back"])
    destination = run.redis()
    ladder.order(STORY_OF["alone"])
    job = run.start(source.url(), destination.url(), caught_up=False, migration={"incremental": False})
    job.wait_state("completed", timeout=60)
    ladder.climb(STORY_OF["alone"], timeout=5)
    chaos.verdict(source, destination, run.log)


def superseded(run, ladder):
    """A snapshot that comes slowly ends in the middle, and another begins under the copy."""
    source, destination = run.redis(), run.redis()
    run.fill(source, 6000, expiring=0)
    slow = run.proxy(source)
    slow.rate = 250_000
    ladder.order(STORY_OF["superseded"])
    job = run.start(source.url(port=slow.port), destination.url(), caught_up=False)
    run.wait(lambda: sum(destination.counts().values()) > 500, "a part of the copy")
    for pid in run.the_service.pids("receive"):
        processes.send(pid, signal.SIGKILL)
    ladder.climb(STORY_OF["superseded"])
    slow.rate = 0
    run.marker(source, destination, job)
    job.stop()
    chaos.verdict(source, destination, run.log)


def every_place_of_the_table(run, action):
    ladder = every_place(run, action)
    ends_of_copies(run, ladder)
    superseded(run, ladder)
    missed = set(NAMES) - run.points.fired()
    need(not missed, "nothing was done at %s" % sorted(missed), run.log)


@recipe("T2", "kill -9 at every named place, each once", 180, 60)
def every_failpoint(run):
    every_place_of_the_table(run, "kill")


@recipe("T2b", "an error, a full disk, half a write, an exit or a pause at every place that can have it", 180, 20)
def every_error(run):
    source, destination = run.redis("--repl-backlog-size", "64mb"), run.redis()
    run.fill(source)
    run.service()
    run.writer(source, "a")
    job = run.start(source.url(), destination.url())
    names = list(IN_TAIL)
    run.rng.shuffle(names)
    while run.until() and names:
        batch = [(names.pop(), run.rng.choice(("error", "full", "short", "tear", "exit", "sleep")))
                 for _ in range(min(6, len(names)))]
        for name, action in batch:
            run.points.order(name, action, number=300)
        left, kicked, deadline = {name for name, _ in batch}, time.monotonic(), time.monotonic() + 60
        while left - run.points.fired():
            if time.monotonic() - kicked > 3:  # some are passed only by who starts
                kicked = time.monotonic()
                kill_one(run, DATA_PLANE)
            need(kicked < deadline, "nobody came by %s" % sorted(left - run.points.fired()), run.log)
            time.sleep(0.02)
        for name, action in batch:
            run.harm(action, "%s at %s", action, name)
        run.marker(source, destination, job)
    run.finish(job, source, destination, faults=6)


# ---------------------------------------------------------------- T3: two at once


def _continued(run, source, destination, proxy, job):
    """A worker and its children stand still with a unit on its way until another has taken over; then
    they go on, and the unit arrives."""
    apply = run.only("apply")
    worker = int(processes.status(apply)["PPid"])
    family = [worker] + processes.descendants(worker)
    proxy.stall(replies=False)
    run.wait(proxy.held, "a unit on its way", 60, 0.005)
    for pid in family:
        processes.send(pid, signal.SIGSTOP)
    run.harm("SIGSTOP of a worker", "stopped worker %d with %d bytes on their way", worker, proxy.held())
    run.the_service.wait_role("apply", other_than=family, timeout=60)
    wait_marker(source, destination, timeout=60, job=job)
    for pid in family:
        processes.send(pid, signal.SIGCONT)
    proxy.release()
    run.wait(lambda: len(run.the_service.pids("apply")) == 1, "that one of them is gone", 60)
    run.marker(source, destination, job)


@recipe("T3", "a worker that is stopped until another has its lease, and then continued; all workers killed at once",
        180, 12)
def two_at_once(run):
    source, destination = run.redis("--repl-backlog-size", "64mb"), run.redis()
    run.fill(source)
    service = run.service(workers=2)
    proxy = run.proxy(destination)
    run.writer(source, "a")
    run.writer(source, "b", mix="model")
    job = run.start(source.url(), destination.url(port=proxy.port))
    while run.until():
        _continued(run, source, destination, proxy, job)
    # T3b: all supervisors die at once and come back at once.
    for _ in range(2):
        for pid in service.pids("worker"):
            processes.send(pid, signal.SIGKILL)
        run.harm("kill of all workers")
        run.marker(source, destination, job)
    fenced = sum(text.count("lease-lost") + text.count("lease_lost") for text in service.logs().values())
    need(fenced > 0, "nobody was ever told that its lease is another's", run.log)
    run.finish(job, source, destination, faults=2)


# ---------------------------------------------------------------- T37


@recipe("T37", "kill -9 of apply at each percent of the copy, under writes", 120, 10)
def kills_in_the_copy(run):
    source, destination = run.redis("--repl-backlog-size", "64mb"), run.redis()
    steps = 100 if run.seconds > 60 else 8
    keys = 40_000 if run.seconds > 60 else 6_000
    run.fill(source, keys, expiring=0)
    run.service()
    proxy = run.proxy(destination)
    proxy.rate = 600_000
    run.writer(source, "a", rate=500)
    job = run.start(source.url(), destination.url(port=proxy.port), caught_up=False)
    struck, deadline = 0, time.monotonic() + 20 * run.seconds
    while struck < steps and time.monotonic() < deadline:
        copied = sum(destination.counts().values())
        if copied >= keys * struck / steps and copied < keys * 0.98:
            pids = run.the_service.pids("apply")
            if pids and processes.send(pids[0], signal.SIGKILL):
                struck += 1
                run.harm("kill in the copy", "kill -9 apply at %d of %d keys", copied, keys)
        elif job.get()["phase"] != "full" and copied >= keys:
            break
        time.sleep(0.02)
    proxy.rate = 0
    need(struck >= steps * 0.6, "%d kills in the copy" % struck, run.log)
    job.wait_caught_up(timeout=180)
    run.finish(job, source, destination, keys=keys // 2)
    need(source.client().info("stats")["sync_full"] == 1, "it took another full copy", run.log)
