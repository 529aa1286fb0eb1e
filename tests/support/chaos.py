"""Faults with a seed and a log, and the scenarios that tests and negative controls share.

A scenario ends in a verdict(): exact, or Divergence with all that was found; a job that blocks
because it noticed by itself raises service.Blocked. A run that
proves nothing (too little traffic, a fault that did not happen) is Vacuous, which is an error for
a test and for a control alike.
"""

import signal
import time

from support import processes
from support.compare import compare
from support.proxy import Proxy
from support.service import wait_marker
from support.workload import Pipe, Writer, check_model, fill, pack


# Retrying sooner than the default's half a minute at most, so that many faults fit into a test.
QUICK_RETRY = {"backoff": {"initial_ms": 100, "max_ms": 1000}}


class Divergence(AssertionError):
    """The destination is not what the source is."""


class Vacuous(AssertionError):
    """The run is invalid: it could not have shown a fault."""


class ActionLog:
    """What was done when. Its text belongs into every failure."""

    def __init__(self, seed):
        self.seed, self.began, self.lines = seed, time.monotonic(), []

    def __call__(self, text, *values):
        self.lines.append("%8.3f  %s" % (time.monotonic() - self.began, text % values if values else text))

    def __str__(self):
        return "seed %s\n%s" % (self.seed, "\n".join(self.lines))


def need(condition, what, log):
    if not condition:
        raise Vacuous("INVALID run: %s\n%s" % (what, log))


def verdict(source, destination, log, acknowledged=None, keys=1000, commands=1000):
    """Raise Divergence unless both ends are equal and the writers' model holds. The caller has
    waited for the marker and stopped the job."""
    problems = []
    if acknowledged is not None:
        writers = acknowledged if isinstance(acknowledged, list) else [acknowledged]
        done = sum(writer["commands"] for writer in writers)
        need(done >= commands, "only %d commands were written" % done, log)
        need(all(n > 0 for w in writers for n in w["sequence"].values()),
             "a counter was never touched: %s" % writers, log)
        problems += check_model(destination.url(), writers)
        not_ours = check_model(source.url(), writers)
        need(not not_ours, "the model does not hold on the source: %s" % not_ours, log)
    report = compare(source.url(), destination.url())
    if not report.equal:
        problems.append(str(report))
    if problems:
        raise Divergence("\n".join(problems) + "\n" + str(log))
    need(report.equal_keys >= keys, "only %d keys were compared" % report.equal_keys, log)
    return report


def finish(job, source, destination, log, writers=(), **least):
    """Stop the writers, wait until everything has arrived, stop the job, judge."""
    acknowledged = [writer.stop() for writer in writers] or None
    wait_marker(source, destination, timeout=90, job=job)
    log("the marker has arrived")
    job.stop()
    return verdict(source, destination, log, acknowledged, **least)


def random_kills(service, job, log, rng, count, pause, roles):
    """kill -9 of `count` random processes of ours, one role at a time; starts `up` again when
    it was the one. Returns [(role, phase of the job as the API told it before)]."""
    done = []
    while len(done) < count:
        time.sleep(rng.uniform(*pause))
        answer = job.get()
        if answer["state"] in ("blocked", "failed"):
            raise AssertionError("the job is %s: %s %s\n%s" % (
                answer["state"], answer.get("attention"), answer.get("last_error"), log))
        there = {role: pids for role, pids in service.roles().items() if role in roles}
        if not there:
            continue
        role = rng.choice(sorted(there))
        pid = rng.choice(there[role])
        if not processes.send(pid, signal.SIGKILL):
            continue
        log("kill -9 %s %d in %s/%s", role, pid, answer["state"], answer.get("phase"))
        done.append((role, answer.get("phase")))
        if role == "up":
            service.process.wait(10)
            service.start()
            log("up is ready again")
    return done


# ---------------------------------------------------------------- scenarios


def _started(service, source, destination, proxy):
    job = service.job(source.url(), destination.url(port=proxy.port), retry=QUICK_RETRY)
    return job.check_and_start()


def unit_whose_reply_is_lost(service, source, destination, seed=1, rounds=4):
    """kill -9 of apply after the destination has executed a unit and before its reply arrives."""
    log = ActionLog(seed)
    fill(source.url(), 1500, seed=seed)
    hits = turns = 0
    with Proxy(destination.port, seed) as proxy, \
            Writer(source.url(), seed, rate=1500, mix="model") as writer:
        job = _started(service, source, destination, proxy)
        job.wait_caught_up()
        while turns < rounds or (hits < rounds / 2 and turns < 4 * rounds):
            turns += 1
            apply = job.wait_child("apply")
            executed = destination.calls("exec")
            proxy.stall(requests=False)
            settled, deadline = None, time.monotonic() + 5
            while settled != destination.calls("exec") and time.monotonic() < deadline:
                settled = destination.calls("exec")
                time.sleep(0.1)
            hits += settled > executed
            log("%d units after replies were held back", settled - executed)
            processes.send(apply, signal.SIGKILL)
            proxy.cut()
            job.wait_child("apply", other_than=[apply])
            wait_marker(source, destination, job=job)
        need(hits >= rounds / 2, "the reply of a unit was held in %d of %d rounds" % (hits, turns), log)
        finish(job, source, destination, log, [writer])


def _wait_held(proxy, otherwise, log):
    """A busy machine may take its time; a run in which nothing was held proves nothing."""
    deadline = time.monotonic() + 60
    while not proxy.held():
        need(time.monotonic() < deadline, otherwise, log)
        time.sleep(0.01)


def unit_that_arrives_late(service, source, destination, seed=1, rounds=4):
    """A unit stays in the network; apply is killed, its successor goes on; then it arrives."""
    log = ActionLog(seed)
    fill(source.url(), 1500, seed=seed)
    with Proxy(destination.port, seed) as proxy, \
            Writer(source.url(), seed, rate=1500, mix="model") as writer:
        job = _started(service, source, destination, proxy)
        job.wait_caught_up()
        for _ in range(rounds):
            apply = job.wait_child("apply")
            proxy.stall(replies=False)
            _wait_held(proxy, "no unit was held back", log)
            time.sleep(0.1)
            log("%d bytes of a unit held", proxy.held())
            processes.send(apply, signal.SIGKILL)
            job.wait_child("apply", other_than=[apply])
            wait_marker(source, destination, job=job)
            proxy.release()
            log("released behind its successor")
            wait_marker(source, destination, job=job)
        finish(job, source, destination, log, [writer])


def _rewrite_everything(source):
    """Change every key the copy has seen, so that whatever of it arrives late is seen; and count,
    so that a tail that is repeated from where the late part put it does not mend it unseen."""
    changed = 0
    for db in source.counts():
        client = source.client(db)
        keys = [key for key in client.scan_iter(match="fill:*", count=1000)]
        pipe = Pipe(source.url())
        pipe.run([pack("SELECT", db)])
        for i, key in enumerate(keys):
            keys[i] = (pack("DEL", key) if i % 2 else pack("SET", key, "rewritten"),
                       pack("INCR", "kfw:rewritten"))
        pipe.run([command for pair in keys for command in pair])
        pipe.close()
        changed += len(keys)
    return changed


def copy_that_arrives_late(service, source, destination, seed=1, stop=False):
    """The first unit of the copy stays in the network; its child is killed (or, with `stop`, stopped together
    with its supervisor until another worker has taken over, then continued); the copy is
    repeated, the tail changes every key; then the late part arrives."""
    log = ActionLog(seed)
    made = fill(source.url(), 12_000, seed=seed)
    with Proxy(destination.port, seed) as proxy:
        proxy.rate = 15_000  # a unit takes nine seconds: time enough to stop it half way
        job = _started(service, source, destination, proxy)
        deadline = time.monotonic() + 90
        # One connection has sent more than questions: the first unit is under way.
        while max([link.requests.moved for link in proxy.links()], default=0) < 30_000:
            need(time.monotonic() < deadline, "the copy did not begin", log)
            time.sleep(0.005)
        apply = job.wait_child("apply")
        proxy.stall(replies=False)
        _wait_held(proxy, "no part of the copy was held back", log)
        time.sleep(0.3)
        need(sum(destination.counts().values()) <= 1, "the first unit has already arrived", log)
        log("%d bytes of the copy held", proxy.held())
        stopped = []
        if stop:
            worker = int(processes.status(apply)["PPid"])
            stopped = [worker] + processes.descendants(worker)
            for pid in stopped:
                processes.send(pid, signal.SIGSTOP)
            log("stopped %s", stopped)
        else:
            processes.send(apply, signal.SIGKILL)
        proxy.rate = 0
        job.wait_child("apply", other_than=stopped or [apply])
        log("another one copies")
        wait_marker(source, destination, timeout=60, job=job)
        log("%d keys rewritten in the tail", _rewrite_everything(source))
        wait_marker(source, destination, job=job)
        proxy.release()
        # The child first: its supervisor would end it as soon as it learns of the takeover.
        for pid in reversed(stopped):
            processes.send(pid, signal.SIGCONT)
            if pid == apply:
                deadline = time.monotonic() + 5
                while processes.alive(apply) and time.monotonic() < deadline:
                    time.sleep(0.05)
        log("released%s", ", continued" if stopped else "")
        time.sleep(1)
        # Nobody writes to the source, so the destination has no reason to change any more.
        report = compare(source.url(), destination.url(), held=True)
        if not report.equal:
            raise Divergence("%s\n%s" % (report, log))
        finish(job, source, destination, log, keys=made["keys"] // 3)


def children_of_a_lost_worker(service, source, destination, seed=1):
    """A supervisor stands still until its lease has lapsed and another worker follows; its
    children live on. The network parts the stream of the first apply at the worst place: its
    unit has taken effect, and what it sends to open the next one (WATCH, the look at the position,
    MULTI) arrives when its successor has long applied the next one."""
    log = ActionLog(seed)
    fill(source.url(), 1500, seed=seed)
    with Proxy(destination.port, seed) as proxy, \
            Writer(source.url(), seed, rate=1500, mix="model") as writer:
        job = _started(service, source, destination, proxy)
        job.wait_caught_up()
        apply = job.wait_child("apply")
        supervisor = int(processes.status(apply)["PPid"])
        proxy.hold_after(b"$4\r\nEXEC\r\n")
        _wait_held(proxy, "no stream was parted behind an EXEC", log)
        time.sleep(0.3)
        processes.send(supervisor, signal.SIGSTOP)
        log("stopped supervisor %d; %d bytes of its apply %d held", supervisor, proxy.held(), apply)
        job.wait_child("apply", other_than=[apply])
        wait_marker(source, destination, job=job)
        acknowledged = [writer.stop()]
        wait_marker(source, destination, job=job)
        log("another worker has applied everything; the first apply is %s",
            "alive" if processes.alive(apply) else "gone")
        need(processes.alive(apply), "the first apply is gone before it could do harm", log)
        proxy.release()
        deadline = time.monotonic() + 60
        while processes.alive(apply) and time.monotonic() < deadline:
            time.sleep(0.05)
        alone = not processes.alive(apply)
        log("released; then the first apply is %s", "gone" if alone else "alive")
        processes.send(supervisor, signal.SIGCONT)
        time.sleep(1)
        job.stop()
        verdict(source, destination, log, acknowledged)
        if not alone:
            raise Divergence("two of them go on applying\n%s" % log)


def worker_that_is_continued(service, source, destination, seed=1, rounds=2):
    """A worker and its children are stopped with a unit in flight, another worker takes over,
    then they are continued and the unit arrives."""
    log = ActionLog(seed)
    fill(source.url(), 1500, seed=seed)
    with Proxy(destination.port, seed) as proxy, Writer(source.url(), seed, rate=1500) as writer:
        job = _started(service, source, destination, proxy)
        job.wait_caught_up()
        for _ in range(rounds):
            apply = job.wait_child("apply")
            worker = int(processes.status(apply)["PPid"])
            family = [worker] + processes.descendants(worker)
            proxy.stall(replies=False)
            _wait_held(proxy, "nothing was in flight", log)
            time.sleep(0.2)
            for pid in family:
                processes.send(pid, signal.SIGSTOP)
            log("stopped worker %d with %d bytes in flight", worker, proxy.held())
            job.wait_child("apply", other_than=family)
            wait_marker(source, destination, job=job)
            log("another worker follows")
            for pid in family:
                processes.send(pid, signal.SIGCONT)
            proxy.release()
            deadline = time.monotonic() + 60
            while len(job.pids("apply")) != 1:
                if time.monotonic() > deadline:
                    raise Divergence("two keep applying: %s\n%s" % (service.roles(), log))
                time.sleep(0.05)
            wait_marker(source, destination, job=job)
        finish(job, source, destination, log, [writer])


def sessions_that_are_renewed(service, source, destination, seed=1, expiry="held"):
    """Keys that live two seconds and are renewed every 200 ms, over a link that stands still for
    longer than they live. At the end they are given time: all must be there to take it."""
    log = ActionLog(seed)
    sessions = ["session:%d" % i for i in range(50)]
    client = source.client()
    with Proxy(destination.port, seed) as proxy:
        for key in sessions:
            client.set(key, "of a user", px=60_000)
        job = service.job(source.url(), destination.url(port=proxy.port), expiry=expiry)
        job.check_and_start(ignore_warnings=True)
        job.wait_caught_up()
        for turn in range(28):
            if turn in (2, 15):
                proxy.stall()
                log("the link stands still")
            if turn in (14, 27):
                proxy.release()
                log("the link moves again")
            pipe = client.pipeline(transaction=False)
            for key in sessions:
                pipe.pexpire(key, 2000)
            need(all(pipe.execute()), "a session ran out on the source: this machine is too slow", log)
            time.sleep(0.2)
        proxy.release()
        pipe = client.pipeline(transaction=False)
        for key in sessions:
            pipe.pexpire(key, 600_000)
        need(all(pipe.execute()), "a session ran out on the source: this machine is too slow", log)
        finish(job, source, destination, log, keys=len(sessions))
