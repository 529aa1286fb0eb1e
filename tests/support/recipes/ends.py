"""Servers that die, fail over, refuse, forget, or are changed by somebody else."""

import signal
import time

import redis

from support import processes
from support.chaos import need
from support.recipes import recipe
from support.recipes.network import full_syncs
from support.service import ApiError, Blocked


@recipe("T5", "kill -9 of a destination with AOF always, AOF everysec, or snapshots only", 180, 12)
def killed_destination(run):
    how = ("always", "everysec", "snapshots")[run.seed % 3]
    options = {"always": ("--appendonly", "yes", "--appendfsync", "always"),
               "everysec": ("--appendonly", "yes", "--appendfsync", "everysec"),
               "snapshots": ("--save", "1 1")}[how]
    source, destination = run.redis("--repl-backlog-size", "64mb"), run.redis(*options)
    run.fill(source)
    run.service()
    run.writer(source, "a")
    run.writer(source, "b")
    job = run.start(source.url(), destination.url())
    if how == "snapshots":
        run.wait(lambda: _saved(destination), "a snapshot")  # what was never saved needs a new copy
    copies, rewound = full_syncs(source), 0
    while run.until():
        time.sleep(run.rng.uniform(0.3, 3 if run.seconds > 60 else 1))
        before = _off(destination)
        destination.kill()
        time.sleep(run.rng.uniform(0, 1))
        destination.start(timeout=60)
        rewound += _off(destination, 0) < before
        run.harm("kill of a destination (%s)" % how)
        run.marker(source, destination, job)
    run.log("%d times it came back with less than it had", rewound)
    if how == "snapshots" and run.seconds > 60:
        need(rewound > 0, "the destination never forgot anything", run.log)
    run.finish(job, source, destination, faults=2)
    need(full_syncs(source) == copies, "it took another full copy", run.log)


def _saved(destination):
    try:
        return destination.client().save()
    except redis.ResponseError:
        return False  # it is at it


def _off(destination, fallback=None):
    for key in destination.client().scan_iter(match="{kf}:*", count=10_000):
        return int(destination.client().hget(key, "off"))
    return fallback


@recipe("T6", "the destination's replica, some seconds behind, takes its place", 180, 15)
def replica_takes_over(run):
    source = run.redis("--repl-backlog-size", "64mb")
    servers = [run.redis("--repl-backlog-size", "64mb") for _ in range(2)]
    run.fill(source)
    run.service()
    to_destination = run.proxy(servers[0])
    run.writer(source, "a")
    run.writer(source, "b")
    job = run.start(source.url(), servers[0].url(port=to_destination.port))
    copies, rewound = full_syncs(source), 0
    while run.until():
        master, replica = servers
        behind = run.proxy(master)
        replica.client().replicaof("127.0.0.1", behind.port)
        run.wait(lambda: replica.client().info("replication").get("master_link_status") == "up",
                 "the destination's replica")
        run.wait(lambda: _off(replica) is not None, "the position on the replica")
        behind.stall()
        time.sleep(run.rng.uniform(0.5, 2))
        lost = (_off(master) or 0) - (_off(replica) or 0)
        master.kill()
        replica.client().replicaof("NO", "ONE")
        to_destination.target = replica.port
        to_destination.cut()
        behind.close()
        rewound += lost > 0
        run.harm("failover of the destination", "failover, %d bytes of the source's stream were lost", lost)
        run.marker(source, replica, job)
        master.start(timeout=60)
        servers = [replica, master]
    need(rewound > 0, "no failover lost anything", run.log)
    run.finish(job, source, servers[0])
    need(full_syncs(source) == copies, "it took another full copy", run.log)


@recipe("T9", "the source fails over to its replica and back, under writes", 180, 15)
def source_fails_over(run):
    servers = [run.redis("--repl-backlog-size", "64mb") for _ in range(2)]
    destination = run.redis()
    run.fill(servers[0])
    run.service()
    proxy = run.proxy(servers[0])
    writers = [run.writer(servers[0], name, mix="model", failover=servers[1].url()) for name in "ab"]
    job = run.start(servers[0].url(port=proxy.port), destination.url())
    copies = sum(map(full_syncs, servers))
    servers[1].client().replicaof("127.0.0.1", servers[0].port)
    while run.until():
        master, replica = servers
        run.wait(lambda: replica.client().info("replication").get("master_link_status") == "up",
                 "the replica of the source")
        time.sleep(run.rng.uniform(0.3, 1.5))
        master.client().execute_command("FAILOVER", "TO", "127.0.0.1", replica.port, "TIMEOUT", 10_000)
        run.wait(lambda: replica.client().info("replication")["role"] == "master" and
                 master.client().info("replication")["role"] == "slave", "the failover", 15)
        proxy.target = replica.port
        proxy.cut()
        run.harm("failover of the source")
        servers = [replica, master]
        run.marker(servers[0], destination, job)
    del writers
    run.finish(job, servers[0], destination, faults=2)
    # One is the replica's own.
    need(sum(map(full_syncs, servers)) <= copies + 1, "it took another full copy", run.log)


@recipe("T10", "a source that was cut off from its replica: what only we have heard is taken back", 60, 12)
def ghost_writes(run):
    master, replica = run.redis(), run.redis()
    destination = run.redis()
    run.fill(master, 2000)
    run.service()
    to_source, between = run.proxy(master), run.proxy(master)
    writer = run.writer(master, "a")
    proxy = run.proxy(destination)
    job = run.start(master.url(port=to_source.port), destination.url(port=proxy.port))
    replica.client().replicaof("127.0.0.1", between.port)
    run.wait(lambda: replica.client().info("replication").get("master_link_status") == "up", "the replica")
    time.sleep(1)
    between.stall()
    time.sleep(2)
    run.stop_writers()
    run.writers.clear()  # what it wrote at last is lost by the source itself
    writer.close()
    run.marker(master, destination, job)
    ghosts = master.offset() - replica.client().info("replication")["slave_repl_offset"]
    need(ghosts > 1000, "nothing was heard by us only", run.log)
    master.kill()
    replica.client().replicaof("NO", "ONE")
    to_source.target = replica.port
    to_source.cut()
    run.harm("ghost writes", "%d bytes reached us only", ghosts)
    job.wait_state("blocked", timeout=30)
    attention = job.get()["attention"]
    assert attention["code"] == "needs_recopy", "%s\n%s" % (attention, run.log)
    # A person lets it be copied again, over what is there: the new copy has to remove the ghosts.
    answer = run.rng.choice(("overwrite", "flush_destination"))
    proxy.rate = 400_000
    job.resume(on_full_resync_needed=answer)
    run.log("resumed with %s", answer)
    for _ in range(run.rng.randrange(4)):
        time.sleep(run.rng.uniform(0.1, 1))
        for pid in run.the_service.pids("apply"):
            processes.send(pid, signal.SIGKILL)
            run.harm("kill in the new copy")
    proxy.rate = 0
    job.wait_caught_up(timeout=180)
    run.finish(job, replica, destination)


def _toggled(run, destination, strike, heal):
    """Strike, wait, heal, and see that everything arrives; again and again."""
    while run.until():
        time.sleep(run.rng.uniform(0.1, 0.6))
        kind = strike()
        run.harm(kind)
        time.sleep(run.rng.uniform(0.2, 5 if run.seconds > 60 else 0.8))
        heal()
        run.marker(run.source, destination, run.job)


@recipe("T15", "a destination that runs out of memory under load, and is given more", 180, 12)
def out_of_memory(run):
    run.source, destination = run.redis("--repl-backlog-size", "64mb"), run.redis()
    run.fill(run.source)
    run.service()
    run.writer(run.source, "a")
    run.writer(run.source, "b")
    run.job = run.start(run.source.url(), destination.url())
    client = destination.client()

    def strike():
        used = client.info("memory")["used_memory"]
        client.config_set("maxmemory", used - run.rng.randrange(1, 400_000))
        return "maxmemory below what is used"

    refused = destination.client().info("errorstats")
    _toggled(run, destination, strike, lambda: client.config_set("maxmemory", 0))
    after = destination.client().info("errorstats")
    run.log("errors of the destination: %s, before: %s", after, refused)
    need("errorstat_OOM" in after, "the destination refused nothing", run.log)
    run.finish(run.job, run.source, destination, faults=2)


@recipe("T21", "somebody makes a key another type on the destination", 10, 4)
def wrong_type(run):
    source, destination = run.redis(), run.redis()
    run.fill(source, 1500)
    run.service()
    run.writer(source, "a", mix="model")
    job = run.start(source.url(), destination.url())
    for db in (0, 3, 9):
        destination.client(db).set("kfw:log:a", "somebody's string")
    run.harm("a key of another type")
    began = time.monotonic()
    job.wait_state("blocked", timeout=10)
    attention = job.get()["attention"]
    run.log("blocked after %.1f s: %s", time.monotonic() - began, attention)
    assert attention["code"] == "diverged" and attention["choices"], attention
    run.stop_writers()
    need(run.operations > 100, "hardly anything was written", run.log)
    applied = [destination.client(db).get("kfw:seq:a") for db in (0, 3, 9)]
    time.sleep(1)
    assert applied == [destination.client(db).get("kfw:seq:a") for db in (0, 3, 9)], \
        "a diverged job goes on writing\n%s" % run.log
    job.act("stop", {"drain": False})
    job.wait_state("stopped")


@recipe("T22", "rights at the destination come and go between units", 60, 10)
def rights(run):
    run.source, destination = run.redis("--repl-backlog-size", "64mb"), run.redis()
    run.fill(run.source, 2000)
    run.service()
    run.writer(run.source, "a")
    admin = destination.client()
    admin.execute_command("ACL", "SETUSER", "kf", "on", ">" + run.canary, "~*", "&*", "+@all")
    run.job = run.start(run.source.url(), destination.url(user="kf:" + run.canary))
    words = ("+@all -incr", "+@all -rpush", "+@all -multi", "+@all -watch", "+@all -exec", "+@all -hset",
             "+@all -eval", "+@all -hmget")

    def heal():
        admin.execute_command("ACL", "SETUSER", "kf", "+@all")
        if run.job.get()["state"] == "blocked":
            run.job.act("resume")

    def strike():
        admin.execute_command("ACL", "SETUSER", "kf", *run.rng.choice(words).split())
        return "a right taken away"

    while run.until():
        time.sleep(run.rng.uniform(0.1, 0.5))
        run.harm(strike())
        run.wait(lambda: run.job.get()["state"] in ("blocked", "retrying"), "that it is noticed", 60)
        heal()
        run.job.wait_state("running", "retrying")
        _wait_marker_through(run, destination)
    run.finish(run.job, run.source, destination, faults=2)


def _wait_marker_through(run, destination):
    """The refusal may reach the job only after it was resumed: then it blocks once more."""
    for _ in range(4):
        try:
            run.marker(run.source, destination, run.job)
            return
        except Blocked as why:
            run.log("blocked again: %s", why.code)
            run.job.act("resume")
    run.marker(run.source, destination, run.job)


@recipe("T22b", "passwords of both ends are changed while the job runs", 30, 8)
def passwords(run):
    run.source, destination = run.redis("--repl-backlog-size", "64mb"), run.redis()
    run.fill(run.source, 2000)
    run.service()
    run.writer(run.source, "a")
    logins = {}
    for end, server in (("source", run.source), ("destination", destination)):
        server.client().execute_command("ACL", "SETUSER", "kf", "on", ">" + run.canary, "~*", "&*", "+@all")
        logins[end] = run.canary
    run.job = run.start(run.source.url(user="kf:" + run.canary), destination.url(user="kf:" + run.canary))
    turn = 0
    while run.until() or turn < 2:
        end, server = (("source", run.source), ("destination", destination))[turn % 2]
        turn += 1
        new = "%s-%d" % (run.canary, turn)
        server.client().execute_command("ACL", "SETUSER", "kf", "resetpass", ">" + new)
        victims = [c["id"] for c in server.client().client_list() if c.get("user") == "kf"]
        for victim in victims:
            try:
                server.client().client_kill_filter(_id=victim)
            except redis.ResponseError:
                pass
        run.harm("password of the %s changed" % end)
        run.wait(lambda: run.job.get()["state"] in ("blocked", "retrying"), "that it is noticed", 60)
        job = run.job.get()
        run.log("%s: %s", job["state"], (job.get("attention") or job.get("last_error") or {}).get("code"))
        try:
            run.the_service.request("PATCH", run.job.path, {end: {"url": server.url(user="kf:" + new)}})
        except ApiError as why:
            if why.problem.get("code") != "not_supported_yet":
                raise
            server.client().execute_command("ACL", "SETUSER", "kf", ">" + run.canary)
            run.log("the job cannot be told the new password yet: the old one is valid again")
        if run.job.get()["state"] == "blocked":
            run.job.act("resume")
        _wait_marker_through(run, destination)
    run.finish(run.job, run.source, destination, faults=2)


@recipe("T28", "FLUSHALL, FLUSHDB and SWAPDB on the source, with kills around them", 60, 10)
def flushes(run):
    source, destination = run.redis("--repl-backlog-size", "64mb"), run.redis()
    run.fill(source, 3000)
    run.service()
    job = run.start(source.url(), destination.url())
    client = source.client()
    while run.until():
        kind = run.rng.choice(("FLUSHALL", "FLUSHDB", "SWAPDB 0 3", "SWAPDB 3 9", "SWAPDB 0 9"))
        for number in range(run.rng.randrange(20, 200)):
            source.client(run.rng.choice((0, 3, 9))).rpush("kfw:barrier:%d" % run.rng.randrange(20), number)
        if run.rng.random() < 0.5:
            pid = run.rng.choice(run.the_service.pids("apply") or [0])
            if pid and processes.send(pid, signal.SIGKILL):
                run.harm("kill apply")
        client.execute_command(*kind.split())
        run.harm(kind)
        for number in range(run.rng.randrange(20, 200)):
            source.client(run.rng.choice((0, 3, 9))).incr("kfw:after:%d" % run.rng.randrange(20))
        run.operations += 200
        if run.rng.random() < 0.3:
            run.marker(source, destination, job)
    run.fill(source, 1500)
    run.finish(job, source, destination, faults=4)


@recipe("T16", "a destination that is told to evict: as far as the stop", 30, 8)
def evicting(run):
    source, destination = run.redis(), run.redis()
    run.fill(source, 3000)
    run.service()
    run.writer(source, "a")
    job = run.start(source.url(), destination.url())
    client = destination.client()
    client.config_set("maxmemory-policy", "allkeys-lru")
    # A few keys only: our position, which is used all the time, stays.
    pipe = client.pipeline(transaction=False)
    while client.info("stats")["evicted_keys"] == 0:
        pipe.config_set("maxmemory", client.info("memory")["used_memory"] - 2_000)
        pipe.ping().ping().config_set("maxmemory", 0).execute()
    run.harm("eviction", "%d keys were evicted", client.info("stats")["evicted_keys"])
    began = time.monotonic()
    job.wait_state("blocked", timeout=10)
    run.stop_writers()
    attention = job.get()["attention"]
    run.log("blocked after %.1f s: %s", time.monotonic() - began, attention)
    assert attention["code"] in ("diverged", "position_missing", "needs_recopy"), attention


