"""What was measured to break pipelined transactions, done to the engine: refusals that come and go
under load, an old connection that is still open when the new one works, and commands that take the
scripts or the position away. `run.binary` names the destination's server."""

import signal
import time

from support import processes
from support.chaos import need
from support.recipes import recipe
from support.recipes.ends import _wait_marker_through
from support.workload import Pipe, pack


GENERATIONS = ("redis-6.0", "redis-7.0", "redis-8.0", "redis-8.6", "valkey-8.0", "valkey-8.1", "valkey-9.1")


def begin(run, rate=2000, rights="+@all"):
    """A job between a server of this machine and one of any generation, with writers who count. Where
    the server does not count its errors (before 6.2), or without the right to INFO, units are scripts."""
    run.source = run.redis("--repl-backlog-size", "64mb")
    run.destination = run.redis(binary=run.binary) if run.binary else run.redis()
    pipe = Pipe(run.source.url())
    pipe.run([pack("SET", "fill:%d" % n, "v%d" % n) for n in range(1500)])
    pipe.close()
    run.service()
    run.proxied = run.proxy(run.destination)
    for name in "ab":
        run.writer(run.source, name, rate=rate, mix="model")
    admin = run.destination.client()
    admin.execute_command("ACL", "SETUSER", "kf", "on", ">" + run.canary, "~*", *rights.split())
    run.job = run.start(run.source.url(),
                        run.destination.url(port=run.proxied.port, user="kf:" + run.canary))
    return admin


def resumed(run):
    """A refusal of rights is a person's affair: a blocked job is resumed once it is healed."""
    if run.job.get()["state"] == "blocked":
        run.job.act("resume")
    _wait_marker_through(run, run.destination)


@recipe("X1", "OOM, READONLY and missing rights, switched on and off under load", 120, 8)
def switched_refusals(run):
    admin = begin(run)
    words = OF_THE_UNIT if admin.info("server")["redis_version"].startswith("6.0") else OF_THE_UNIT + OF_THE_DATA
    _switch(run, admin, words, ("oom", "readonly", "rights"), "+@all")


@recipe("X1s", "OOM, READONLY and missing rights, where units are scripts", 60, 8)
def switched_refusals_of_scripts(run):
    # Of a script, a command of the data that is refused has failed: the job stops, as it has to.
    admin = begin(run, rights="+@all -info")
    _switch(run, admin, OF_THE_UNIT, ("oom", "readonly", "rights", "rights", "rights"), "+@all -info")


OF_THE_UNIT = ("-multi", "-exec", "-watch", "-hmget", "-hset", "-hincrby", "-select", "-eval")
OF_THE_DATA = ("-incr", "-rpush", "-append")


def _switch(run, admin, words, kinds, rights):
    while run.until():
        kind = run.rng.choice(kinds)
        for _ in range(run.rng.randrange(1, 6)):  # quickly, so that it falls between two replies
            if kind == "oom":
                admin.config_set("maxmemory", 1)
            elif kind == "readonly":
                admin.execute_command("REPLICAOF", "127.0.0.1", "1")
            else:
                admin.execute_command("ACL", "SETUSER", "kf", run.rng.choice(words))
            time.sleep(run.rng.uniform(0, 0.1))
            admin.config_set("maxmemory", 0)
            admin.execute_command("REPLICAOF", "NO", "ONE")
            admin.execute_command("ACL", "SETUSER", "kf", *rights.split())
            run.harm(kind)
            time.sleep(run.rng.uniform(0, 0.05))
        resumed(run)
    text = "".join(text for name, text in run.the_service.logs().items() if name.startswith("worker"))
    codes = {code for code in ("destination_oom", "destination_readonly", "destination_noperm")
             if "code=" + code in text}
    run.log("refusals that reached the job: %s", sorted(codes))
    need(codes, "no refusal reached the job", run.log)
    run.finish(run.job, run.source, run.destination, faults=5)


@recipe("X2", "a reconnect while the old connection is half open, with a unit in it that arrives late", 120, 8)
def late_units(run):
    begin(run)
    late = 0
    while run.until():
        apply = run.only("apply")
        run.proxied.stall(replies=run.rng.random() < 0.5)
        run.wait(run.proxied.held, "a unit on its way", 60, 0.005)
        if run.rng.random() < 0.7:
            processes.send(apply, signal.SIGKILL)
            run.harm("kill beside a half-open connection")
        else:
            run.proxied.half_open("client")
            run.harm("reconnect beside a half-open connection")
        run.the_service.wait_role("apply", timeout=30)
        _wait_marker_through(run, run.destination)
        late += run.proxied.held() > 0
        run.proxied.release()
        _wait_marker_through(run, run.destination)
    run.log("%d units arrived late", late)
    need(late > 0, "no unit arrived late", run.log)
    run.finish(run.job, run.source, run.destination, faults=2)


@recipe("X4", "SCRIPT FLUSH at the destination; FLUSHALL, FLUSHDB and SWAPDB on the source; kills", 120, 8)
def barriers(run):
    admin = begin(run, rate=300)
    for writer in run.writers:
        writer.stop()
    clients = [run.source.client(db) for db in (0, 3, 9)]
    while run.until():
        for _ in range(run.rng.randrange(5, 60)):
            client = run.rng.choice(clients)
            client.incr("kfw:n:%d" % run.rng.randrange(9))
            client.rpush("kfw:l:%d" % run.rng.randrange(9), run.operations)
            run.operations += 2
        kind = run.rng.choice(("SCRIPT FLUSH", "SCRIPT FLUSH", "FLUSHALL", "FLUSHDB", "SWAPDB 0 3", "SWAPDB 3 9",
                               "kill"))
        if kind == "kill":
            for pid in run.the_service.pids("apply"):
                processes.send(pid, signal.SIGKILL)
        elif kind.startswith("SCRIPT"):
            admin.script_flush()
        else:
            run.rng.choice(clients).execute_command(*kind.split())
        run.harm(kind)
        if run.rng.random() < 0.2:
            _wait_marker_through(run, run.destination)
    need(run.operations > 200, "%d operations" % run.operations, run.log)
    _wait_marker_through(run, run.destination)
    for turn in range(400):
        clients[turn % 3].incr("kfw:left:%d" % turn)
    run.finish_model_free(run.job, run.source, run.destination, keys=300)
