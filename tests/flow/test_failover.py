"""Ends that fail over: the primary is looked for anew, and what the destination lost comes again from the
spool."""

import signal
import time

import pytest
from support import chaos, processes
from support.chaos import QUICK_RETRY, ActionLog, finish, need
from support.proxy import Proxy
from support.sentinel import Group
from support.service import ApiError, has_faults, wait_marker
from support.workload import Writer, fill


class Now:
    """The server that is the primary of a group at the moment of asking, for comparisons."""

    def __init__(self, group):
        self.group = group

    def __getattr__(self, name):
        return getattr(self.group.primary, name)


def test_a_source_that_fails_over_goes_on_under_its_new_name_without_a_copy(service, redis_server):
    log = ActionLog(1)
    destination = redis_server()
    with Group(replicas=1) as group:
        fill(group.primary.url(), 2000)
        job = service.job(group.url(), destination.url(), retry=QUICK_RETRY)
        job.check_and_start(ignore_warnings=True)
        job.wait_caught_up()
        wait_marker(group.primary, destination, job=job)
        replid = group.primary.client().info("replication")["master_replid"]
        log("failing over from %s", group.primary.port)
        # Nobody writes at this moment, so the replica has all of it: a failover that loses nothing.
        group.fail_over()
        log("the primary is %s", group.primary.port)
        assert group.primary.client().info("replication")["master_replid"] != replid
        wait_marker(group.primary, destination, job=job, timeout=60)
        with Writer(group.primary.url(), rate=500) as writer:
            time.sleep(1)
            syncs = group.primary.client().info("stats")["sync_full"]
            assert syncs == 0, "the new primary was asked for a full sync\n%s" % log
            finish(job, Now(group), destination, log, [writer], commands=200)


@pytest.mark.full
def test_a_source_that_fails_over_twice_while_the_destination_is_away_needs_no_copy(
        service, redis_server):
    """The position knows the history by the name before the first."""
    destination = redis_server()
    with Group(replicas=2) as group, Proxy(destination.port) as proxy:
        fill(group.primary.url(), 500)
        job = service.job(group.url(), destination.url(port=proxy.port), retry=QUICK_RETRY)
        job.check_and_start(ignore_warnings=True)
        job.wait_caught_up()
        wait_marker(group.primary, destination, job=job)
        proxy.refuse = True
        proxy.cut()
        for number in range(2):
            group.fail_over()
            # Receive has followed: what is written now is in the spool under the new name.
            deadline = time.monotonic() + 60
            while not group.primary.client().info("replication").get("connected_slaves"):
                assert time.monotonic() < deadline, "nobody follows the new primary"
                time.sleep(0.1)
            group.primary.client().incr("counted")
            time.sleep(3)  # the other replica has it, too: a failover that loses nothing
        proxy.refuse = False
        wait_marker(group.primary, destination, job=job, timeout=60)
        assert destination.client().get("counted") == b"2"
        assert group.primary.client().info("stats")["sync_full"] == 0
        assert "spool_moved" not in str(service.logs())
        job.stop()


def evicts(server):
    """Keys that nobody of ours ever wrote go. Returns how many it counts."""
    client = server.client()
    client.config_set("maxmemory-policy", "volatile-lru")
    client.config_set("maxmemory", client.info("memory")["used_memory"] + (8 << 20))
    for number in range(120):
        client.set("old:%d" % number, b"x" * 100_000, ex=10_000)
    client.config_set("maxmemory", 0)
    client.config_set("maxmemory-policy", "noeviction")
    return client.info("stats")["evicted_keys"]


@pytest.mark.full
def test_what_a_replica_evicted_in_an_earlier_life_does_not_count_when_it_is_promoted(
        service, source):
    with Group(replicas=1, sentinels=0) as group:
        primary, replica = group.servers
        replica.client().replicaof("no", "one")
        assert evicts(replica) > 0
        replica.client().replicaof("127.0.0.1", primary.port)
        fill(source.url(), 300)
        job = service.job(source.url(), group.list_url(), retry=QUICK_RETRY)
        job.check_and_start(ignore_warnings=True)
        job.wait_caught_up()
        wait_marker(source, primary, job=job)
        key = "{kf}:%s:0" % job.id
        assert primary.client().hget(key, "evicted") == b"0"
        deadline = time.monotonic() + 30
        while replica.client().hget(key, "evicted") is None:
            assert time.monotonic() < deadline, "the replica does not follow"
            time.sleep(0.05)
        primary.kill()
        replica.client().replicaof("no", "one")
        wait_marker(source, replica, job=job, timeout=60)
        wait_marker(source, replica, job=job)  # and it goes on
        assert int(replica.client().hget(key, "evicted")) > 0
        assert evicts(replica) > 0  # but from now on it does
        source.client().set("one more", 1)
        job.wait(lambda answer: (answer["attention"] or {}).get("code") == "diverged", "diverged")
        job.act("stop", {"drain": False})
        job.wait_state("stopped")


@pytest.mark.full
def test_sentinels_with_a_login_of_their_own_are_asked_with_it(service, redis_server):
    destination = redis_server()
    with Group(replicas=1, sentinels=1, sentinel_password="sentinels-own") as group:
        fill(group.primary.url(), 500)
        end = {"url": group.url(), "sentinel": {"password": "sentinels-own"}}
        found = service.precheck(group.url(), destination.url())  # the control: without it
        assert found["state"] == "failed" and "NOAUTH" in str(found["items"]), found["items"][:4]
        job = service.job(group.url(), destination.url(), source=end, retry=QUICK_RETRY)
        shown = job.get()["source"]
        assert shown["sentinel"]["configured"] is True and "own" not in str(shown), shown
        job.check_and_start(ignore_warnings=True)
        job.wait_caught_up()
        group.fail_over()
        wait_marker(group.primary, destination, job=job)
        # Another one is patched like any login.
        job.pause()
        primary, admin = group.primary, group.sentinels[0].client()
        admin.execute_command("ACL", "SETUSER", "mover", "on", ">another", "+@all", "~*", "&*")
        admin.execute_command("ACL", "SETUSER", "default", "off")
        service.request("PATCH", job.path, {"source": {"sentinel": {"username": "mover", "password": "another"}}})
        job.resume()
        wait_marker(primary, destination, job=job)
        job.stop()


def lagging(group):
    """The replica stands still, so that it does not learn what its primary acknowledges."""
    (replica,) = group.replicas
    processes.send(replica.process.pid, signal.SIGSTOP)
    return replica


@pytest.mark.parametrize("kind", ["sentinel", pytest.param("list", marks=pytest.mark.full)])
def test_a_destination_that_fails_over_to_a_lagging_replica_gets_what_it_lost(
        service, source, kind):
    """The replica is promoted by hand, by REPLICAOF NO ONE: Sentinels would wait for one that is
    behind to answer, and a list has none."""
    log = ActionLog(1)
    with Group(replicas=1, sentinels=3 if kind == "sentinel" else 0) as group:
        primary = group.servers[0]
        replica = group.servers[1]
        url = group.url() if kind == "sentinel" else group.list_url()
        fill(source.url(), 2000)
        with Writer(source.url(), rate=1500, mix="model") as writer:
            job = service.job(source.url(), url, retry=QUICK_RETRY)
            job.check_and_start(ignore_warnings=True)
            job.wait_caught_up()
            wait_marker(source, primary, job=job)
            key = "{kf}:%s:0" % job.id
            # Cut the replica off: from here on the primary acknowledges what it never learns.
            replica.client().replicaof("127.0.0.1", "1")
            time.sleep(1.5)
            behind = int(replica.client().hget(key, "off"))
            ahead = int(primary.client().hget(key, "off"))
            need(ahead > behind, "nothing was acknowledged that is lost", log)
            log("%d bytes of the stream are lost with the primary", ahead - behind)
            replica.client().replicaof("no", "one")
            primary.kill()
            if kind == "sentinel":
                group._until(lambda: group.named() == replica.port, "the Sentinels agree", 60)
            wait_marker(source, replica, job=job, timeout=60)
            finish(job, source, replica, log, [writer])


def fails_over_to_one_that_is_far_behind(start_service, redis_server, **env):
    """60 MB are acknowledged that the replica never gets. A quarter of the smallest spool is 24 MB; the
    source's backlog is of no help. Returns how the job stands when it has seen it."""
    log = ActionLog(1)
    service = start_service(env=dict({"KEYFERRY_SPOOL_QUOTA_BYTES": str(96 << 20)}, **env))
    source = redis_server("--repl-backlog-size", "1mb")
    with Group(replicas=1, sentinels=0,
               arguments=["--client-output-buffer-limit", "replica 0 0 0"]) as group:
        primary, replica = group.servers
        job = service.job(source.url(), group.list_url(), retry=QUICK_RETRY)
        job.check_and_start(ignore_warnings=True)
        job.wait_caught_up()
        wait_marker(source, primary, job=job)
        key = "{kf}:%s:0" % job.id
        processes.send(replica.process.pid, signal.SIGSTOP)
        value = b"x" * 100_000
        for number in range(600):
            source.client().set("big:%d" % number, value)
            time.sleep(0.01)
        source.client().incr("counted")
        wait_marker(source, primary, job=job)
        time.sleep(3)  # the spool is trimmed twice a second, the destination asked each five
        ahead = int(primary.client().hget(key, "off"))
        primary.kill()
        processes.send(replica.process.pid, signal.SIGCONT)
        replica.client().replicaof("no", "one")
        behind = int(replica.client().hget(key, "off"))
        need(ahead - behind > 26 << 20, "only %d bytes were lost" % (ahead - behind), log)
        answer = job.wait(lambda job: job["state"] == "blocked"
                          or replica.client().get("counted") == b"1", "an end", 60)
        if answer["state"] != "blocked":
            finish(job, source, replica, log, keys=500)
        return answer


@pytest.mark.full
def test_the_spool_keeps_what_replicas_have_not_got(start_service, redis_server):
    answer = fails_over_to_one_that_is_far_behind(start_service, redis_server)
    assert answer["state"] != "blocked", answer["attention"]


@pytest.mark.full
@pytest.mark.skipif(not has_faults(), reason="the control needs a build with KF_FAULTS")
def test_control_a_spool_that_keeps_only_its_quarter_cannot_go_back(start_service, redis_server):
    answer = fails_over_to_one_that_is_far_behind(start_service, redis_server,
                                                  KEYFERRY_TEST_FAULTS="spool_forgets")
    assert answer["attention"]["code"] == "needs_recopy", answer["attention"]


def test_two_primaries_of_a_list_are_none(service, source, redis_server):
    one, other = redis_server(), redis_server()
    url = "redis://127.0.0.1:%d,127.0.0.1:%d" % (one.port, other.port)
    found = service.precheck(source.url(), url)
    (item,) = [i for i in found["items"] if i["result"] == "fail" and "primary" in str(i)]
    assert "both" in str(item), item
    other.client().replicaof("127.0.0.1", one.port)
    fill(source.url(), 300)
    job = service.job(source.url(), url, retry=QUICK_RETRY).check_and_start(ignore_warnings=True)
    job.wait_caught_up()
    other.client().replicaof("no", "one")
    one.client().client_kill_filter(_type="normal", skipme=True)
    job.wait(lambda job: job["state"] == "retrying" and job["retry_state"]
             and job["retry_state"]["error"]["code"] == "destination_not_ready", "a named wait")
    other.client().replicaof("127.0.0.1", one.port)
    wait_marker(source, one, job=job)
    job.stop()


@pytest.mark.full
def test_a_name_that_the_sentinels_do_not_know_is_said(service, source):
    with Group(replicas=0, sentinels=1) as group:
        url = group.url().replace("/kf", "/other")
        found = service.precheck(source.url(), url)
        assert found["state"] == "failed"
        assert any("knows no server" in str(item) for item in found["items"]), found["items"]
    with pytest.raises(ApiError) as why:
        service.job(source.url(), "redis+sentinel://127.0.0.1")
    assert why.value.status == 422
