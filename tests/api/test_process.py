"""The process: settings, start, a database that goes away, the end."""

import re
import subprocess
import threading
import time

import requests

from support.ports import free_port
from support.service import program
from conftest import SPEC, pass_precheck


def run(env, *arguments):
    return subprocess.run([program("keyferry-api"), *arguments], env=env, capture_output=True, text=True, timeout=30)


def test_a_wrong_setting_ends_it_with_one_clear_line():
    for env, word in (({}, "KEYFERRY_DATABASE_URL"), ({"KEYFERRY_LISTNE": "x"}, "KEYFERRY_LISTNE"),
                      ({"KEYFERRY_DATABASE_URL": "x", "KEYFERRY_LISTEN": "nonsense"}, "KEYFERRY_LISTEN"),
                      ({"KEYFERRY_LOG_FORMAT": "xml"}, "KEYFERRY_LOG_FORMAT"),
                      ({"KEYFERRY_DATABASE_URL": "x", "KEYFERRY_MASTER_KEY_FILE": "/nonexistent"}, "/nonexistent")):
        done = run(env)
        assert done.returncode in (1, 2), done
        assert word in done.stderr and len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert run({}, "--nonsense").returncode == 2


def test_the_contract_is_served_as_json(api):
    document = api.get("/openapi.json")
    assert document["openapi"].startswith("3.1") and document["info"]["version"] == api.get("/v1/version")["version"]


def test_what_the_service_is_can_be_read(api):
    assert "unlimited" in [c["name"] for c in api.get("/v1/instance-classes")["items"] if c["available"]]
    checks = api.get("/v1/checks")["items"]
    assert len(checks) > 40 and len({c["id"] for c in checks}) == len(checks)
    commands = {c["name"]: c["applied"] for c in api.get("/v1/commands")["items"]}
    assert commands["set"] == "rewritten" and commands["incr"] == "same" and commands["config"] == "refused"
    assert api.get("/v1/capabilities")["limits"]["list_limit_max"] == 200
    assert api.get("/v1/workers")["items"] == []
    assert api.get("/v1/workers?state=drained")["items"] == []
    assert "drained" in api.get("/v1/workers?state=lost", expect=422)["detail"]


def test_before_the_database_is_there_it_is_alive_but_not_ready(fresh_api):
    api = fresh_api
    api.postgres.stop()
    api.start(ready=False)
    assert requests.get(api.url + "/healthz", timeout=30).status_code == 200
    answer = requests.get(api.url + "/readyz", timeout=10)
    assert answer.status_code == 503 and answer.json()["retryable"] is True
    assert answer.headers["Retry-After"]
    api.postgres.start()
    api.await_ready()
    assert api.get("/v1/me")["account"]["id"] == api.account


def test_a_database_that_goes_away_is_503_and_comes_back(fresh_api):
    api = fresh_api.start()
    job = api.post("/v1/jobs", SPEC)
    api.postgres.stop()
    begun = time.monotonic()
    answer = api.call("GET", "/v1/jobs/" + job["id"])
    assert answer.status_code == 503 and answer.json()["code"] == "store_unavailable", answer.text
    assert time.monotonic() - begun < 30
    assert requests.get(api.url + "/healthz", timeout=30).status_code == 200
    api.postgres.start()
    deadline = time.monotonic() + 60
    while api.call("GET", "/v1/jobs/" + job["id"]).status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_connections_to_the_database_are_there_before_requests_are(fresh_api):
    api = fresh_api.start()
    deadline = time.monotonic() + 60
    while api.sql("SELECT count(*) < 3 FROM pg_stat_activity WHERE application_name = 'keyferry-api'")[0][0]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_busy_database_is_503_and_not_an_endless_wait(fresh_api):
    """Every connection is held by a request that waits for a lock."""
    fresh_api.env["KEYFERRY_DATABASE_CONNECTIONS_MAX"] = "2"
    api = fresh_api.start()
    blocker = api.postgres.connect()
    blocker.autocommit = False
    blocker.cursor().execute("LOCK TABLE job IN ACCESS EXCLUSIVE MODE")
    held = [threading.Thread(target=lambda: requests.get(
        api.url + "/v1/jobs", headers={"Authorization": "Bearer " + api.key}, timeout=60)) for _ in range(2)]
    for thread in held:
        thread.start()
    deadline = time.monotonic() + 60
    while api.sql("SELECT count(*) < 2 FROM pg_stat_activity WHERE wait_event_type = 'Lock'")[0][0]:
        assert time.monotonic() < deadline, "they are not held up"
        time.sleep(0.05)
    time.sleep(0.5)  # one of them may be the keeper of schedules
    begun = time.monotonic()
    answer = api.call("GET", "/v1/me")
    assert answer.status_code == 503 and answer.json()["retryable"] is True
    assert time.monotonic() - begun < 30
    blocker.rollback()
    blocker.close()
    for thread in held:
        thread.join()
    assert api.call("GET", "/v1/me").status_code == 200


def test_metrics_are_on_an_address_of_their_own(fresh_api):
    port = free_port()
    fresh_api.env["KEYFERRY_METRICS_LISTEN"] = "127.0.0.1:%d" % port
    api = fresh_api.start()
    job = api.post("/v1/jobs", dict(SPEC, name="secret-name"))
    pass_precheck(api, job)
    text = requests.get("http://127.0.0.1:%d/metrics" % port, timeout=5)
    assert text.status_code == 200 and text.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert re.search(r'^keyferry_http_requests_total\{class="2xx"\} [1-9]', text.text, re.M), text.text
    assert "secret-name" not in text.text and job["id"] not in text.text
    assert requests.get("http://127.0.0.1:%d/healthz" % port, timeout=5).status_code == 404
    assert requests.post("http://127.0.0.1:%d/metrics" % port, timeout=5).status_code == 405
    assert api.call("GET", "/metrics").status_code == 404


def test_a_stop_lets_running_requests_end_and_ends_streams(fresh_api):
    api = fresh_api.start()
    job = api.post("/v1/jobs", SPEC)
    path = "/v1/jobs/" + job["id"]
    pass_precheck(api, job)
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(
        api.call("POST", path + "/start", {}, headers={"Prefer": "wait=30"})))
    stream = requests.get(api.url + path + "/events", headers={"Authorization": "Bearer " + api.key},
                          stream=True, timeout=30)
    waiting.start()
    idle = requests.Session()
    idle.get(api.url + "/healthz", timeout=30)
    told = stream.iter_lines()
    assert any(b"start.requested" in line for line in told), "the stream does not tell of the start"
    begun = time.monotonic()
    assert api.stop() == 0
    assert time.monotonic() - begun < 20  # it waits for thirty, and streams have no end
    waiting.join(30)
    assert answers and answers[0].status_code == 202, "the waiting request was not answered"
    assert all(line == b"" or line.split(b":")[0] in (b"", b"id", b"event", b"data") for line in told), "not ended in order"


def test_it_can_be_stopped_while_it_waits_for_its_database(fresh_api):
    fresh_api.postgres.stop()
    fresh_api.start(ready=False)
    begun = time.monotonic()
    assert fresh_api.stop() == 0
    assert time.monotonic() - begun < 20


def test_a_database_with_a_newer_schema_ends_it(fresh_api):
    api = fresh_api.start()
    api.sql("INSERT INTO schema_migrations (version, name, sha256) VALUES (9999, 'later', 'x')")
    assert api.stop() == 0
    api.start(ready=False)
    assert api.process.wait(20) == 1
    assert "newer than this program" in api.log()
    api.process = None  # close() would take its exit code for a failure
