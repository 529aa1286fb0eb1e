"""Passwords are rotated and servers move: a job that waits for it goes on by itself, where it was."""

import os
import time

import pytest
from support.chaos import QUICK_RETRY
from support.compare import compare
from support.proxy import Proxy
from support.service import ApiError, wait_marker
from support.workload import Writer, fill


def rotate(server, password):
    """Another password, and everybody has to log in again."""
    client = server.client()
    client.config_set("requirepass", password)
    server.password = password
    server.client().client_kill_filter(_type="normal", skipme=True)
    server.client().client_kill_filter(_type="slave", skipme=True)


def patch(job, **members):
    return job.service.request("PATCH", job.path, members)


def refused(job, **members):
    with pytest.raises(ApiError) as why:
        patch(job, **members)
    return why.value.status, why.value.problem["code"]


@pytest.fixture
def job(service, source, destination):
    fill(source.url(), 500)
    job = service.job(source.url(), destination.url(), retry=QUICK_RETRY).check_and_start()
    job.wait_caught_up()
    wait_marker(source, destination, job=job)
    return job


@pytest.mark.parametrize("end", ["source", "destination"])
def test_a_rotated_password_is_patched_and_the_job_goes_on_by_itself(
        job, source, destination, end):
    server = {"source": source, "destination": destination}[end]
    rotate(server, "changed")
    answer = job.wait_state("blocked")
    assert answer["attention"]["code"] == end + "_auth_failed", answer["attention"]
    source.client().set("written", "meanwhile")
    answer = patch(job, **{end: {"auth": {"password": "changed"}}})
    assert "changed" not in str(answer)
    job.wait_state("running")
    wait_marker(source, destination, job=job)
    assert source.client().info("stats")["sync_full"] == 1
    job.stop()
    report = compare(source.url(), destination.url())
    assert report.equal and destination.client().get("written") == b"meanwhile", report


def test_a_change_can_be_tried_before_it_is_made(job, source, destination):
    job.pause()
    path = job.path + "?dry_run=true"
    destination.client().config_set("requirepass", "changed")
    destination.password = "changed"
    for password, state in (("wrong", "failed"), ("changed", "passed")):
        test = job.service.request("PATCH", path, {"destination": {"auth": {"password": password}}},
                                   headers={"Prefer": "wait=20"})
        assert test["state"] == state, test
    before = job.get()
    assert before["destination"]["auth"]["configured"] is False, before["destination"]
    patch(job, destination={"auth": {"password": "changed"}})
    job.resume()
    wait_marker(source, destination, job=job)
    job.stop()


def test_a_server_that_moved_is_patched_while_it_is_retried(service, source, destination):
    fill(source.url(), 500)
    with Proxy(destination.port) as proxy:
        job = service.job(source.url(), destination.url(port=proxy.port),
                          retry={"backoff": {"initial_ms": 60000, "max_ms": 300000}})
        job.check_and_start()
        job.wait_caught_up()
        wait_marker(source, destination, job=job)
        proxy.refuse = True
        proxy.cut()
        job.wait_state("retrying")
        patch(job, destination={"url": destination.url()})
        # It does not wait for the minute that it would have waited.
        job.wait_state("running")
        wait_marker(source, destination, job=job)
        assert job.get()["destination"]["label"] == "127.0.0.1:%d" % destination.port
        job.stop()
        assert compare(source.url(), destination.url()).equal


def test_a_right_that_was_taken_away_while_changes_are_applied_is_waited_for(service, source, destination):
    """Named, on the clock of other troubles, and gone on from by itself: no hole, nothing twice."""
    fill(source.url(), 500)
    admin = destination.client()
    admin.execute_command("ACL", "SETUSER", "kf", "on", ">kf", "~*", "&*", "+@all")
    job = service.job(source.url(), destination.url(user="kf:kf"), retry=QUICK_RETRY).check_and_start()
    job.wait_caught_up()
    wait_marker(source, destination, job=job)
    with Writer(source.url(), rate=300, mix="model") as writer:
        for word in ("-incr", "-exec", "-multi", "-hmget"):
            admin.execute_command("ACL", "SETUSER", "kf", word)
            answer = job.wait(lambda job: job["state"] == "retrying" and job["retry_state"]
                              and job["retry_state"]["error"]["code"] == "destination_noperm", "a named wait")
            assert answer["retry_state"]["kind"] == "other" and answer["retry_state"]["deadline_at"], answer
            assert answer["attention"] is None, answer["attention"]
            admin.execute_command("ACL", "SETUSER", "kf", "+@all")
            wait_marker(source, destination, job=job)
        assert job.get()["attention"] is None
        assert writer.stop(), "nothing was written"
        wait_marker(source, destination, job=job)
    job.stop()
    report = compare(source.url(), destination.url())
    assert report.equal, report


@pytest.mark.full
def test_an_end_that_is_not_what_it_was_is_said(service, source, redis_server):
    destination = redis_server("--appendonly", "yes", "--appendfsync", "always")
    fill(source.url(), 200)
    job = service.job(source.url(), destination.url(), retry=QUICK_RETRY)
    job.check_and_start(ignore_warnings=True)
    job.wait_caught_up()
    wait_marker(source, destination, job=job)
    assert not [w for w in job.get()["warnings"] if w["code"] == "config_drift"]
    destination.kill()
    destination.start()
    destination.client().config_set("maxmemory-policy", "volatile-lru")
    wait_marker(source, destination, job=job)
    answer = job.wait(lambda job: [w for w in job["warnings"] if w["code"] == "config_drift"],
                      "a warning")
    said = [w for w in answer["warnings"] if w["code"] == "config_drift"]
    assert {w["pointer"] for w in said} == {"/destination"} and "process" in str(said), said
    page = service.request("GET", job.path + "/events?limit=200",
                           headers={"Accept": "application/json"})
    (event,) = [e for e in page["items"] if e["type"] == "config_drift"][:1]
    assert event["detail"].startswith("destination: "), event
    job.stop()


def started(service, source, destination):
    """Of an end that is a Proxy another server may take the place."""
    job = service.job(source.url(), destination.url(), retry=QUICK_RETRY).check_and_start()
    job.wait_caught_up()
    wait_marker(source, destination, job=job)
    job.pause()
    return job


class Behind(Proxy):
    """The address stays, the server behind it may change."""

    def __init__(self, server):
        super().__init__(server.port)
        self.server = server

    def url(self):
        return self.server.url(port=self.port)

    def client(self, *args):
        return self.server.client(*args)


def test_another_server_in_the_place_of_the_destination_is_never_written(service, source, redis_server):
    other = redis_server()
    with Behind(redis_server()) as destination:
        job = started(service, source, destination)
        destination.target = other.port
        job.act("resume")
        answer = job.wait_state("blocked")
        assert answer["attention"]["code"] == "needs_recopy", answer["attention"]
        assert other.client().dbsize() == 0
        job.act("stop", {"drain": False})


@pytest.mark.full
def test_another_server_in_the_place_of_the_source_is_never_taken_for_it(
        service, destination, redis_server):
    other = redis_server()
    other.client().set("of another", 1)
    with Behind(redis_server()) as source:
        job = started(service, source, destination)
        source.target = other.port
        job.act("resume")
        answer = job.wait_state("blocked")
        assert answer["attention"]["code"] == "needs_recopy", answer["attention"]
        assert destination.client().get("of another") is None
        job.act("stop", {"drain": False})


def identity(job, **members):
    """What a trial of the patch says: {end: result}."""
    test = job.service.ask(job.path + "?dry_run=true", members, method="PATCH")
    return {end["end"]: step["result"] for end in test["ends"] for step in end["steps"]
            if step["step"] == "identity"}, test["state"]


def test_a_new_address_where_another_server_answers_is_refused_and_named(job, source, destination, redis_server):
    other = redis_server()
    history = source.client().info("replication")["master_replid"]
    job.pause()
    before = job.get()
    for end, words in (("source", (history, other.client().info("replication")["master_replid"])),
                       ("destination", ("position",))):
        with pytest.raises(ApiError) as why:
            patch(job, **{end: {"url": other.url()}})
        problem = why.value.problem
        assert (why.value.status, problem["code"]) == (409, "config_drift"), problem
        assert problem["detail"].startswith(end + ": ") and "127.0.0.1:%d" % other.port in problem["detail"]
        assert all(word in problem["detail"] for word in words), problem
        assert identity(job, **{end: {"url": other.url()}})[0][end] == "fail"
    after = job.get()
    assert (after["source"], after["destination"]) == (before["source"], before["destination"])
    assert other.client().dbsize() == 0
    job.resume()
    wait_marker(source, destination, job=job)
    job.stop()


def test_the_same_server_by_another_name_is_taken(job, source, destination):
    job.pause()
    for end, server in (("source", source), ("destination", destination)):
        change = {end: {"url": server.url().replace("127.0.0.1", "localhost")}}
        assert identity(job, **change) == ({"source": "pass", "destination": "pass"}, "passed")
        assert patch(job, **change)[end]["label"].startswith("localhost:")
    job.resume()
    wait_marker(source, destination, job=job)
    job.stop()
    assert compare(source.url(), destination.url()).equal


def replica_of(server, redis_server):
    found = redis_server("--replicaof", "127.0.0.1 %d" % server.port)
    deadline = time.monotonic() + 60
    while found.client().info("replication")["master_link_status"] != "up":
        assert time.monotonic() < deadline, "the replica does not come up"
        time.sleep(0.05)
    return found


def test_a_replica_that_took_over_the_history_is_taken(job, source, destination, redis_server):
    """Both ends fail over, to servers of other addresses that have the same data."""
    job.pause()
    ends = {}
    for end, server in (("source", source), ("destination", destination)):
        replica = replica_of(server, redis_server)
        replica.client().execute_command("REPLICAOF", "NO", "ONE")
        server.stop()
        ends[end] = replica
        patch(job, **{end: {"url": replica.url()}})
    job.act("resume")
    wait_marker(ends["source"], ends["destination"], job=job)
    assert job.get()["attention"] is None
    assert ends["source"].client().info("stats")["sync_full"] == 0, "the history goes on"
    job.stop()
    assert compare(ends["source"].url(), ends["destination"].url()).equal


@pytest.mark.full
def test_an_address_where_nobody_answers_is_no_other_server(job, source, destination):
    from support.ports import free_port

    job.pause()
    url = destination.url(port=free_port())
    result, state = identity(job, destination={"url": url})
    assert state == "failed" and result["destination"] == "skipped", result
    assert patch(job, destination={"url": url})["destination"]["label"] == url[len("redis://"):]
    patch(job, destination={"url": destination.url()})
    job.resume()
    wait_marker(source, destination, job=job)
    job.stop()


def test_what_may_change_is_how_an_end_is_reached_and_when(job, source, destination):
    assert refused(job, source={"url": source.url()}) == (409, "invalid_state")
    job.pause()
    assert refused(job, source={"url": "file:x.rdb"}) == (422, "validation_failed")
    assert refused(job, source={"url": source.url(3)}) == (422, "validation_failed")
    assert refused(job, conflict_mode="overwrite")[0] in (409, 422)
    assert refused(job, source={"auth": {"pass": "x"}}) == (422, "validation_failed")
    patch(job, source={"connect_timeout_ms": 4000}, name="renamed")
    answer = job.get()
    assert answer["source"]["connect_timeout_ms"] == 4000 and answer["name"] == "renamed"
    job.resume()
    wait_marker(source, destination, job=job)
    job.stop()


def test_a_password_of_a_file_is_read_at_every_connect(start_service, redis_server, tmp_path):
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "destination").write_text("first\n")
    os.symlink("/etc/passwd", secrets / "link")
    service = start_service(env={"KEYFERRY_SECRETS_DIR": str(secrets)})
    source, destination = redis_server(), redis_server()
    destination.client().config_set("requirepass", "first")
    destination.password = "first"
    fill(source.url(), 500)
    url = "redis://127.0.0.1:%d" % destination.port

    def end(name):
        return {"url": url, "auth": {"secret_ref": "file:" + name}}

    job = service.job(source.url(), url, destination=end("destination"), retry=QUICK_RETRY)
    assert job.get()["destination"]["auth"] == {"username": "", "configured": True,
                                                "secret_ref": "file:destination"}
    job.check_and_start()
    job.wait_caught_up()
    wait_marker(source, destination, job=job)
    rotate(destination, "second")
    answer = job.wait(lambda job: job["state"] == "retrying" and job["retry_state"]
                      and job["retry_state"]["error"]["code"] == "destination_auth_failed",
                      "a login that is waited for")
    assert answer["attention"] is None
    (secrets / "destination").write_text("second")
    wait_marker(source, destination, job=job)
    job.stop()
    # No link is followed, and nothing beside the directory is read.
    for name, word in (("link", "links"), ("missing", "No such file")):
        found = service.precheck(source.url(), url, destination=end(name))
        assert found["state"] == "failed" and word in str(found["items"]), found["items"][:3]
    with pytest.raises(ApiError) as why:
        service.job(source.url(), url, destination=end("../admin.key"))
    assert why.value.status == 422
