"""Idempotency-Key: what is sent twice is done once, whatever dies in between."""

import os
import signal
import threading
import time

import requests

from conftest import SPEC, pass_precheck, unique_spec


def send(api, path, body, key, **headers):
    return api.call("POST", path, body, headers={"Idempotency-Key": key, **headers})


def fresh():
    return os.urandom(8).hex()


def count_jobs(api):
    return api.sql("SELECT count(*) FROM job")[0][0]


def test_the_same_request_again_gets_the_same_answer_and_does_nothing(api):
    key, spec = fresh(), unique_spec(api)
    first = send(api, "/v1/jobs", spec, key)
    before = count_jobs(api)
    again = send(api, "/v1/jobs", spec, key)
    assert first.status_code == again.status_code == 201 and again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true" and "Idempotent-Replayed" not in first.headers
    for name in ("Location", "ETag"):
        assert again.headers[name] == first.headers[name]
    assert count_jobs(api) == before


def test_other_blanks_and_order_are_the_same_request(api):
    key, spec = fresh(), unique_spec(api)
    first = send(api, "/v1/jobs", spec, key)
    text = "{ " + ", ".join('"%s" :  %s' % (k, requests.compat.json.dumps(v)) for k, v in reversed(list(spec.items()))) + "}"
    again = api.http.post(api.url + "/v1/jobs", data=text,
                          headers={"Idempotency-Key": key, "Content-Type": "application/json"})
    assert again.json()["id"] == first.json()["id"]


def test_another_body_with_the_same_key_is_422(api):
    key = fresh()
    send(api, "/v1/jobs", unique_spec(api), key)
    answer = send(api, "/v1/jobs", unique_spec(api), key)
    assert answer.status_code == 422 and answer.json()["code"] == "idempotency_conflict"


def test_a_key_belongs_to_an_account_and_to_a_call(api, job):
    key = fresh()
    send(api, "/v1/jobs", SPEC, key)
    other = requests.post(api.url + "/v1/jobs", json=SPEC, timeout=10, headers={
        "Idempotency-Key": key, "Authorization": "Bearer " + api.add_key(api.add_account("z"), "admin")})
    assert other.status_code == 201 and "Idempotent-Replayed" not in other.headers
    answer = send(api, "/v1/jobs/%s/prechecks" % job["id"], {}, key)
    assert answer.status_code in (202, 422)
    if answer.status_code == 422:
        assert answer.json()["code"] == "idempotency_conflict"


def test_a_refused_call_leaves_the_key_free(api, job):
    key, path = fresh(), "/v1/jobs/%s/start" % job["id"]
    assert send(api, path, {}, key).status_code == 409
    pass_precheck(api, job)
    answer = send(api, path, {}, key)
    assert answer.status_code == 202 and "Idempotent-Replayed" not in answer.headers
    assert send(api, path, {}, key).headers["Idempotent-Replayed"] == "true"


def test_a_key_is_short_and_printable(api):
    for key in ("x" * 256, "a b", "\xe9"):
        answer = send(api, "/v1/jobs", SPEC, key.encode("latin-1"))
        assert answer.status_code == 422, key
    assert send(api, "/v1/jobs", SPEC, "x" * 255).status_code == 201


def test_after_a_day_a_key_is_new(api):
    key, spec = fresh(), unique_spec(api)
    first = send(api, "/v1/jobs", spec, key)
    api.sql("UPDATE idempotency SET created_at = now() - interval '25 hours' WHERE key = %s", key)
    again = send(api, "/v1/jobs", spec, key)
    assert again.status_code == 201 and again.json()["id"] != first.json()["id"]


def test_while_the_first_runs_a_second_is_409_or_replayed_and_only_one_is_done(api):
    """The first is held up by a lock on what it writes."""
    key, spec = fresh(), unique_spec(api)
    before = count_jobs(api)
    blocker = api.postgres.connect()
    blocker.autocommit = False
    blocker.cursor().execute("LOCK TABLE job IN EXCLUSIVE MODE")
    answers = []
    first = threading.Thread(target=lambda: answers.append(send(api, "/v1/jobs", spec, key)))
    first.start()
    deadline = time.monotonic() + 60
    while not api.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"):
        assert time.monotonic() < deadline, "the first is not held up"
        time.sleep(0.05)
    second = requests.post(api.url + "/v1/jobs", json=spec, timeout=60,
                           headers={"Idempotency-Key": key, "Authorization": "Bearer " + api.key})
    assert second.status_code == 409 and second.json()["code"] == "idempotency_in_flight"
    assert second.json()["retryable"] is True
    blocker.rollback()
    blocker.close()
    first.join()
    assert answers[0].status_code == 201
    assert send(api, "/v1/jobs", spec, key).headers["Idempotent-Replayed"] == "true"
    assert count_jobs(api) == before + 1


def test_fifty_at_once_make_one_job(api):
    key, spec = fresh(), unique_spec(api)
    before, answers = count_jobs(api), []

    def one():
        answers.append(requests.post(api.url + "/v1/jobs", json=spec, timeout=30, headers={
            "Idempotency-Key": key, "Authorization": "Bearer " + api.key}))

    threads = [threading.Thread(target=one) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {a.status_code for a in answers} <= {201, 409}
    assert len({a.json()["id"] for a in answers if a.status_code == 201}) == 1
    assert count_jobs(api) == before + 1


def test_a_process_killed_in_the_middle_loses_nothing_and_doubles_nothing(fresh_api):
    """kill -9 of the API at random moments; the client sends again until it is answered."""
    api = fresh_api.start()
    done = []
    for round_number in range(12):
        key = fresh()
        body = dict(SPEC, name="round-%d" % round_number)
        killer = threading.Timer(0.001 * (round_number * 3 % 25), lambda: os.kill(api.process.pid, signal.SIGKILL))
        killer.start()
        deadline = time.monotonic() + 40
        while True:
            try:
                answer = api.call("POST", "/v1/jobs", body, headers={"Idempotency-Key": key}, timeout=10)
                if answer.status_code == 201:
                    break
                assert answer.status_code in (503, 409), answer.text
            except requests.RequestException:
                pass
            killer.join()
            if api.process.poll() is not None:
                api.start()
            assert time.monotonic() < deadline
        killer.join()
        done.append(answer.json()["id"])
        if api.process.poll() is not None:
            api.start()
    names = api.sql("SELECT name, count(*) FROM job GROUP BY name")
    assert len(names) == 12 and all(count == 1 for _, count in names), names
    assert {row[0] for row in api.sql("SELECT id FROM job")} == set(done)
