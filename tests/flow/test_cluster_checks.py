"""The precheck of clusters: every check that is about one, where it passes and where it does not,
on real clusters of three shards. One pair is shared; each case takes back what it did."""

import contextlib
import signal

import pytest
from support.authority import Authority
from support.check_child import check, endpoint
from support.cluster import Cluster, _Node, slot_of, together
from support.ports import free_port
from support.redis_fixture import RedisServer
from support.zoo_servers import NAMES, zoo_servers

BIG = "x" * 1_000_000
MOVER = "on >pw ~* &* +@all"


@pytest.fixture(scope="module")
def zoo(request):
    return zoo_servers(300 if request.config.getoption("--full") else 30)


@pytest.fixture(scope="module")
def pair():
    with together(Cluster.plan(), Cluster.plan()) as clusters:
        yield clusters


@pytest.fixture
def case(pair):
    with contextlib.ExitStack() as stack:
        yield Case(pair, stack)


class Case:
    """The pair and what is said about it; what `undo` is given is done at the end."""

    def __init__(self, pair, stack):
        self.source, self.destination = pair
        self.stack, self.members = stack, {}
        self.ends = {"source": self.source.endpoint(), "destination": self.destination.endpoint()}

    def undo(self, cluster, i, *words):
        self.stack.callback(cluster.servers[i].say, *words)

    def config(self, cluster, i, name, value):
        was = cluster.servers[i].client().config_get(name)[name]
        cluster.servers[i].client().config_set(name, value)
        self.undo(cluster, i, "CONFIG", "SET", name, was)

    def put(self, cluster, key, value):
        cluster.set(key, value)
        self.stack.callback(cluster.client(key).delete, key)

    def mover(self, end, rules, at):
        """An account on every shard; `rules` more for it on one of them."""
        cluster = getattr(self, end)
        for i in range(3):
            cluster.servers[i].say("ACL", "SETUSER", "mover", *MOVER.split(), *(rules.split() if i == at else []))
            self.undo(cluster, i, "ACL", "DELUSER", "mover")
        self.ends[end]["auth"] = {"username": "mover", "configured": True}
        self.members.setdefault("credentials", {})[end] = {"password": "pw"}

    def single(self, end):
        server = self.stack.enter_context(RedisServer())
        self.ends[end] = endpoint(server.port)
        return server

    def run(self, *ids, **members):
        options = dict(self.members, **members)
        if ids:
            options["checks"] = list(ids)
        found = check(self.ends["source"], self.ends["destination"], **options)
        assert found.status == 0, found.done
        return found


def writes(cluster):
    return [s.client().info("persistence")["rdb_changes_since_last_save"] for s in cluster.servers]


def test_a_healthy_pair_of_three_shards_each_passes_in_less_than_five_seconds(case):
    case.put(case.source, "a", 1)
    case.put(case.source, "b", 2)
    found = case.run()
    for _ in range(3):  # a busy machine may need more, but not always
        found = case.run() if found.seconds >= 5 else found
    assert found.problems() == {}, found.worth_reading()
    assert found.seconds < 5
    facts = found.done["facts"]
    for end, cluster in (("source", case.source), ("destination", case.destination)):
        assert facts[end]["topology"] == "cluster" and facts[end]["slots_covered"] == 16384
        assert {(s["shard"], s["slots"]) for s in facts[end]["shards"]} == {
            (cluster.name(i), "%d-%d" % cluster.ranges[i]) for i in range(3)}
    assert facts["source"]["keys"] == 2 and facts["destination"]["keys"] == 0
    assert found.done["plan"] is None  # moving it is not built
    assert facts["probe_keys"] > 0 and case.destination.keys() == 0 and case.source.keys() == 2
    assert [s.client().info("stats")["sync_full"] for s in case.source.servers] == [0, 0, 0]


def test_read_only_writes_nothing_on_any_shard(case):
    before = writes(case.source), writes(case.destination)
    assert case.run(probe="read_only").problems() == {}
    assert (writes(case.source), writes(case.destination)) == before


def moving(end):
    def make(c):
        cluster = getattr(c, end)
        cluster.servers[0].say("CLUSTER", "SETSLOT", 7, "MIGRATING", cluster.node_id(1))
        c.undo(cluster, 0, "CLUSTER", "SETSLOT", 7, "STABLE")
    return make


def nobodys(end):
    def make(c):
        cluster = getattr(c, end)
        for i in range(3):
            c.config(cluster, i, "cluster-require-full-coverage", "no")
        cluster.each("CLUSTER", "DELSLOTS", cluster.ranges[2][1])
        c.stack.callback(cluster.until, lambda: all("cluster_slots_ok:16384" in str(a)
                                                   for a in cluster.each("CLUSTER", "INFO")), "all slots are served")
        c.undo(cluster, 2, "CLUSTER", "ADDSLOTS", cluster.ranges[2][1])
    return make


def no_room_on_one(c):
    for i in range(6):
        c.put(c.source, "{%d}big" % i, BIG)
    c.config(c.destination, 1, "maxmemory", "1mb")


def multi_key_source(c):
    server = c.single("source")
    server.client().mset({"a": 1, "b": 2})


def quiet_single_source(c):
    c.single("source").client().set("a", 1)


def databases_of_source(c):
    c.single("source").client(3).set("a", 1)


def config(end, name, value):
    return lambda c: c.config(getattr(c, end), 1, name, value)


def mover(end, rules):
    return lambda c: c.mover(end, rules, 1)


def member_as_server(end):
    return lambda c: c.ends.update({end: endpoint(getattr(c, end).servers[0].port)})


def server_as_member(end):
    def make(c):
        server = c.single(end)
        c.ends[end] = dict(endpoint(server.port), topology="cluster")
    return make


def may_not_ask(end):
    def make(c):
        cluster = getattr(c, end)
        c.mover(end, "", None)
        for i in range(3):
            cluster.servers[i].say("ACL", "SETUSER", "mover", "-cluster")
    return make


def same_cluster(c):
    c.ends["destination"] = c.source.endpoint(seeds=[2])


# what: the check, how it comes about, the result, the shard's place (None: the end as a whole)
CASES = {
    "a slot of the source is on its way": ("src.topology", moving("source"), "fail", 0),
    "a slot of the source is nobody's": ("src.topology", nobodys("source"), "fail", None),
    "a server is named as a source cluster": ("src.topology", server_as_member("source"), "fail", None),
    "a member is named as a source server": ("src.topology", member_as_server("source"), "fail", None),
    "the account may not ask for the source's shards": ("src.topology", may_not_ask("source"), "fail", None),
    "a slot of the destination is on its way": ("dst.cluster_health", moving("destination"), "warn", 0),
    "a slot of the destination is nobody's": ("dst.cluster_health", nobodys("destination"), "fail", None),
    "a member is named as a destination server": ("dst.writable", member_as_server("destination"), "fail", None),
    "one shard has no room": ("dst.memory", no_room_on_one, "fail", 1),
    "one shard evicts": ("dst.eviction", config("destination", "maxmemory-policy", "allkeys-lru"), "warn", 1),
    "one shard wants a replica": ("dst.writable", config("destination", "min-replicas-to-write", "1"), "fail", 1),
    "one shard does not let us RESTORE": ("dst.permission", mover("destination", "-restore"), "fail", 1),
    "one shard does not let us PSYNC": ("src.psync_permission", mover("source", "-psync"), "fail", 1),
    "one shard does not let us PSETEX": ("src.setex_permission", mover("source", "-psetex"), "warn", 1),
    "one shard cuts slow replicas at once": ("src.repl_timeout", config("source", "repl-timeout", "5"), "warn", 1),
    "both ends are one cluster": ("dst.same_instance", same_cluster, "fail", 0),
    "a source that used MSET": ("dst.cross_slot", multi_key_source, "warn", None),
    "a source with database 3": ("dst.db_range", databases_of_source, "fail", None),
}
PASSES = {"dst.cross_slot": quiet_single_source}


@pytest.mark.parametrize("what", CASES)
def test_it_does_not_pass_where(case, what):
    check_id, make, result, shard = CASES[what]
    make(case)
    item = case.run(check_id).items[check_id]
    assert item["result"] == result, item
    end = case.source if check_id.startswith("src.") or make is same_cluster else case.destination
    if shard is None:
        assert item["shard"] is None, item
    else:
        assert item["shard"] == end.name(shard) and end.name(shard) in item["message"], item
    assert item["remedy"], item


def test_each_of_these_checks_passes_on_the_healthy_pair(case):
    ids = sorted({row[0] for row in CASES.values()} - set(PASSES))
    found = case.run(*ids)
    assert {i: item["result"] for i, item in found.items.items()} == dict.fromkeys(ids, "pass"), found.items


@pytest.mark.parametrize("check_id", PASSES)
def test_it_passes_where_nothing_is_wrong(case, check_id):
    PASSES[check_id](case)
    item = case.run(check_id).items[check_id]
    assert item["result"] == "pass" and not item["remedy"], item


def test_a_key_on_one_shard_makes_the_destination_full(case):
    case.put(case.destination, "somebody's", 1)
    item = case.run("dst.empty").items["dst.empty"]
    shard = case.destination.name(case.destination.owner("somebody's"))
    assert item["result"] == "fail" and item["shard"] == shard and shard in item["message"], item


def test_a_shard_that_stands_still_costs_its_time_once_and_the_others_are_checked(case):
    process = case.destination.servers[2].process
    process.send_signal(signal.SIGSTOP)
    case.stack.callback(case.destination.wait)
    case.stack.callback(process.send_signal, signal.SIGCONT)
    case.ends["destination"] = case.destination.endpoint(seeds=[0], connect_timeout_ms=700)
    found = case.run()
    assert found.seconds < 30
    name = case.destination.name(2)
    for check_id in ("dst.auth", "dst.cluster_health"):
        assert found.items[check_id]["result"] == "fail" and found.items[check_id]["shard"] == name, found.items
    assert found.items["dst.eviction"]["result"] == "pass"
    shards = {s["shard"]: s["reachable"] for s in found.done["facts"]["destination"]["shards"]}
    assert shards == {case.destination.name(0): True, case.destination.name(1): True, name: False}


def announce(c, names):
    """Members tell clients these names; among themselves they go on as before."""
    for i, name in enumerate(names):
        c.config(c.source, i, "cluster-announce-hostname", name)
        c.config(c.source, i, "cluster-preferred-endpoint-type", "hostname")
    c.source.until(lambda: all(name in str(answer) for name in names
                               for answer in c.source.each("CLUSTER", "SLOTS")), "the names are known")


def test_announced_addresses_are_dialled_where_the_map_says(case):
    announce(case, ["shard-%d.inside.invalid" % i for i in range(3)])
    found = case.run("src.dns", "src.connect", "src.topology")
    assert {i["result"] for i in found.items.values()} == {"fail", "skipped"} or \
        found.items["src.dns"]["result"] == "fail", found.items
    case.ends["source"]["address_map"] = [
        {"announced": "shard-0.inside.invalid:%d" % case.source.servers[0].port,
         "dial": "127.0.0.1:%d" % case.source.servers[0].port},
        {"announced": "shard-*", "dial": "127.0.0.1"}]
    found = case.run("src.dns", "src.connect", "src.topology")
    assert found.problems() == {}, found.worth_reading()
    assert all("shard-" in s["shard"] and s["reachable"] for s in found.done["facts"]["source"]["shards"])


def test_an_announced_address_that_may_not_be_dialled_is_not(case):
    announce(case, ["169.254.169.254"] * 3)
    found = case.run("src.connect", "src.topology")
    item = found.items["src.connect"]
    assert item["result"] == "fail" and "may not dial" in item["message"], item
    # What the map says is held to the same rules.
    case.ends["source"]["address_map"] = [{"announced": "*", "dial": "169.254.169.254"}]
    item = case.run("src.connect").items["src.connect"]
    assert item["result"] == "fail" and "may not dial" in item["message"], item


def test_one_of_the_addresses_is_enough(case):
    case.ends["source"]["endpoints"].insert(0, {"host": "127.0.0.1", "port": free_port()})
    assert case.run("src.connect", "src.topology").problems() == {}


@pytest.mark.full
def test_a_cluster_that_speaks_tls_is_checked_on_every_shard(tmp_path, case):
    authority = Authority(tmp_path)
    authority.sign("server", "IP:127.0.0.1")

    class TlsNode(_Node):
        """Plain for the test, TLS for everybody else."""
        def start(self, timeout=15):
            self.tls = free_port()
            return super().start(timeout)

        def start_command(self, command, timeout):
            return super().start_command(command + list(authority.server(self.tls)) + [
                "--tls-cluster", "yes"], timeout)

    with Cluster(node=TlsNode) as cluster:
        case.ends["source"] = {"endpoints": [{"host": "127.0.0.1", "port": cluster.servers[0].tls}],
                               "topology": "cluster", "connect_timeout_ms": 5000,
                               "tls": {"enabled": True, "ca_pem": authority.text("ca.crt")}}
        found = case.run()
        assert found.problems() == {}, found.worth_reading()
        assert {s["shard"] for s in found.done["facts"]["source"]["shards"]} == {
            "127.0.0.1:%d" % s.tls for s in cluster.servers}
        # Without the authority none of them is trusted.
        del case.ends["source"]["tls"]["ca_pem"]
        assert case.run("src.tls").items["src.tls"]["result"] == "fail"


@pytest.mark.full
@pytest.mark.parametrize("name", NAMES)
def test_a_healthy_cluster_of_every_version_passes(zoo, name):
    with together(Cluster.plan(binary=zoo[name], replicas=1), Cluster.plan(binary=zoo[name])) as (source, destination):
        source.set("a", 1)
        found = check(source.endpoint(), destination.endpoint())
        assert found.problems() == ({"dst.error_seal": "warn"} if name == "redis-6.0" else {}), found.worth_reading()
        assert sum(s["replicas"] for s in found.done["facts"]["source"]["shards"]) == 3
        source.replicas[1].kill()
        source.until(lambda: "fail" in str(source.servers[0].say("CLUSTER", "NODES")), "the loss is seen")
        item = check(source.endpoint(), destination.endpoint(), checks=["src.topology"]).items["src.topology"]
        assert item["result"] == "warn" and item["shard"] == source.name(1), item


@pytest.mark.full
def test_a_shard_that_has_no_replica_or_has_failed_is_named(case):
    with Cluster(replicas=1) as cluster:
        case.ends["destination"] = cluster.endpoint(seeds=[0])

        def health():
            return case.run("dst.cluster_health").items["dst.cluster_health"]

        assert health()["result"] == "pass"
        cluster.replicas[2].say("CLUSTER", "REPLICATE", cluster.node_id(0))
        cluster.until(lambda: "has no replica" in health()["message"], "its replica is another's")
        item = health()
        assert (item["result"], item["shard"]) == ("warn", cluster.name(2)), item
        cluster.servers[2].kill()
        cluster.until(lambda: "for failed" in health()["message"], "the others have seen it fail")
        item = health()
        assert (item["result"], item["shard"]) == ("fail", cluster.name(2)), item


@pytest.mark.full
@pytest.mark.parametrize("name", ["redis-8.6", "valkey-9.1"])
def test_slots_that_servers_move_by_themselves_are_seen(zoo, case, name):
    """Redis 8.4 and Valkey 9 leave no mark of it in CLUSTER NODES."""
    with Cluster(binary=zoo[name]) as cluster:
        case.ends["source"] = cluster.endpoint()
        first = cluster.servers[0]
        pipe = first.client().pipeline(transaction=False)
        for i in range(300):
            pipe.set("{%s}%d" % ("3560", i), i)  # a slot below 1000
        assert slot_of("{3560}") < 1000
        pipe.execute()
        cluster.each("CONFIG", "SET", "rdb-key-save-delay", "20000")  # six seconds of snapshot
        if name.startswith("redis"):
            cluster.servers[1].say("CLUSTER", "MIGRATION", "IMPORT", 0, 999)
        else:
            first.say("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", 0, 999, "NODE", cluster.node_id(1))
        item = case.run("src.topology").items["src.topology"]
        assert item["result"] == "fail" and "migrations of slots" in item["message"], item

        def topology():
            return case.run("src.topology").items["src.topology"]

        cluster.until(lambda: topology()["result"] == "pass", "the move is over")
        assert "3 shards" in topology()["message"]


@pytest.mark.full
def test_shards_of_different_versions_are_told(zoo, case):
    with Cluster(binaries=[zoo["redis-7.0"], zoo["redis-7.0"], zoo["redis-8.0"]]) as mixed:
        case.ends["source"] = mixed.endpoint()
        item = case.run("src.topology").items["src.topology"]
        assert item["result"] == "warn" and "different versions" in item["message"], item


# ---- through the service: what can be checked cannot be started yet


def test_a_job_between_clusters_is_checked_and_says_that_it_cannot_be_started_yet(service, pair):
    source, destination = pair
    job = service.job(source.url(), destination.url())
    assert job.state == "configured"
    found = job.precheck()
    assert found["state"] == "passed" and found["plan"] is None, found
    assert found["facts"]["source"]["shard_count"] == 3
    for action, body in (("start", {}), ("purchase", {"instance_class": "small"})):
        refused = service.request("POST", "%s/%s" % (job.path, action), body, expect=(422,))
        assert refused["code"] == "not_supported_yet" and "not built yet" in refused["detail"], refused
    view = job.get()
    assert not {"start", "purchase"} & set(view["allowed_actions"])
    reasons = {b["action"]: b["reason"] for b in view["blocked_actions"]}
    assert "clusters" in reasons["start"] and reasons["purchase"] == reasons["start"]
    assert view["state"] == "precheck_passed"
    # The same for one end alone.
    single = service.job("redis://127.0.0.1:1", destination.url())
    refused = service.request("POST", single.path + "/start", {}, expect=(422,))
    assert refused["code"] == "not_supported_yet" and "destination" in refused["detail"], refused


@pytest.mark.full
def test_a_started_job_does_not_become_one_of_a_cluster(service, pair):
    with RedisServer() as source, RedisServer() as destination:
        job = service.job(source.url(), destination.url())
        job.check_and_start()
        job.wait_caught_up()
        job.pause()
        refused = service.request("PATCH", job.path, {"destination": {"url": pair[1].url()}}, expect=(422,))
        assert refused["code"] == "not_supported_yet", refused
        job.stop(drain=False)


def wait_here(service, path, body):
    return service.request("POST", path, body, headers={"Prefer": "wait=20"})


def test_a_cluster_is_discovered_tested_and_registered(service, pair):
    source, destination = pair
    source.set("user:1", 1)
    found = wait_here(service, "/v1/discover", {"endpoint": {"url": source.url(seeds=[1])}})
    assert found["state"] == "done" and found["problems"] == [], found
    assert found["facts"]["topology"] == "cluster" and found["facts"]["sample"]["keys"] == 1
    assert {s["shard"] for s in found["facts"]["shards"]} == {source.name(i) for i in range(3)}
    assert found["rights"] == {"replicate": True, "read": True, "write": True}
    tested = wait_here(service, "/v1/connectivity-tests", {
        "source": {"url": source.url()}, "destination": {"inline": destination.endpoint()}})
    assert tested["state"] == "passed", tested
    assert {s["step"]: s["result"] for s in tested["ends"][1]["steps"]}["topology"] == "pass", tested
    alone = wait_here(service, "/v1/prechecks", {
        "source": {"url": source.url()}, "destination": {"url": destination.url()}, "probe": "read_only"})
    assert alone["state"] == "passed", alone
    instance = service.request("POST", "/v1/instances", {"name": "a cluster", "endpoint": {"url": source.url()}})
    known = wait_here(service, "/v1/instances/%s/discover" % instance["id"], {})
    source.until(lambda: service.request("GET", "/v1/instances/" + instance["id"])["facts"], "it was looked at")
    known = service.request("GET", "/v1/instances/" + instance["id"])
    assert known["facts"]["topology"] == "cluster" and known["facts"]["shard_count"] == 3, known
    source.client("user:1").delete("user:1")


@pytest.mark.full
def test_a_new_password_is_taken_when_it_is_good_on_every_shard(service, case):
    case.mover("source", "", None)
    servers = case.source.servers
    instance = service.request("POST", "/v1/instances", {
        "name": "rotated", "endpoint": {"url": case.source.url(user="mover:pw", seeds=[0])}})
    path = "/v1/instances/" + instance["id"]
    outcomes = []
    for changed in (servers[:2], servers[2:]):
        for server in changed:
            server.say("ACL", "SETUSER", "mover", "resetpass", ">new")
        service.request("POST", path + "/rotate-secret", {"auth": {"username": "mover", "password": "new"}})
        case.source.until(lambda: service.request("GET", path)["work"]["state"] in ("done", "failed"), "it was tried")
        outcomes.append(service.request("GET", path)["work"]["state"])
    assert outcomes == ["failed", "done"]


@pytest.mark.full
def test_the_command_line_checks_clusters_and_refuses_to_migrate_them(service, pair):
    source, destination = pair
    checked = service.run("precheck", source.url(), destination.url())
    assert checked.returncode == 0 and "cluster of 3 shards" in checked.stdout, checked
    refused = service.run("migrate", source.url(), destination.url())
    assert refused.returncode != 0 and "not built yet" in refused.stdout + refused.stderr, refused
    settled = service.run("settle", destination.url())
    assert settled.returncode != 0 and "not built yet" in settled.stderr, settled


@pytest.mark.parametrize("name", ["redis-7.0"] + [
    pytest.param(name, marks=pytest.mark.full) for name in NAMES if name not in ("redis-7.0", "redis-6.0")])
def test_the_account_for_clusters_is_enough_on_every_shard(service, zoo, pair, request, name):
    """Made as GET /v1/acl prints it; nothing is skipped for want of a right."""
    with contextlib.ExitStack() as stack:
        clusters = pair if name == "redis-7.0" else stack.enter_context(
            together(Cluster.plan(binary=zoo[name]), Cluster.plan(binary=zoo[name])))
        ends = []
        for role, cluster in zip(("source", "destination"), clusters):
            info = cluster.servers[0].client().info("server")
            line = service.request("GET", "/v1/acl?role=%s&topology=cluster&read_mode=psync&user=clusters&version=%s" % (
                role, info.get("valkey_version", info["redis_version"])))["line"].replace("PASSWORD", "pw")
            for server in cluster.servers:
                assert server.say(*line.split()) in (b"OK", "OK", True)
                stack.callback(server.say, "ACL", "DELUSER", "clusters")
            ends.append(dict(cluster.endpoint(), auth={"username": "clusters", "configured": True}))
        found = check(*ends, credentials={e: {"password": "pw"} for e in ("source", "destination")})
        assert found.problems() == {}, found.worth_reading()
        assert not [i for i in found.items.values() if i["result"] == "skipped" and "may not" in i["message"]]
        refused = [entry for cluster in clusters for server in cluster.servers
                   for entry in server.say("ACL", "LOG") if b"clusters" in str(entry).encode()]
        assert not refused, refused
