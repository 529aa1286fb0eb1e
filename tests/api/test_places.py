"""Connections are bounded, and who keeps one without a use for it keeps nobody else out."""

import socket
import time

import requests

from conftest import SPEC
from support.tenant import Tenant

HEAD_TIME = 10  # seconds a head may take


def drip(api, count, first=1):
    """Connections with half a head each, eight of an address."""
    held = []
    for i in range(count):
        s = socket.create_connection(("127.0.0.1", api.port), timeout=30, source_address=("127.0.%d.1" % (first + i // 8), 0))
        s.sendall(b"GET /v1/version HTTP/1.1\r\nX-A: ")
        held.append(s)
    return held


def ask(api):
    """On a connection of its own."""
    with requests.Session() as session:
        session.trust_env = False
        return session.get(api.url + "/v1/version", timeout=60).status_code


def ask_often(api):
    """Ten times; how long the slowest took. One that has to wait for its place waits for a head's time."""
    times = []
    for _ in range(10):
        begun = time.monotonic()
        assert ask(api) == 200
        times.append(time.monotonic() - begun)
    return max(times)


def test_clients_that_drip_take_nobodys_place(fresh_api):
    fresh_api.env["KEYFERRY_API_CONNECTIONS_MAX"] = "12"
    api = fresh_api.start()
    held = drip(api, 60)
    try:
        assert ask_often(api) < HEAD_TIME * 0.8, "they waited until the dripping ones had had their time"
        gone = 0
        for s in held:
            s.settimeout(1)
            try:
                gone += s.recv(1) == b""
            except socket.timeout:
                pass
            except ConnectionResetError:
                gone += 1
        assert gone >= 60 - 12, "all but as many as there are places were cut"
    finally:
        for s in held:
            s.close()


def test_clients_that_drip_take_nobodys_place_of_the_same_address(fresh_api):
    api = fresh_api.start()
    held = []
    try:
        for _ in range(80):
            held.append(socket.create_connection(("127.0.0.1", api.port), timeout=30))
        assert ask_often(api) < HEAD_TIME * 0.8
    finally:
        for s in held:
            s.close()


def test_a_request_at_work_is_not_cut_for_a_newcomer(fresh_api):
    fresh_api.env["KEYFERRY_API_CONNECTIONS_MAX"] = "4"
    api = fresh_api.start()
    job = api.post("/v1/jobs", SPEC)
    stream = api.call("GET", "/v1/jobs/%s/events" % job["id"], stream=True)
    held = drip(api, 20)
    try:
        assert ask(api) == 200
        lines = stream.iter_lines()
        assert next(lines) == b"id: 1", "the stream was cut"
    finally:
        stream.close()
        for s in held:
            s.close()


def test_streams_of_one_account_leave_room_for_others(fresh_api):
    fresh_api.env["KEYFERRY_API_CONNECTIONS_MAX"] = "32"  # 16 streams, 4 of an account
    api = fresh_api.start()
    other = Tenant(api.url, api.key)
    path = "/v1/jobs/%s/events" % api.post("/v1/jobs", SPEC)["id"]
    theirs = "/v1/jobs/%s/events" % other.ok("POST", "/v1/jobs", dict(SPEC, destination={"url": "redis://t.example"}))["id"]

    def follow(where, key):
        return requests.get(api.url + where, stream=True, timeout=30, headers={"Authorization": "Bearer " + key})

    held = [follow(path, api.key) for _ in range(4)]
    try:
        assert [s.status_code for s in held] == [200] * 4
        refused = follow(path, api.key)
        assert refused.status_code == 429 and refused.json()["code"] == "too_many_streams"
        assert refused.json()["retryable"] is True and refused.headers["Retry-After"]
        page = api.call("GET", path, headers={"Accept": "application/json"})
        assert page.status_code == 200, "a page of the same is no stream"
        held.append(follow(theirs, other.key))
        assert held[-1].status_code == 200
        held.pop(0).close()
        deadline = time.monotonic() + 60
        for number in range(1000):
            # That a client is gone shows when something is sent to it.
            api.call("PATCH", path.removesuffix("/events"), {"name": "n%d" % number})
            again = follow(path, api.key)
            if again.status_code == 200:
                held.append(again)
                break
            assert time.monotonic() < deadline, "a place that was given back was not taken"
            time.sleep(0.2)
    finally:
        for s in held:
            s.close()
