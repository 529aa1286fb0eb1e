"""Passwords are rotated and servers move: a job that waits for it goes on by itself, where it was."""

import os

import pytest
from support.chaos import QUICK_RETRY
from support.compare import compare
from support.proxy import Proxy
from support.service import ApiError, wait_marker
from support.workload import fill


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
        job.wait_state("running", timeout=30)
        wait_marker(source, destination, job=job)
        assert job.get()["destination"]["label"] == "127.0.0.1:%d" % destination.port
        job.stop()
        assert compare(source.url(), destination.url()).equal


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


def test_another_server_in_the_place_of_the_destination_is_never_written(
        job, source, redis_server):
    other = redis_server()
    job.pause()
    patch(job, destination={"url": other.url()})
    assert job.get()["state"] == "paused", "a pause is a person's wish"
    job.act("resume")
    answer = job.wait_state("blocked")
    assert answer["attention"]["code"] == "needs_recopy", answer["attention"]
    assert other.client().dbsize() == 0
    job.act("stop", {"drain": False})


@pytest.mark.full
def test_another_server_in_the_place_of_the_source_is_never_taken_for_it(
        job, source, destination, redis_server):
    other = redis_server()
    other.client().set("of another", 1)
    job.pause()
    patch(job, source={"url": other.url()})
    job.act("resume")
    answer = job.wait_state("blocked")
    assert answer["attention"]["code"] == "needs_recopy", answer["attention"]
    assert destination.client().get("of another") is None
    job.act("stop", {"drain": False})


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
