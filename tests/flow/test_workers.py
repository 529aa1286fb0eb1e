"""Workers as whoever runs the service sees them: pools, the addresses they come from, and draining."""

import signal
import socket
import time

import pytest
from support import processes
from support.compare import compare
from support.ports import free_port
from support.service import wait_marker
from support.tenant import Tenant
from support.workload import Writer, check_model, fill


def workers(service, **query):
    return service.request("GET", "/v1/workers", params=query)["items"]


def until(condition, what, timeout=90):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def worker_of(job):
    until(lambda: job.get()["worker"], "no worker has taken the job")
    return job.get()["worker"]


def drain(service, worker):
    return service.request("POST", "/v1/workers/%s/drain" % worker, {}, expect=(202,))


def undrain(service, worker):
    return service.request("DELETE", "/v1/workers/%s/drain" % worker, expect=(200,))


def one_of(service, worker):
    return service.request("GET", "/v1/workers/" + worker)


def why(service, worker):
    return [task["stays_because"] for task in one_of(service, worker)["tasks"]]


def test_a_drained_worker_hands_over_and_none_is_lost_or_doubled(start_service, source, destination):
    service = start_service(workers=2, env={"KEYFERRY_EGRESS_ADDRESSES": "203.0.113.7 198.51.100.0/28"})
    until(lambda: len(workers(service, state="active")) == 2, "both workers are there")
    fill(source.url(), 3000)
    job = service.job(source.url(), destination.url()).check_and_start(ignore_warnings=True)
    job.wait_caught_up()
    with Writer(source.url(), rate=1500) as writer:
        for is_killed in (False, True, False):  # with writes in flight; once it dies over it, and comes back drained
            here = worker_of(job)
            shown = drain(service, here)
            assert shown["draining"] and shown["state"] in ("draining", "drained")
            assert {task["job_id"] for task in shown["tasks"]} <= {job.id}
            if is_killed:
                processes.send(shown["pid"], signal.SIGKILL)
            until(lambda: job.get()["worker"] not in (None, here), "nobody took it over")
            until(lambda: one_of(service, here)["state"] == "drained", "it still holds something")
            until(lambda: not is_killed or one_of(service, here)["pid"] != shown["pid"], "it did not come back")
            assert one_of(service, here)["tasks"] == []
            job.wait_state("running")
            wait_marker(source, destination, job=job)
            undrain(service, here)
        acknowledged = writer.stop()
    wait_marker(source, destination, job=job)
    assert check_model(destination.url(), acknowledged) == []
    sessions = [e["type"] for e in service.request(
        "GET", job.path + "/events", headers={"Accept": "application/json"})["items"]]
    assert "full_resync" not in sessions, "a handed over tail was copied again"
    # What a copy has done is on this machine's disk: it stays until it is through.
    slow = service.job(source.url(), destination.url(), conflict_mode="overwrite", throttle={
        "full": {"enabled": True, "rps": 100}}, objects={"databases": [{"source": 0, "destination": 5}]})
    job.stop()
    assert compare(source.url(), destination.url()).equal
    slow.check_and_start(ignore_warnings=True)
    slow.wait(lambda j: j["progress"]["full"]["keys_done"] > 0, "the copy moves")
    here = worker_of(slow)
    drain(service, here)
    until(lambda: why(service, here) == ["copying"], "it does not say why the copy stays")
    assert worker_of(slow) == here and slow.state == "running"
    service.request("PUT", slow.path + "/throttle", {"full": {"enabled": False}})
    slow.wait_caught_up()
    until(lambda: worker_of(slow) != here, "what was copied did not go over")
    slow.stop()
    # Who may, and who did.
    tenant = Tenant(service.url, service.key_file.read_text().strip())
    assert [w["host"] for w in tenant.ok("GET", "/v1/workers")["items"]] == [None, None]
    assert all(w["host"] == socket.gethostname() for w in workers(service))
    for method in ("POST", "DELETE"):
        assert tenant.call(method, "/v1/workers/%s/drain" % here, {}).status_code == 403
    assert tenant.call("GET", "/v1/workers/" + here).status_code == 403
    service.request("POST", "/v1/workers/worker_%s/drain" % ("0" * 26), {}, expect=(404,))
    audit = service.request("GET", "/v1/audit?object=" + here)["items"]
    assert audit and audit[0]["after"] == {"draining": True} and audit[0]["before"] == {"draining": False}
    # What was configured is what users are told.
    (pool,) = service.request("GET", "/v1/egress-addresses?pool=shared")["items"]
    assert {(a["address"], a["source"]) for a in pool["addresses"]} == {
        ("203.0.113.7", "configured"), ("198.51.100.0/28", "configured")}
    assert pool["workers"] == 2 and tenant.ok("GET", "/v1/egress-addresses")["items"] == [pool]


def test_a_drained_worker_that_is_alone_keeps_its_tasks_and_takes_no_more(start_service, source, destination):
    service = start_service()  # where nobody else's tasks are
    job = service.job(source.url(), destination.url()).check_and_start(ignore_warnings=True)
    job.wait_caught_up()
    here = worker_of(job)
    drain(service, here)
    try:
        until(lambda: why(service, here) == ["no_place"], "it does not say that there is no place")
        wait_marker(source, destination, job=job)
        (pool,) = service.request("GET", "/v1/worker-pools?pool=shared")["items"]
        assert pool["workers_draining"] == pool["workers_alive"] == 1 and pool["tasks_max"] == 0
        assert [w["state"] for w in pool["workers"]] == ["draining"] and pool["tasks_held"] == 1
        waiting = service.request("POST", "/v1/connectivity-tests", {"source": {"url": source.url()}})
        time.sleep(2.5)  # longer than a worker waits between two looks
        found = service.request("GET", "/v1/connectivity-tests/" + waiting["id"])
        assert found["state"] == "running" and not any(end["steps"] for end in found["ends"]), found
    finally:
        undrain(service, here)
    until(lambda: service.request("GET", "/v1/connectivity-tests/" + waiting["id"])["state"] == "passed",
          "what waited was not taken up")
    assert worker_of(job) == here and one_of(service, here)["state"] == "active"
    job.stop()


def kernel_source(family, remote):
    """What this machine's kernel would put on a packet to there; None without a way."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((remote, 9))
        except OSError:
            return None
        return probe.getsockname()[0]


def test_r_126_the_addresses_to_let_in_are_listed_and_a_failure_names_them(service):
    (pool,) = service.request("GET", "/v1/egress-addresses")["items"]
    listed = {a["address"] for a in pool["addresses"]}
    assert {a["source"] for a in pool["addresses"]} <= {"kernel"}
    # Other places than the service asks about: what it says must hold for them, too.
    expected = {kernel_source(socket.AF_INET, "198.51.100.200"), kernel_source(socket.AF_INET6, "2001:db8:7::1")}
    expected -= {None}
    assert expected <= listed
    assert not [a for a in listed if a.startswith(("127.", "169.254.", "fe80")) or a == "::1"]
    if not listed:
        pytest.skip("this machine has no way to anywhere")
    test = service.ask("/v1/connectivity-tests", {"source": {"url": "redis://127.0.0.1:%d" % free_port()}})
    (remedy,) = [s["remedy"] for s in test["ends"][0]["steps"] if s["step"] == "connect"]
    assert all(address in remedy for address in listed) and "/v1/egress-addresses" in remedy


def test_r_127_a_server_of_ones_own_is_tested_again_once_the_addresses_are_let_in(service, source):
    """The dialog's three parts: the list, the test that fails, the test that passes."""
    assert service.request("GET", "/v1/egress-addresses")["items"]
    client = source.client()
    client.config_set("maxclients", 1)  # our own connection is the one it has room for
    body = {"source": {"url": source.url()}}
    shut = service.ask("/v1/connectivity-tests", body)
    assert shut["state"] == "failed" and [s for s in shut["ends"][0]["steps"] if s["result"] == "fail"]
    client.config_set("maxclients", 100)
    let_in = service.ask("/v1/connectivity-tests", body)
    assert let_in["state"] == "passed", let_in
