"""The HTTP side: what is no proper request is refused, and nobody can hold a thread for ever."""

import re
import socket
import threading
import time

import pytest
import requests

LIMIT = 1024 * 1024


def raw(api, text, timeout=20, shut=False, to_the_end=False):
    """Send bytes as they are; everything the server answers until it closes or, but for `to_the_end`, is silent."""
    with socket.create_connection(("127.0.0.1", api.port), timeout=timeout) as s:
        s.sendall(text if isinstance(text, bytes) else text.encode())
        if shut:
            s.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while True:
                piece = s.recv(65536)
                if not piece:
                    break
                answer += piece
                if not to_the_end and b"\r\n\r\n" in answer and b"Connection: close" not in answer:
                    s.settimeout(0.3)
        except (socket.timeout, ConnectionResetError):
            pass
        return answer.decode("latin-1")


def status(answer):
    found = re.match(r"HTTP/1\.[01] (\d{3})", answer)
    return int(found.group(1)) if found else None


def head(api, method="GET", path="/v1/me", *lines):
    return "%s %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s\r\n" % (
        method, path, api.key, "".join(line + "\r\n" for line in lines))


def test_every_failure_is_a_problem_document(api):
    for method, path, code in (("GET", "/nowhere", 404), ("GET", "/v1/jobs/", 404), ("GET", "//v1/jobs", 404),
                               ("GET", "/v1/jobs/job_x", 404), ("PUT", "/v1/jobs", 405),
                               ("GET", "/v1/jobs?limit=0", 422), ("GET", "/v1/jobs?unknown=1", 422)):
        response = api.call(method, path)
        problem = response.json()
        assert response.status_code == code, response.text
        assert response.headers["Content-Type"] == "application/problem+json"
        assert set(problem) >= {"type", "title", "status", "detail", "instance", "code", "request_id", "retryable"}
        assert problem["status"] == code and problem["retryable"] is False
        assert problem["type"] == "/problems/" + problem["code"].replace("_", "-")
        assert problem["request_id"] == response.headers["X-Request-Id"]
        assert problem["instance"].endswith(problem["request_id"])
        if code == 422:
            assert [e["code"] for e in problem["errors"]] == ["invalid"] and problem["errors"][0]["detail"]
            assert problem["errors"][0]["pointer"] == ("/limit" if "limit" in path else "/unknown")


def test_a_wrong_method_is_told_which_are_right(api):
    assert api.call("PUT", "/v1/jobs").headers["Allow"] == "POST, GET, HEAD"
    assert api.call("POST", "/healthz", {}).headers["Allow"] == "GET, HEAD"
    assert api.call("BREW", "/v1/me").status_code == 405


def test_a_head_is_a_get_without_its_body(api):
    got, headed = api.call("GET", "/v1/version"), api.call("HEAD", "/v1/version")
    assert headed.status_code == 200 and headed.content == b""
    assert headed.headers["Content-Length"] == got.headers["Content-Length"]
    assert headed.headers["ETag"] == got.headers["ETag"]


def test_a_request_id_is_echoed_when_it_is_plain_and_made_otherwise(api):
    assert api.call("GET", "/healthz", headers={"X-Request-Id": "my-id_1.x"}).headers["X-Request-Id"] == "my-id_1.x"
    for bad in ("a b", "x" * 65, "a\"b", "é".encode("utf-8").decode("latin-1")):
        made = api.call("GET", "/healthz", headers={"X-Request-Id": bad}).headers["X-Request-Id"]
        assert re.fullmatch(r"req_[0-9A-HJKMNP-TV-Z]{26}", made)


def test_a_request_id_is_in_the_log_line(api):
    api.call("GET", "/v1/nowhere", headers={"X-Request-Id": "find-me-in-the-log"})
    deadline = time.monotonic() + 60
    while "request=find-me-in-the-log" not in api.log():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("lines", [
    ["Content-Length: 2", "Content-Length: 3"],
    ["Content-Length: 2", "Transfer-Encoding: chunked"],
    ["Transfer-Encoding: gzip, chunked"],
    ["Content-Length : 2"],
    ["Content-Length: -1"],
    ["X-Thing: a\x01b"],
    ["Authorization: Bearer other"],
    ["X\x7fY: 1"],
])
def test_heads_that_two_readers_read_two_ways_are_refused_and_end_the_connection(api, lines):
    answer = raw(api, head(api, "POST", "/v1/jobs", *lines) + "{}GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert status(answer) == 400, answer
    assert '"ok"' not in answer, "the bytes behind it were read as a request: " + answer


def test_a_path_is_decoded_strictly_and_only_once(api):
    for path in ("/v1/jobs/%zz", "/v1/jobs/a%00b", "/v1/jobs/%ff", "/v1/%2"):
        assert status(raw(api, head(api, "GET", path, "Connection: close"))) == 400, path
    # An encoded slash stays inside its segment: this is a strange job id, not the list of checks.
    assert status(raw(api, head(api, "GET", "/v1/jobs/x%2fsteps", "Connection: close"))) == 404
    assert status(raw(api, head(api, "GET", "/v1/../healthz", "Connection: close"))) == 404


def test_a_body_over_the_limit_is_413_before_it_is_read(api):
    answer = raw(api, head(api, "POST", "/v1/jobs", "Content-Type: application/json",
                           "Content-Length: %d" % (LIMIT + 1), "Expect: 100-continue"))
    assert status(answer) == 413 and "100 Continue" not in answer


def test_a_chunked_body_over_the_limit_is_413_or_cut(api):
    def chunks(count):
        for _ in range(count):
            yield b" " * 65536
    answer = requests.post(api.url + "/v1/jobs", data=chunks(17), timeout=30,
                           headers={"Authorization": "Bearer " + api.key, "Content-Type": "application/json"})
    assert answer.status_code == 413 and answer.json()["code"] == "body_too_large"
    with pytest.raises(requests.ConnectionError):
        requests.post(api.url + "/v1/jobs", data=chunks(200), timeout=30,
                      headers={"Authorization": "Bearer " + api.key, "Content-Type": "application/json"})


def test_a_body_of_exactly_the_limit_is_read(api):
    body = b'{"kind": "migration", "name": "' + b"x" * (LIMIT - 33) + b'"}'
    assert len(body) == LIMIT
    answer = requests.post(api.url + "/v1/jobs/preview", data=body, timeout=30,
                           headers={"Authorization": "Bearer " + api.key, "Content-Type": "application/json"})
    assert answer.status_code == 422 and answer.json()["errors"][0]["pointer"] == "/name"


def test_what_is_no_json_is_400_and_not_quoted(api):
    for body in (b"{", b"[]", b'{"a":1,"a":2}', b'{"a":"\xff"}', b"hunter2", b"{}{}",
                 b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}"):
        answer = api.http.post(api.url + "/v1/jobs", data=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400 and answer.json()["code"] == "not_json", body[:20]
        assert "hunter2" not in answer.text
    # A number is one, however long: what is wrong is its size.
    answer = api.http.post(api.url + "/v1/jobs", data=b'{"extend_ttl_seconds": 99999999999999999999}',
                           headers={"Content-Type": "application/json"})
    assert answer.status_code == 400 and "a number is too large at line 1" in answer.json()["detail"]


def test_another_media_type_is_415(api):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""):
        answer = api.http.post(api.url + "/v1/jobs", data=b"{}", headers={"Content-Type": kind})
        assert answer.status_code == 415, kind
    answer = api.http.post(api.url + "/v1/jobs/preview", data=b"{}",
                           headers={"Content-Type": "Application/JSON; charset=utf-8"})
    assert answer.status_code in (200, 422)


def test_a_delete_does_what_its_path_says_and_ignores_no_body(api, job):
    problem = api._expect(api.call("DELETE", "/v1/jobs/" + job["id"], {"force": True}), 422)
    assert [(e["pointer"], e["code"]) for e in problem["errors"]] == [("/force", "unknown_field")]
    assert api.get("/v1/jobs/" + job["id"])["state"] == "configured"
    api._expect(api.call("DELETE", "/v1/jobs/" + job["id"], {}), 200)


def test_a_get_takes_no_body(api):
    assert api.call("GET", "/v1/me", {"a": 1}).status_code == 400


def test_too_many_headers_and_parameters_are_refused(api):
    lines = ["X-%d: 1" % i for i in range(80)]
    assert status(raw(api, head(api, "GET", "/v1/me", *lines))) == 400
    assert api.call("GET", "/v1/jobs?" + "&".join("p%d=1" % i for i in range(40))).status_code == 400
    assert status(raw(api, head(api, "GET", "/v1/me", "X: " + "y" * 70000))) in (400, 431)


def test_a_head_of_a_byte_a_second_is_cut(api):
    with socket.create_connection(("127.0.0.1", api.port), timeout=30) as s:
        begun, cut = time.monotonic(), False
        try:
            for byte in head(api).encode():
                s.sendall(bytes([byte]))
                time.sleep(0.5)
        except (BrokenPipeError, ConnectionResetError):
            cut = True
        assert cut and time.monotonic() - begun > 8


def test_silent_connections_are_bounded_and_do_not_keep_others_out(api):
    """64 of one address at most; those that say nothing are gone after the head's time."""
    held = []
    try:
        for _ in range(60):
            held.append(socket.create_connection(("127.0.0.1", api.port), timeout=30))
        assert requests.get(api.url + "/healthz", timeout=10).status_code == 200
        for _ in range(40):
            held.append(socket.create_connection(("127.0.0.1", api.port), timeout=30))
        deadline = time.monotonic() + 60
        while True:
            try:
                if requests.get(api.url + "/healthz", timeout=30).status_code == 200:
                    break
            except requests.RequestException:
                pass
            assert time.monotonic() < deadline
            time.sleep(0.2)
    finally:
        for s in held:
            s.close()


def test_pipelined_requests_are_answered_in_order(api):
    one = head(api, "GET", "/v1/version")
    answer = raw(api, one + head(api, "GET", "/v1/jobs/summary") + head(api, "GET", "/healthz", "Connection: close"),
                 timeout=60, to_the_end=True)
    assert re.findall(r"HTTP/1\.1 (\d+)", answer) == ["200"] * 3
    assert answer.index('"product"') < answer.index('"states"') < answer.index('"status"')


def test_many_clients_at_once_get_their_own_answers(api):
    wrong = []

    def client(number):
        session = requests.Session()
        session.trust_env = False
        for i in range(25):
            name = "c%d-%d" % (number, i)
            answer = session.get(api.url + "/v1/jobs?limit=1", timeout=30,
                                 headers={"Authorization": "Bearer " + api.key, "X-Request-Id": name})
            if answer.status_code != 200 or answer.headers["X-Request-Id"] != name:
                wrong.append((name, answer.status_code, answer.text))

    threads = [threading.Thread(target=client, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[:3]


def test_calls_of_later_versions_say_so_and_only_to_a_caller_with_a_key(api):
    for method, path in (("POST", "/v1/jobs/job_00000000000000000000000000/reverse"), ("POST", "/v1/verifications"),
                         ("GET", "/v1/jobs/job_00000000000000000000000000/verifications")):
        answer = api.call(method, path, {} if method == "POST" else None)
        assert (answer.status_code, answer.json()["code"]) == (422, "not_supported_yet"), path
        assert [e["code"] for e in answer.json()["errors"]] == ["not_supported_yet"], path
        assert requests.request(method, api.url + path, timeout=10).status_code == 401


def test_a_wrong_parameter_of_a_query_is_named_by_its_pointer(api, job):
    path = "/v1/jobs/" + job["id"]
    for query, pointer in (("/v1/jobs?limit=0", "/limit"), ("/v1/jobs?state=foo", "/state"), ("/v1/jobs?colour=red", "/colour"),
                           ("/v1/alerts?state=bad", "/state"), (path + "/logs?level=loud", "/level"),
                           (path + "/metrics?from=soon", "/from"), (path + "/metrics?from=20&to=10", "/from")):
        answer = api.call("GET", query)
        assert answer.status_code == 422, query
        assert [e["pointer"] for e in answer.json()["errors"]] == [pointer], (query, answer.json())
