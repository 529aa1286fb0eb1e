"""How both ends are reached: TLS with names, addresses and client certificates, unix sockets,
and servers that accept a connection and then say nothing. The verdict on the data is an
independent client's."""

import time

import pytest
from support.authority import Authority
from support.compare import compare
from support.ports import free_port
from support.proxy import Proxy
from support.service import ApiError, Service, wait_marker
from support.workload import Writer, check_model, fill

KEYS = 6000


def item(precheck, check):
    return next(i for i in precheck["items"] if i["id"] == check)


def assert_moved(source, destination, acknowledged=None, keys=KEYS):
    report = compare(source.url(), destination.url())
    assert report.equal, report
    assert report.equal_keys > keys * 0.9, report
    if acknowledged:
        assert acknowledged["commands"] > 500, acknowledged
        assert check_model(destination.url(), acknowledged) == []


def moved_under_traffic(service, source, destination, ends, while_following=None):
    """Full copy, tail and stop between `ends` = (source, destination) as a job names them."""
    fill(source.url(), KEYS)
    with Writer(source.url()) as writer:
        job = service.job("", "", source=ends[0], destination=ends[1])
        check = job.precheck()
        assert check["state"] == "passed", check
        job.act("start")
        job.wait_caught_up()
        time.sleep(0.5)
        acknowledged = writer.stop()
    wait_marker(source, destination, job=job)
    if while_following:
        while_following(job)
    job.stop()
    assert_moved(source, destination, acknowledged)
    return check


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    found = Authority(tmp_path_factory.mktemp("ca"))
    found.sign("server", "IP:127.0.0.1,DNS:redis.example,DNS:localhost")
    found.sign("client", "DNS:client")
    found.sign("expiring", "DNS:client", days=20)
    time.sleep(1.1)  # whole days that are left are one less from now on
    return found


@pytest.fixture
def tls_server(redis_server, authority):
    """Servers whose TLS port demands a client certificate."""
    def start():
        port = free_port()
        server = redis_server(*authority.server(port, client_certificates="yes"))
        server.tls_port = port
        return server

    return start


def tls_end(server, authority, host="127.0.0.1", client="client", **more):
    tls = {"ca_pem": authority.text("ca.crt"), "client_cert_pem": authority.text(client + ".crt"),
           "client_key_pem": authority.text(client + ".key")}
    return {"url": "rediss://%s:%d" % (host, server.tls_port), "tls": dict(tls, **more)}


def test_a_copy_and_its_tail_go_over_tls_at_both_ends(service, tls_server, authority):
    source, destination = tls_server(), tls_server()

    def certificates_limit(job):
        """The spool of ten GB and the memory without a limit last for longer, when nobody writes."""
        safe = job.wait(lambda j: j["safe_for"]["limited_by"] == "certificate", "the certificate's end", timeout=60)["safe_for"]
        assert 98 * 86400 < safe["seconds"] <= 100 * 86400

    # By address, and by a name that is not the one that is dialled.
    check = moved_under_traffic(service, source, destination, (
        tls_end(source, authority),
        tls_end(destination, authority, host="localhost", server_name="redis.example")), certificates_limit)
    for end in ("source", "destination"):
        assert check["facts"][end]["tls"] == {"verify": "full", "certificate_days_left": 99,
                                              "client_certificate_days_left": 99}
    assert item(check, "src.tls")["observed"] == "days left: 99, client certificate 99"


def test_certificates_that_expire_soon_are_warned_of(service, tls_server, authority, destination):
    source = tls_server()
    body = {"kind": "migration", "destination": {"url": destination.url()}}

    def precheck(client):
        answer = service.request("POST", "/v1/prechecks", dict(body, source=tls_end(source, authority, client=client)))
        return service._finished("/v1/prechecks/" + answer["id"], 60)

    found = item(precheck("expiring"), "src.tls")
    assert found["result"] == "warn" and "client certificate" in found["message"]
    assert found["threshold"] == "valid for 30 days" and found["observed"].endswith("client certificate 19")
    assert item(precheck("client"), "src.tls")["result"] == "pass"


def socket_of(redis_server):
    server = redis_server("--unixsocket", "s.sock")
    return server, str(server.directory / "s.sock")


def test_unix_sockets_are_ends_like_others(service, redis_server):
    (source, at_source), (destination, at_destination) = socket_of(redis_server), socket_of(redis_server)
    check = moved_under_traffic(service, source, destination,
                                ({"url": "unix://" + at_source},
                                 {"inline": {"endpoints": [{"host": at_destination}]}}))
    assert item(check, "src.dns")["result"] == "skipped"
    assert check["facts"]["source"]["label"] == "unix:" + at_source
    settled = service.run("settle", "unix://" + at_destination)
    assert settled.returncode == 0 and "0 expiries put right" in settled.stdout, settled.stderr


def test_a_socket_is_refused_where_the_service_is_not_told_that_it_may(start_service, redis_server):
    service = start_service(env={"KEYFERRY_EGRESS_ALLOW": "127.0.0.0/8"})
    source, path = socket_of(redis_server)
    found = service.precheck("unix://" + path, redis_server().url())
    assert item(found, "src.connect")["result"] == "fail", found
    assert "may not dial" in item(found, "src.connect")["message"]
    assert source.client().info("stats")["total_connections_received"] <= 3, "it was dialled"
    with pytest.raises(ApiError) as refused:
        service.job("unix:relative", "redis://127.0.0.1:1")
    assert refused.value.problem["errors"][0]["pointer"] == "/source/url"


def test_a_server_that_says_nothing_is_given_up_in_time(service, source, destination):
    """It accepts and is silent: as a source before TLS, before the login, and as a destination."""
    with Proxy(source.port) as dumb:
        dumb.mute = True
        for url in ("redis://127.0.0.1:%d" % dumb.port, "rediss://127.0.0.1:%d" % dumb.port):
            began = time.monotonic()
            body = {"kind": "migration", "source": {"url": url, "connect_timeout_ms": 700},
                    "destination": {"url": destination.url()}}
            answer = service.request("POST", "/v1/prechecks", body)
            found = service._finished("/v1/prechecks/" + answer["id"], 60)
            took = time.monotonic() - began
            bad = [i["id"] for i in found["items"] if i["result"] == "fail"]
            assert bad == ["src.tls" if url.startswith("rediss") else "src.auth"], found
            assert took < 15, "it took %.1f s" % took
