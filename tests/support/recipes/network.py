"""The network between us and the servers, and servers that stand still."""

import signal
import time

from support import processes
from support.chaos import need
from support.recipes import recipe


def full_syncs(server):
    return server.client().info("stats")["sync_full"]


MISCHIEF = ("cut", "slices", "delay", "resets", "half-open client", "half-open server", "silence")


def misbehave(run, side, proxy, kind):
    """One kind of mischief on one side, for as long as it takes to hurt."""
    rng = run.rng
    run.harm("%s of the %s" % (kind, side))
    if kind == "cut":
        proxy.cut()
    elif kind == "slices":
        proxy.slices = (1, 900)
        time.sleep(rng.uniform(0.5, 1.5))
    elif kind == "delay":
        proxy.delay = 0.02
        time.sleep(rng.uniform(0.5, 1.5))
    elif kind == "resets":
        proxy.reset_after = 60_000
        proxy.cut()
        time.sleep(rng.uniform(1, 3))
        proxy.reset_after = 0
    elif kind == "half-open client":
        proxy.half_open("client")
    elif kind == "half-open server":
        proxy.half_open("server")
        time.sleep(rng.uniform(0.2, 1.5))
        proxy.cut()  # nobody waits for a minute here
    elif kind == "silence":
        proxy.stall()
        time.sleep(rng.uniform(0.2, 2))
        if rng.random() < 0.5:
            proxy.cut()
        proxy.release()
    proxy.slices, proxy.delay = None, 0
    time.sleep(rng.uniform(0.05, 0.5))


@recipe("T4", "a network that resets, slices, delays, falls silent and leaves connections half open", 180, 10)
def network(run):
    source, destination = run.redis("--repl-backlog-size", "64mb"), run.redis()
    run.fill(source)
    run.service()
    sides = {"source": run.proxy(source), "destination": run.proxy(destination)}
    run.writer(source, "a")
    run.writer(source, "b")
    job = run.start(source.url(port=sides["source"].port), destination.url(port=sides["destination"].port))
    copies = full_syncs(source)
    while run.until():
        side = run.rng.choice(sorted(sides))
        misbehave(run, side, sides[side], run.rng.choice(MISCHIEF))
    for side, proxy in sides.items():
        proxy.release()
        proxy.cut()
        run.faults["reset of the " + side] += proxy.resets
    run.finish(job, source, destination, faults=run.seconds / 3, commands=run.seconds * 400)
    need(full_syncs(source) == copies, "it took another full copy", run.log)


@recipe("T11", "a destination behind 50 KB/s and a source that cuts off slow replicas", 300, 20)
def slow_destination(run):
    source = run.redis("--client-output-buffer-limit", "replica 8mb 4mb 10", "--repl-backlog-size", "1mb")
    destination = run.redis()
    run.fill(source, 10_000)
    run.service()
    proxy = run.proxy(destination)
    for name in "abcd":
        run.writer(source, name, rate=2500)
    proxy.rate = 50_000
    job = run.start(source.url(), destination.url(port=proxy.port), caught_up=False)
    job.wait_phase("full")
    peak, links, before = 0, set(), source.offset()
    run.harm("50 KB/s to the destination")
    while run.until():
        for pid in run.the_service.pids("apply") + run.the_service.pids("receive"):
            peak = max(peak, int(processes.status(pid).get("VmRSS", "0 kB").split()[0]))
        links.add(source.client().info("replication")["connected_slaves"])
        time.sleep(0.2)
    written = source.offset() - before
    run.log("%d KB written a second, peak %d MiB", written / run.seconds / 1000, peak // 1024)
    need(written > 100_000 * run.seconds, "the source wrote %d bytes only" % written, run.log)
    proxy.rate = 0
    assert full_syncs(source) == 1, "another full sync was needed\n%s" % run.log
    assert links <= {1, 2}, "the source cut us off: %s\n%s" % (links, run.log)
    assert peak < 512 * 1024, "%d KiB\n%s" % (peak, run.log)
    run.finish(job, source, destination)


@recipe("T14", "servers that stand still: SIGSTOP, DEBUG SLEEP, CLIENT PAUSE", 180, 12)
def hung_servers(run):
    source, destination = run.redis("--repl-backlog-size", "64mb"), run.redis()
    run.fill(source)
    run.service()
    run.writer(source, "a")
    job = run.start(source.url(), destination.url())
    longest = 12 if run.seconds > 60 else 2
    while run.until():
        kind = run.rng.choice(("stopped source", "stopped destination", "paused destination",
                               "sleeping destination"))
        seconds = run.rng.uniform(0.5, longest)
        run.harm(kind, "%s for %.1f s", kind, seconds)
        if kind.startswith("stopped"):
            pid = (source if kind.endswith("source") else destination).process.pid
            processes.send(pid, signal.SIGSTOP)
            time.sleep(seconds)
            processes.send(pid, signal.SIGCONT)
        elif kind.startswith("paused"):
            destination.client().execute_command("CLIENT", "PAUSE", int(seconds * 1000), "ALL")
            time.sleep(seconds)
        else:
            destination.client(socket_timeout=60).execute_command("DEBUG", "SLEEP", seconds)
        run.marker(source, destination, job)
    run.finish(job, source, destination, faults=3)


@recipe("T36", "a source that hardly ever writes", 600, 8)
def near_idle(run):
    source, destination = run.redis(), run.redis()
    run.fill(source, 2000)
    run.service()
    job = run.start(source.url(), destination.url())
    pause = 30 if run.seconds > 60 else 1.5
    client, written = source.client(3), 0
    first = _position(run, destination)
    while run.until():
        time.sleep(pause)
        written += 1
        client.incr("kfw:lonely")
        client.rpush("kfw:lonely:list", written)
        run.wait(lambda: destination.client(3).get("kfw:lonely") == b"%d" % written, "a lonely write", 60)
        if run.rng.random() < 0.4:
            kill = run.rng.choice(("apply", "receive", "worker"))
            for pid in run.the_service.pids(kill):
                processes.send(pid, signal.SIGKILL)
            run.harm("kill " + kill)
    run.wait(lambda: _position(run, destination) >= source.offset() - 2000, "the position of an idle source")
    need(_position(run, destination) > first, "the position did not move", run.log)
    need(written >= 3, "%d writes only" % written, run.log)
    run.operations = 2 * written
    run.marker(source, destination, job)
    assert [int(n) for n in destination.client(3).lrange("kfw:lonely:list", 0, -1)] == list(
        range(1, written + 1)), run.log
    assert full_syncs(source) == 1, "an idle source was copied again\n%s" % run.log
    run.finish(job, source, destination, faults=0)


def _position(run, destination):
    (key,) = destination.client().scan_iter(match="{kf}:*", count=10_000)
    return int(destination.client().hget(key, "off"))
