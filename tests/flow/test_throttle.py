"""Limits of a job that runs: what is moved in a second, changes, schedules, and an end that
answers slowly. Rates are looked at from far away here; tests/bench/run measures them."""

import signal
import threading
import time

import pytest
from support.processes import cpu_seconds
from support.service import wait_marker


@pytest.fixture
def many(source):
    for at in range(0, 20000, 5000):
        pipe = source.client().pipeline(transaction=False)
        for i in range(at, at + 5000):
            pipe.set("key:%d" % i, "v" * 50)
        pipe.execute()
    return 20000



def test_a_limit_holds_the_copy_until_it_is_lifted(service, source, destination, many):
    job = service.job(source.url(), destination.url(), throttle={"full": {"rps": 200}})
    job.check_and_start()
    job.wait(lambda j: j["progress"]["full"]["keys_done"] > 0, "the first keys")
    time.sleep(1)
    throttle = service.request("GET", job.path + "/throttle")
    assert 0 < destination.client().dbsize() < many / 4
    assert throttle["effective"]["full"]["rps"] == 200
    assert throttle["measured"]["waited_ms"]["full"] > 0
    # The source is read as fast as ever: what waits is in the spool.
    assert job.get()["progress"]["full"]["bytes_total"] == 0 or job.pids("receive")
    service.request("PUT", job.path + "/throttle", {})
    job.wait_caught_up()
    assert destination.client().dbsize() == many + 1


def test_a_window_of_the_schedule_halts_the_job_and_goes_by(service, source, destination, many):
    halt = {"begin": "00:00", "end": "24:00", "factor": 0}
    job = service.job(source.url(), destination.url(), throttle={"schedule": [halt]})
    job.check_and_start()
    job.wait(lambda j: j["spool"]["bytes"] > 0, "something in the spool")
    time.sleep(1)
    assert destination.client().dbsize() <= 1  # the position
    throttle = service.request("GET", job.path + "/throttle")
    assert throttle["effective"]["window"] == 0
    assert throttle["effective"]["full"]["rps"] == 0
    service.request("PUT", job.path + "/throttle", {"schedule": [dict(halt, factor=None, limits={})]},
                    expect=(422,))
    service.request("PUT", job.path + "/throttle", {"schedule": []})
    job.wait_caught_up()


def test_a_limit_set_while_following_holds_and_nothing_is_lost(service, source, destination):
    job = service.job(source.url(), destination.url())
    job.check_and_start()
    job.wait_caught_up()
    job.hold_back(source, rps=100)
    pipe = source.client().pipeline(transaction=False)
    for i in range(6000):
        pipe.incr("counter")
    pipe.execute()
    time.sleep(1)
    assert int(destination.client().get("counter") or 0) < 5000, "it would take a minute"
    service.request("PUT", job.path + "/throttle", {})
    wait_marker(source, destination, job=job)
    assert destination.client().get("counter") == b"6000"


def test_a_tail_that_is_held_back_sleeps(service, source, destination):
    """What waits for the limit waits without a processor, however long."""
    job = service.job(source.url(), destination.url())
    job.check_and_start()
    job.wait_caught_up()
    halt = {"begin": "00:00", "end": "24:00", "factor": 0}
    service.request("PUT", job.path + "/throttle", {"schedule": [halt]})
    deadline = time.monotonic() + 60
    while service.request("GET", job.path + "/throttle")["measured"]["waited_ms"]["incremental"] == 0:
        assert time.monotonic() < deadline, "not halted"
        source.client().incr("counter")
        time.sleep(0.2)
    time.sleep(2)  # longer than a place that only passed a PING may wait
    (apply,) = job.pids("apply")
    before = cpu_seconds(apply)
    time.sleep(2)
    assert cpu_seconds(apply) - before < 0.3
    assert job.pids("apply") == [apply]
    count = source.client().get("counter")
    assert destination.client().get("counter") != count
    service.request("PUT", job.path + "/throttle", {})
    wait_marker(source, destination, job=job)
    assert destination.client().get("counter") == count


@pytest.mark.full
@pytest.mark.parametrize("adaptive", [True, False], ids=["adaptive", "not adaptive"])
def test_an_adaptive_job_gives_way_to_a_destination_that_answers_slowly(service, source, destination, adaptive):
    job = service.job(source.url(), destination.url(),
                      throttle={"adaptive": {"enabled": adaptive, "destination_latency_ms": 150}})
    job.check_and_start()
    job.wait_caught_up()
    stop = threading.Event()

    def write():
        client = source.client()
        while not stop.is_set():
            pipe = client.pipeline(transaction=False)
            for _ in range(200):
                pipe.incr("counter")
            pipe.execute()
            time.sleep(0.05)

    def stall():
        while not stop.is_set():
            destination.process.send_signal(signal.SIGSTOP)
            time.sleep(0.4)
            destination.process.send_signal(signal.SIGCONT)
            time.sleep(0.1)

    def measured():
        return service.request("GET", job.path + "/throttle")["measured"]

    threads = [threading.Thread(target=work) for work in (write, stall)]
    for thread in threads:
        thread.start()
    try:
        deadline = time.monotonic() + 30
        while measured()["destination_latency_ms"] < 200:
            assert time.monotonic() < deadline, measured()
            time.sleep(0.2)
        time.sleep(3)
        waited = measured()["waited_ms"]["incremental"]
        while adaptive and waited == 0 and time.monotonic() < deadline:
            time.sleep(0.2)
            waited = measured()["waited_ms"]["incremental"]
        assert (waited > 0) == adaptive, measured()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    # What was held back comes faster and faster.
    wait_marker(source, destination, timeout=120, job=job)
    assert destination.client().get("counter") == source.client().get("counter")


def test_charts_tell_of_a_job_second_by_second(service, source, destination):
    job = service.job(source.url(), destination.url())
    job.check_and_start()
    job.wait_caught_up()
    deadline = time.monotonic() + 60
    while True:
        items = service.request("GET", job.path + "/metrics?names=latency_us,lag_bytes")["items"]
        if sum(i["latency_us"] is not None for i in items) >= 3:
            break
        assert time.monotonic() < deadline, items
        time.sleep(0.5)
    assert [i["at"] for i in items] == sorted({i["at"] for i in items})
    job.stop()
    deadline = time.monotonic() + 60
    while True:  # its worker writes the rest right behind the last state
        last = service.request("GET", job.path + "/metrics?step=60")
        if last["items"]:
            break
        assert time.monotonic() < deadline, last
        time.sleep(0.1)
    assert last["step_seconds"] == 60
