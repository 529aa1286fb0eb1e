"""What is measured: each function starts servers, lets a mover work, and returns figures."""

import json
import os
import statistics
import subprocess
import sys
import time

from bench import servers
from bench.movers import memory_kb
from support.processes import cpu_seconds


class Programs:
    """The C programs of the benchmark, below the build folder."""

    def __init__(self, folder):
        self.loadgen, self.far = str(folder / "bin" / "loadgen"), str(folder / "bin" / "far")

    def start_load(self, *arguments):
        return subprocess.Popen([self.loadgen, *map(str, arguments)], stdout=subprocess.PIPE)

    def load(self, *arguments):
        process = self.start_load(*arguments)
        out, _ = process.communicate()
        if process.returncode != 0:
            sys.exit("loadgen %s ended with %s" % (arguments, process.returncode))
        return json.loads(out)


def copy(mover, source, destination, keys, port=None):
    """Seconds from the start until the destination holds every key."""
    if hasattr(mover, "prepare"):
        mover.prepare(source, destination, port)
    client = destination.client()
    began = time.monotonic()
    mover.start(source, destination)
    while True:
        try:
            if client.dbsize() >= keys:
                return time.monotonic() - began
        except Exception:  # a replica that loads answers LOADING
            pass
        if time.monotonic() - began > 300:
            sys.exit("%s did not copy within 300 s: %s of %d keys" % (mover.name, client.dbsize(), keys))
        time.sleep(0.005)


def wait_behind(source, destination, timeout=300):
    """Write a marker, wait until it is there; seconds it took."""
    value = os.urandom(6).hex()
    began = time.monotonic()
    source.client().set("marker", value)
    there = destination.client()
    while True:
        try:
            if there.get("marker") == value.encode():
                return time.monotonic() - began
        except Exception:
            pass
        if time.monotonic() - began > timeout:
            return float("inf")
        time.sleep(0.001)


def tail(programs, mover, source, destination, what, seconds, each=1, probe=True):
    """Offer writes for so many seconds: what was delivered when the last was acknowledged, and
    how long the rest took. `what` is a command that loadgen's writes hold `each` times per
    counted write; the position, a hash, is not among what is counted."""
    command, words = what[0], what[1:]
    pids = dict(mover.pids(), source=source.process.pid, destination=destination.process.pid)
    before = {role: cpu_seconds(pid) for role, pid in pids.items()}
    began, applied = time.monotonic(), destination.calls(command)
    load = programs.start_load(words[0], source.port, *words[1:], seconds)
    probed = {}
    if probe:
        time.sleep(0.5)
        prober = programs.start_load("probe", source.port, destination.port,
                                     max(1, int((seconds - 1) / 0.05)), 50_000)
    offered = json.loads(load.communicate()[0])
    at_end = (destination.calls(command) - applied) * each
    lag = wait_behind(source, destination)
    elapsed = time.monotonic() - began
    if probe:
        probed = json.loads(prober.communicate()[0])
    cpu = {role: cpu_seconds(pid) - before[role] for role, pid in pids.items()}
    return {"sent": offered["sent"], "rate": offered["rate"],
            "delivered": at_end / offered["seconds"], "share": at_end / offered["sent"],
            "sustained": offered["sent"] / elapsed, "last_ms": lag * 1000,
            "lag_p50_ms": probed.get("p50_us", 0) / 1000, "lag_p99_ms": probed.get("p99_us", 0) / 1000,
            "cpu_us": {role: used / offered["sent"] * 1e6 for role, used in cpu.items()}}


def sets(options, rate):
    return ("set", "set", options.keys, 16, rate)


def mixed_writes(options, rate):
    return ("xadd", "mixed", options.keys // 10, rate)


MIXED_EACH = 9  # loadgen's mixed form: one XADD among nine writes


def strings(programs, make, source, options):
    """The full copy of many strings, then the tail on the last of the copies."""
    mover = make()
    out = {"copies": []}
    try:
        for turn in range(options.copies):
            with servers.Server() as destination:
                out["copies"].append(copy(mover, source, destination, options.keys))
                if turn == options.copies - 1:
                    wait_behind(source, destination)
                    time.sleep(1)
                    out["memory_idle"] = {role: memory_kb(pid) for role, pid in mover.pids().items()}
                    out["probe"] = programs.load("probe", source.port, destination.port, options.probes, 2000)
                    out["paced"] = tail(programs, mover, source, destination, sets(options, 300_000), options.seconds)
                    out["saturated"] = tail(programs, mover, source, destination, sets(options, 0), options.seconds)
                    out["mixed_paced"] = tail(programs, mover, source, destination,
                                              mixed_writes(options, 100_000), options.seconds, MIXED_EACH)
                    out["mixed_saturated"] = tail(programs, mover, source, destination,
                                                  mixed_writes(options, 0), options.seconds, MIXED_EACH)
                    out["memory_peak"] = {role: memory_kb(pid) for role, pid in mover.pids().items()}
                mover.stop(destination)
    finally:
        mover.close()
    return out


def copies(make, source, options, keys, tls=None):
    """Median seconds of a full copy of what `source` holds."""
    mover = make()
    try:
        found = []
        for _ in range(options.copies):
            with servers.Server(tls=tls) as destination:
                found.append(copy(mover, source, destination, keys))
                mover.stop(destination)
        return statistics.median(found)
    finally:
        mover.close()


def encrypted_tail(programs, make, source, options, tls):
    mover = make()
    try:
        with servers.Server(tls=tls) as destination:
            copy(mover, source, destination, options.keys)
            wait_behind(source, destination)
            found = tail(programs, mover, source, destination, sets(options, 0), options.seconds, probe=False)
            mover.stop(destination)
            return found
    finally:
        mover.close()


def far(programs, make, source, options):
    """The tail with a destination that is a millisecond (there and back) away."""
    mover = make()
    try:
        with servers.Server() as destination, \
                servers.further_away(programs.far, destination, 500) as port:
            copy(mover, source, destination, options.keys, port)
            wait_behind(source, destination)
            found = tail(programs, mover, source, destination, sets(options, 300_000), options.seconds)
            mover.stop(destination)
            return found
    finally:
        mover.close()


def large_hash(make, fields):
    """Memory of the mover's processes for one hash: (peak resident, private at rest) of each."""
    mover = make()
    with servers.Server() as source, servers.Server() as destination:
        try:
            servers.fill_hash(source, fields)
            copy(mover, source, destination, 1)
            wait_behind(source, destination)
            time.sleep(0.5)
            found = {role: memory_kb(pid) for role, pid in mover.pids().items()}
            mover.stop(destination)
            return found
        finally:
            mover.close()


def quiet(programs, options):
    """Many tails with heartbeats on one worker: private memory, CPU and writes of the position."""
    from concurrent.futures import ThreadPoolExecutor
    from contextlib import ExitStack

    from support.service import Service

    count = options.quiet
    with ExitStack() as stack:
        # A selection knows 256 databases.
        destinations = [stack.enter_context(servers.Server("--maxclients", str(count * 4), databases=256))
                        for _ in range(2)]
        ends = [stack.enter_context(servers.Server("--hz", "1")) for _ in range(count)]
        service = Service(env={"KEYFERRY_FULL_SYNCS_PER_HOUR": "1000"}).start()
        stack.callback(service.close)

        def begin(number):
            job = service.job(ends[number].url(), destinations[number % 2].url(),
                              objects={"databases": [{"source": 0, "destination": number // 2}]})
            return job.check_and_start(ignore_warnings=True)

        with ThreadPoolExecutor(8) as pool:
            jobs = list(pool.map(begin, range(count)))
        for job in jobs:
            job.wait_caught_up(timeout=300)
        time.sleep(45)  # what the starts of so many leave to the worker is done in half a minute
        pids = [pid for role, found in service.roles().items() if role in ("receive", "apply", "worker")
                for pid in found]
        before, began = {pid: cpu_seconds(pid) for pid in pids}, time.monotonic()
        positions = sum(d.calls("hset") for d in destinations)
        time.sleep(30)
        seconds = time.monotonic() - began
        used = sum(cpu_seconds(pid) - before[pid] for pid in pids)
        roles = service.roles()
        private = sum(memory_kb(pid)[1] for role in ("receive", "apply") for pid in roles.get(role, []))
        out = {"count": count, "seconds": seconds, "cpu_percent": used / seconds * 100,
               "private_mb_each": private / count / 1024,
               "worker_private_mb": sum(memory_kb(pid)[1] for pid in roles["worker"]) / 1024,
               "positions_per_second_each": (sum(d.calls("hset") for d in destinations) - positions) / seconds / count}
        for job in jobs:
            job.act("stop", {"drain": False})
        for job in jobs:
            job.wait_state("stopped", timeout=300)
        out["bare_percent"] = programs.load("wakes", destinations[0].port, count * 2, 10)["cpu_percent"]
        return out


# ---- limits: what is moved within ten seconds, over what is allowed

LIMIT_RATES = (100, 1000, 10_000, 50_000)
LIMIT_BYTES = (100_000, 1_000_000, 10_000_000)
COPY_KEY_BYTES = 1021  # in the snapshot, of a value of 1000
TAIL_SET_BYTES = 244   # in the stream, of a value of 200


def over_seconds(read, seconds=10, settle=2.0):
    """How fast a number rises, a second, once a change has had the time it may take."""
    time.sleep(settle)
    before, began = read(), time.monotonic()
    time.sleep(seconds)
    return (read() - before) / (time.monotonic() - began)


def lifted(read, goal, limit):
    """(seconds until a number clearly rises faster than the limit that is gone, how fast it then
    goes to `goal`, a second)."""
    first, began = read(), time.monotonic()
    free_at, free = None, None
    while (now := read()) < goal:
        elapsed = time.monotonic() - began
        if free_at is None and now - first > limit * (2 * elapsed + 0.3):
            free_at, free = elapsed, now
        if elapsed > 120:
            sys.exit("%d of %d within two minutes without a limit" % (now, goal))
        time.sleep(0.01)
    elapsed = time.monotonic() - began
    return (free_at, (goal - free) / (elapsed - free_at)) if free_at else (elapsed, 0.0)


def limited_copies(service, source, limits):
    """[(name, limit, measured)] of one copy whose limit is changed while it runs; at the end
    ("… lifted", None, (seconds, keys a second))."""
    found = []
    with servers.Server() as destination:
        job = service.job(source.url(), destination.url(), throttle={"full": {limits[0][0]: limits[0][1]}})
        job.check_and_start(ignore_warnings=True)
        for name, limit in limits:
            service.request("PUT", job.path + "/throttle", {"full": {name: limit}})
            each = 1 if name == "rps" else COPY_KEY_BYTES
            found.append(("copy " + name, limit, over_seconds(lambda: destination.client().dbsize() * each)))
        service.request("PUT", job.path + "/throttle", {})
        found.append(("copy, the last limit lifted", None, lifted(
            destination.client().dbsize, source.client().dbsize(), limits[-1][1] / each)))
        job.stop(drain=False)
    return found


def limited_tails(programs, service, source, limits):
    """Likewise of a tail that is offered more than it may take; lifted with what the fastest
    limit in commands held back."""
    found, fastest = [], max(limit for name, limit in limits if name == "rps")
    with servers.Server() as destination:
        job = service.job(source.url(), destination.url())
        job.check_and_start(ignore_warnings=True)
        job.wait_caught_up(timeout=120)
        for name, limit in limits:
            service.request("PUT", job.path + "/throttle", {"incremental": {name: limit}})
            size = 16 if name == "rps" else 200
            rate = limit * 2 if name == "rps" else limit // 100
            before = destination.calls("set")
            load = programs.start_load("set", source.port, 100_000, size, rate, 13)
            each = 1 if name == "rps" else TAIL_SET_BYTES
            found.append(("tail " + name, limit, over_seconds(lambda: destination.calls("set") * each)))
            sent = json.loads(load.communicate()[0])["sent"]
            service.request("PUT", job.path + "/throttle", {})
            if (name, limit) == ("rps", fastest):
                found.append(("tail, the last limit lifted", None, lifted(
                    lambda: destination.calls("set"), before + sent, limit)))
            wait_behind(source, destination)
        job.stop(drain=False)
    return found


def limits(programs, options):
    from support.service import Service

    rates = [("rps", limit) for limit in (LIMIT_RATES[:2] if options.quick else LIMIT_RATES)]
    sizes = [("bytes_per_second", limit) for limit in (LIMIT_BYTES[:1] if options.quick else LIMIT_BYTES)]
    service = Service(env={"KEYFERRY_FULL_SYNCS_PER_HOUR": "1000"}).start()
    try:
        with servers.start_source() as source:
            programs.load("fill", source.port, 900_000, 100)
            found = limited_copies(service, source, rates)
        with servers.start_source() as source:
            programs.load("fill", source.port, 300_000, 1000)
            found += limited_copies(service, source, sizes)
        with servers.start_source() as source:
            found += limited_tails(programs, service, source, rates + sizes)
        return found
    finally:
        service.close()
