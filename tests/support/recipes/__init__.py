"""What the chaos suite does to a migration, and how it judges the outcome.

A recipe is a function of a Run: it builds servers, a service and traffic, does harm, and ends in
run.finish(), which compares. It is registered with an id, what it does, and how long it lasts;
`tests/chaos` runs recipes for minutes and with many seeds, tests/fault in a form of seconds.

A recipe raises Divergence (the ends differ), service.Blocked (the job noticed something itself), Vacuous (the
run is invalid: it could not have shown anything), or another error (it could not be carried out).
"""

import collections
import random
import secrets
import time

import redis

from support import chaos, processes
from support.chaos import QUICK_RETRY, ActionLog, Divergence, Vacuous, need
from support.failpoints import Failpoints
from support.proxy import Proxy
from support.redis_fixture import RedisServer
from support.service import Service, wait_marker
from support.workload import Writer, fill

RECIPES = {}  # id: Recipe, in the order of definition


class Recipe:
    def __init__(self, name, what, seconds, brief, function):
        self.name, self.what, self.seconds, self.brief, self.function = (
            name, what, seconds, brief, function)


def recipe(name, what, seconds, brief):
    """`seconds` is how long the harm lasts in tests/chaos, `brief` in tests/fault. A recipe of a fixed
    number of steps takes both as hints."""
    def register(function):
        RECIPES[name] = Recipe(name, what, seconds, brief, function)
        return function
    return register


class Run:
    """One run of one recipe: what it started, what it did, and how it went."""

    def __init__(self, seed, seconds, binary=None):
        self.seed, self.seconds = seed, seconds
        self.binary = binary  # of the destination, in recipes that take any
        self.switched_off = ""  # a mechanism (KEYFERRY_TEST_FAULTS), for a negative control
        self.rng, self.log = random.Random(seed), ActionLog(seed)
        self.faults = collections.Counter()
        self.operations = 0
        self.report = None
        self.canary = "canary-" + secrets.token_hex(8)  # the servers' password
        self.points = Failpoints()
        self.the_service = None
        self._servers, self._proxies, self.writers = [], [], []

    # ---- what a recipe builds

    def redis(self, *arguments, **options):
        """A server with a password. DEBUG is allowed where that has to be said (7.0+)."""
        options.setdefault("password", self.canary)
        if "binary" not in options:
            arguments += ("--enable-debug-command", "local")
        server = RedisServer(*arguments, **options)
        self._servers.append(server)
        return server

    def proxy(self, server):
        proxy = Proxy(server.port, self.seed)
        self._proxies.append(proxy)
        return proxy

    def service(self, workers=1, **env):
        settings = {"KEYFERRY_FULL_SYNCS_PER_HOUR": "1000", "KEYFERRY_LEASE_SECONDS": "3"}
        settings.update(self.points.env, KEYFERRY_TEST_FAULTS=self.switched_off)
        settings.update(env)
        self.the_service = Service(workers=workers, env=settings)
        self.the_service.start()
        return self.the_service

    def writer(self, server, name="a", rate=1500, **options):
        writer = Writer(server.url(), self.seed, name, rate=rate, **options)
        self.writers.append(writer)
        return writer

    def fill(self, server, keys=3000, **options):
        return fill(server.url(), keys, seed=self.seed, **options)

    def start(self, source_url, destination_url, caught_up=True, **spec):
        """A job that retries soon, checked and started."""
        spec.setdefault("retry", QUICK_RETRY)
        job = self.the_service.job(source_url, destination_url, **spec)
        job.check_and_start(ignore_warnings=True)
        if caught_up:
            job.wait_caught_up(timeout=180)
            self.log("caught up")
        return job

    # ---- doing harm

    def harm(self, kind, text=None, *values):
        """A fault was done: it counts, and it is in the log."""
        self.faults[kind] += 1
        self.log(text or kind, *values)

    def until(self, share=1.0):
        """True until that share of the run's seconds has passed since the first call."""
        if not hasattr(self, "_began"):
            self._began = time.monotonic()
        return time.monotonic() - self._began < self.seconds * share

    def wait(self, condition, what, timeout=60, every=0.02):
        """Poll; what never comes true makes the run invalid."""
        deadline = time.monotonic() + timeout
        while True:
            found = condition()
            if found:
                return found
            need(time.monotonic() < deadline, "%s: not within %d s" % (what, timeout), self.log)
            time.sleep(every)

    def only(self, role):
        """The pid of a role of which there may be two for a moment."""
        (pid,) = self.wait(lambda: [pids for pids in [self.the_service.pids(role)] if len(pids) == 1],
                           "one %s alone" % role)[0]
        return pid

    def marker(self, source, destination, job=None, timeout=120):
        wait_marker(source, destination, timeout=timeout, job=job)

    # ---- the end

    def finish(self, job, source, destination, keys=1000, commands=1000, faults=1, stop=True):
        """Stop the writers, wait until everything has arrived, stop the job, compare."""
        need(sum(self.faults.values()) >= faults, "only these faults struck: %s" % dict(self.faults),
             self.log)
        acknowledged = self.stop_writers()
        self.marker(source, destination, job)
        self.log("the marker has arrived")
        check_position(job, source, destination, self.log)
        if stop:
            job.stop(timeout=180)
        self.report = chaos.verdict(source, destination, self.log, acknowledged or None, keys=keys,
                                    commands=commands)
        check_leftovers(source, destination, self.log)
        return self.report

    def finish_model_free(self, job, source, destination, keys=300):
        """As finish(), where what was flushed has taken the writers' counters along."""
        for writer in self.writers:
            writer.stop()
        self.writers.clear()
        return self.finish(job, source, destination, keys=keys)

    def stop_writers(self):
        acknowledged = [writer.stop() for writer in self.writers]
        self.operations += sum(writer["commands"] for writer in acknowledged)
        return acknowledged

    def close(self):
        """End everything. Raises when a sanitizer spoke, a process survived, or the servers'
        password stands in a log."""
        try:
            if self.the_service:
                told = [name for name, text in self.the_service.logs().items() if self.canary in text]
                self.the_service.close()
                assert not told, "the servers' password stands in %s" % told
        finally:
            for thing in self.writers + self._proxies + self._servers + [self.points]:
                thing.close()


# ---------------------------------------------------------------- further checkers


def positions(destination):
    """{key: fields} of our positions in the destination's first database."""
    client = destination.client()
    return {key.decode(): {name.decode(): value.decode() for name, value in client.hgetall(key).items()}
            for key in client.scan_iter(match="{kf}:*", count=1000)}


def check_position(job, source, destination, log):
    """One position, of this job, without an error, and not beyond what the source has sent."""
    found = {key: fields for key, fields in positions(destination).items() if job.id in key}
    problem = None
    if len(found) != 1:
        problem = "there are %d positions" % len(found)
    else:
        ((_, fields),) = found.items()
        if fields["state"] == "tail" and int(fields["off"]) > source.offset() + 1:
            problem = "the position is beyond the source's end, %d" % source.offset()
        elif fields.get("err", "0") != "0":
            problem = "the position counts errors"
    if problem:
        raise Divergence("%s: %s\n%s" % (problem, found, log))


def check_leftovers(source, destination, log):
    """No temporary key of ours, and the servers' own digest of all data agrees: a second opinion that
    shares no code with the first. It is blind for much (see compare.py) but not for the same."""
    for db in destination.counts():
        left = list(destination.client(db).scan_iter(match="*kf:tmp:*", count=1000))
        if left:
            raise Divergence("temporary keys are left in database %d: %s\n%s" % (db, left[:5], log))
    digests, until_ms = None, int(time.time() * 1000) + 60_000
    for _ in range(3):
        try:
            digests = [_digest(server, until_ms) for server in (source, destination)]
        except redis.ResponseError:
            return  # a server that refuses DEBUG has no second opinion
        if digests[0] == digests[1]:
            return
    raise Divergence("DEBUG DIGEST differs: %s\n%s" % (digests, log))


def _digest(server, until_ms):
    """Of all databases, but for our own keys and those that run out before then: they are removed."""
    for db in server.counts():
        client = server.client(db)
        pipe = client.pipeline(transaction=False)
        for key in client.scan_iter(count=1000):
            if key.startswith((b"{kf}:", b"DTS_REDIS_TIMESTAMP_HEARTBEAT")):
                pipe.delete(key)
            elif 0 <= client.pexpiretime(key) < until_ms:
                pipe.delete(key)
        pipe.execute()
    return server.client().execute_command("DEBUG", "DIGEST")


def families(service):
    """[[supervisor, its children…]] of the workers."""
    return [[pid] + processes.descendants(pid) for pid in service.pids("worker")]


from support.recipes import crash, ends, network, refusals, spool  # noqa: E402,F401  (they register themselves)
