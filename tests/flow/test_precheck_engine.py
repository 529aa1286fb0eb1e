"""The precheck itself, without API and database: a `check` child is given a message and
its items are read, as a supervisor does. TLS, accounts with few rights, peers that are no
servers, and what is (not) written."""

import socket
import ssl
import threading
import time

import pytest
from support.authority import Authority
from support.check_child import check, endpoint
from support.ports import free_port
from support.sentinel import NAME, Group

@pytest.fixture
def source(redis_server):
    return redis_server()


@pytest.fixture
def destination(redis_server):
    return redis_server()


def writes(server):
    """Changes of the data since the start; a server of a test saves nothing."""
    return server.client().info("persistence")["rdb_changes_since_last_save"]


def test_stock_servers_pass_and_keep_no_trace(source, destination):
    source.client(3).set("k", 1)
    found = check(endpoint(source.port), endpoint(destination.port))
    assert found.status == 0 and found.done["type"] == "check_done"
    assert found.problems() == {}, found.worth_reading()
    assert found.done["facts"]["source"]["databases"] == [{"number": 3, "keys": 1, "expires": 0}]
    assert found.done["plan"]["source_forks"] == 1
    assert source.client().dbsize() == destination.client().dbsize() == 0
    assert source.client().info("stats")["sync_full"] == 0, "the probe of PSYNC started a sync"


def test_the_plan_counts_what_the_source_waits_before_its_snapshot_where_it_tells(source, destination):
    client = source.client()
    client.execute_command("ACL", "SETUSER", "mute", "on", "nopass", "~*", "&*", "+@all", "-config")

    def planned(user="default"):
        return check(endpoint(source.port, user=user), endpoint(destination.port)).done["plan"]

    at_once = planned()
    assert "before it sends" not in at_once["why"]
    client.config_set("repl-diskless-sync-delay", 7)
    waits = planned()
    assert waits["duration_seconds"] == at_once["duration_seconds"] + 7 and " 7 s " in waits["why"], waits
    assert planned("mute")["duration_seconds"] == at_once["duration_seconds"], "nobody has told"
    client.config_set("repl-diskless-sync", "no")  # it is for replicas without a disk that it waits
    on_disk = planned()
    assert (on_disk["duration_seconds"], on_disk["why"]) == (at_once["duration_seconds"], at_once["why"])


def test_read_only_writes_nothing_at_all(source, destination):
    found = check(endpoint(source.port), endpoint(destination.port), probe="read_only")
    assert found.problems() == {}, found.worth_reading()
    assert (writes(source), writes(destination)) == (0, 0)
    assert "cmdstat_set" not in destination.client().info("commandstats")


def test_a_destination_with_data_gets_nothing_but_the_probe_key(source, destination):
    destination.client().set("somebody's", "value")
    found = check(endpoint(source.port), endpoint(destination.port))
    assert found.problems() == {"dst.empty": "fail"}
    assert destination.client().keys() == [b"somebody's"]
    executed = set(destination.client().info("commandstats"))
    assert not executed & {"cmdstat_flushall", "cmdstat_swapdb", "cmdstat_mset", "cmdstat_rpush"}


def test_keys_of_ours_do_not_make_a_destination_full(source, destination):
    destination.client().hset("{kf}:job_X:0", "epoch", 1)
    destination.client().set("{12}kf:tmp:1", 1)
    destination.client(2).set("DTS_REDIS_TIMESTAMP_HEARTBEAT:job:0", 1)
    assert check(endpoint(source.port), endpoint(destination.port)).problems() == {}


def test_overwriting_makes_a_full_destination_a_warning(source, destination):
    destination.client(4).set("k", 1)
    found = check(endpoint(source.port), endpoint(destination.port), {"conflict_mode": "overwrite"})
    assert found.problems() == {"dst.empty": "warn"}
    assert found.items["dst.empty"]["ignorable"] is True


def test_a_copy_without_changes_warns_when_somebody_writes(source, destination):
    stop = threading.Event()

    def write():
        while not stop.is_set():
            source.client().incr("n")
            time.sleep(0.01)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        found = check(endpoint(source.port), endpoint(destination.port),
                      {"migration": {"full": True, "incremental": False}})
    finally:
        stop.set()
        writer.join()
    assert found.problems() == {"src.full_only_writes": "warn"}


# ---- accounts: (rules, the problems that are allowed, the one that must be there)

SOURCE_USERS = [
    ("+@all ~* -psync", {"src.psync_permission": "fail"}),
    ("+@all ~* -replconf", {"src.replconf_permission": "fail"}),
    ("+@all ~* -psetex", {"src.setex_permission": "warn"}),
    ("+@all ~app:*", {"src.read_permission": "warn", "src.setex_permission": "warn"}),
    # The stream of a replica needs no more than this; what is not known is said.
    ("+psync +replconf +ping", {"src.read_permission": "warn", "src.setex_permission": "warn",
                                "dst.same_instance": "warn", "dst.memory": "warn",
                                "dst.db_range": "warn"}),
]

# What nobody may ask is said so, not taken for an answer: (right, check, its result, a word of its message)
UNASKED = [("-time", "env.worker_clock", "pass", "TIME"), ("-function|list", "src.scripts", "skipped", "FUNCTION LIST"),
           ("-module|list", "src.modules", "skipped", "modules")]

DESTINATION_USERS = [
    ("+@all ~* -restore -swapdb", {"dst.permission": "fail"}, "+restore +swapdb"),
    ("+@all ~* -@write", {"dst.permission": "fail"}, "+@write"),
    ("+@all ~* -multi", {"dst.permission": "fail"}, "+@transaction"),
    ("+@all ~* -exec", {"dst.permission": "fail"}, "+exec"),
    ("+@all ~* -discard", {"dst.permission": "fail"}, "+discard"),
    ("+@all ~* -watch", {"dst.permission": "fail"}, "+watch"),
    ("+@all ~app:*", {"dst.permission": "fail"}, "~*"),
    ("+@all ~* -eval", {"dst.permission": "fail"}, "+eval"),
    ("+@read +@write +@transaction +@connection +eval +info +restore +flushdb +flushall +swapdb "
     "+function ~*", {}, None),
]


@pytest.mark.parametrize("rules, wanted", SOURCE_USERS)
def test_what_a_source_account_lacks_is_named(source, destination, rules, wanted):
    source.client().execute_command("ACL", "SETUSER", "mover", "on", ">pw", "&*", *rules.split())
    found = check(endpoint(source.port, user="mover"), endpoint(destination.port),
                  credentials={"source": {"password": "pw"}})
    assert found.problems() == wanted, found.worth_reading()
    for check_id in wanted:
        assert found.items[check_id]["remedy"], check_id


def test_what_a_source_account_may_not_ask_is_said(source, destination):
    rules = [right for right, *_ in UNASKED]
    source.client().execute_command("ACL", "SETUSER", "mover", "on", ">pw", "&*", "~*", "+@all", *rules)
    found = check(endpoint(source.port, user="mover"), endpoint(destination.port),
                  credentials={"source": {"password": "pw"}})
    assert found.problems() == {}, found.worth_reading()
    for right, check_id, result, word in UNASKED:
        item = found.items[check_id]
        assert item["result"] == result and word in item["message"], (right, item)


@pytest.mark.parametrize("rules, wanted, remedy", DESTINATION_USERS)
def test_what_a_destination_account_lacks_is_named(source, destination, rules, wanted, remedy):
    source.client().set("k", 1)
    destination.client().execute_command("ACL", "SETUSER", "mover", "on", ">pw", "&*", *rules.split())
    found = check(endpoint(source.port), endpoint(destination.port, user="mover"),
                  credentials={"destination": {"password": "pw"}})
    assert found.problems() == wanted, found.worth_reading()
    if remedy:
        assert remedy in found.items["dst.permission"]["remedy"]
    assert destination.client().dbsize() == 0
    # The remedy is a line that works: after it the account is good.
    if remedy:
        line = found.items["dst.permission"]["remedy"]
        destination.client().execute_command(*line.split())
        again = check(endpoint(source.port), endpoint(destination.port, user="mover"),
                      credentials={"destination": {"password": "pw"}})
        assert again.problems() == {}, again.worth_reading()


# ---- TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    found = Authority(tmp_path_factory.mktemp("ca"))
    found.sign("server", "IP:127.0.0.1,DNS:redis.example")
    found.sign("stranger", "DNS:other.example")
    found.sign("old", "IP:127.0.0.1", days=3)
    found.sign("client", "DNS:client")
    return found


@pytest.fixture
def tls_server(redis_server, authority):
    def start(certificate="server", client_certificates="no"):
        port = free_port()
        server = redis_server(*authority.server(port, certificate, client_certificates))
        server.tls_port = port
        return server

    return start


# (the server's certificate, how we verify, src.tls)
TLS = [
    ("server", {"ca": True}, "pass"),
    ("server", {"ca": True, "server_name": "redis.example"}, "pass"),
    ("server", {}, "fail"),
    ("server", {"ca": True, "server_name": "other.example"}, "fail"),
    ("stranger", {"ca": True}, "fail"),
    ("stranger", {"ca": True, "verify": "ca"}, "pass"),
    ("stranger", {"verify": "none"}, "warn"),
    ("old", {"ca": True}, "warn"),
]


@pytest.mark.parametrize("certificate, how, result", TLS)
def test_tls_is_verified(tls_server, destination, authority, certificate, how, result):
    server = tls_server(certificate)
    tls = {k: v for k, v in how.items() if k != "ca"}
    if "ca" in how:
        tls["ca_pem"] = authority.text("ca.crt")
    found = check(endpoint(server.tls_port, tls=tls), endpoint(destination.port))
    assert found.items["src.tls"]["result"] == result, found.worth_reading()
    assert found.problems() == ({} if result == "pass" else {"src.tls": result}), found.worth_reading()


def test_a_client_certificate_is_sent_and_its_key_is_never_shown(tls_server, destination, authority):
    server = tls_server(client_certificates="yes")
    tls = {"ca_pem": authority.text("ca.crt")}
    found = check(endpoint(server.tls_port, tls=tls), endpoint(destination.port))
    assert "fail" in (found.items["src.tls"]["result"], found.items["src.auth"]["result"])
    tls.update(client_cert_pem=authority.text("client.crt"), client_key_configured=True)
    key = {"source": {"client_key_pem": authority.text("client.key")}}
    found = check(endpoint(server.tls_port, tls=tls), endpoint(destination.port), credentials=key)
    assert found.problems() == {}, found.worth_reading()
    assert "PRIVATE" not in found.text()
    key = {"source": {"client_key_pem": authority.text("server.key")}}
    found = check(endpoint(server.tls_port, tls=tls), endpoint(destination.port), credentials=key)
    assert found.problems() == {"src.tls": "fail"}


def test_without_a_ca_the_trust_store_of_the_system_decides(tls_server, destination, authority):
    server = tls_server()
    found = check(endpoint(server.tls_port, tls={}), endpoint(destination.port),
                  env={"SSL_CERT_FILE": str(authority.folder / "ca.crt")})
    assert found.problems() == {}, found.worth_reading()


@pytest.mark.parametrize("host, server_name, asked", [
    ("localhost", None, "localhost"), ("127.0.0.1", None, None), ("127.0.0.1", "redis.example", "redis.example")])
def test_the_name_that_is_meant_is_asked_for_and_an_address_is_none(destination, authority, host, server_name, asked):
    """Behind one address there may be many servers, told apart by the name in the handshake (SNI)."""
    names = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.folder / "server.crt", authority.folder / "server.key")
    context.sni_callback = lambda sock, name, of: names.append(name)
    listener = socket.create_server(("127.0.0.1", free_port()))

    def serve():
        while True:
            try:
                peer, _ = listener.accept()
                context.wrap_socket(peer, server_side=True).close()
            except ssl.SSLError:
                pass
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    tls = {"ca_pem": authority.text("ca.crt"), "verify": "ca"}
    if server_name:
        tls["server_name"] = server_name
    check(endpoint(listener.getsockname()[1], host=host, tls=tls), endpoint(destination.port))
    listener.close()
    assert names and set(names) == {asked}, names


# ---- peers that are no servers


def silent(peer):
    time.sleep(8)


def web_server(peer):
    peer.recv(100)
    peer.sendall(b"HTTP/1.0 400 no\r\n\r\n")


def endless_bulk(peer):
    peer.recv(100)
    peer.sendall(b"$900000000\r\n")
    while True:
        peer.sendall(b"x" * 100000)


def huge_arrays(peer):
    peer.recv(100)
    peer.sendall(b"*134217728\r\n" * 10)
    time.sleep(8)


def drip(peer):
    for _ in range(80):
        peer.sendall(b"+PONG")
        time.sleep(0.1)


def always_pong(peer):
    while True:
        got = peer.recv(65536)
        if not got:
            return
        peer.sendall(b"+PONG\r\n" * max(1, got.count(b"*")))


def hangs_up(peer):
    pass


@pytest.mark.parametrize("behaviour", [silent, web_server, endless_bulk, huge_arrays, drip,
                                       always_pong, hangs_up])
def test_a_peer_that_is_no_server_is_named_in_time(destination, behaviour):
    listener = socket.socket()
    listener.bind(("127.0.0.1", free_port()))
    listener.listen(20)

    def serve():
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(peer,), daemon=True).start()

    def talk(peer):
        try:
            behaviour(peer)
        except OSError:
            pass
        peer.close()

    threading.Thread(target=serve, daemon=True).start()
    try:
        found = check(endpoint(listener.getsockname()[1]), endpoint(destination.port))
    finally:
        listener.close()
    assert found.status == 0
    assert found.problems() == {"src.auth": "fail"}, found.worth_reading()
    assert "port" in found.items["src.auth"]["remedy"]
    assert found.seconds < 30  # ten for a check, and a slow machine


def test_an_address_that_may_not_be_dialled_is_not(source, destination):
    found = check(endpoint(source.port), endpoint(80, host="169.254.169.254"))
    assert found.problems() == {"dst.connect": "fail"}
    found = check(endpoint(source.port), endpoint(destination.port),
                  env={"KEYFERRY_EGRESS_DENY": "127.0.0.0/8"})
    assert found.problems() == {"src.connect": "fail", "dst.connect": "fail"}
    assert destination.client().info("stats")["total_connections_received"] <= 3


def test_a_broken_message_is_refused(source):
    found = check({"endpoints": []}, endpoint(source.port))
    assert found.status == 1 and found.done["type"] == "error"


def test_what_sentinels_announce_is_dialled_where_the_map_says(source, destination):
    with Group(replicas=0, sentinels=1) as group:
        end = dict(endpoint(group.sentinels[0].port), topology="sentinel", sentinel={"master_name": NAME})
        announced = "127.0.0.1:%d" % group.primary.port

        def connect(**members):
            found = check(dict(end, **members), endpoint(destination.port), checks=["src.connect"])
            return found.items["src.connect"], found.done["facts"]["source"]["label"]

        assert connect()[1] == announced
        there = "127.0.0.1:%d" % source.port
        item, label = connect(address_map=[{"announced": announced, "dial": there}])
        assert item["result"] == "pass" and label == there, item
        item, _ = connect(address_map=[{"announced": "127.0.0.*", "dial": "169.254.169.254"}])
        assert item["result"] == "fail" and "may not dial" in item["message"], item
