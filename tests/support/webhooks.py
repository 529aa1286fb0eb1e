"""A receiver of webhooks on loopback, and Standard Webhooks verified from its text alone.

    with Receiver() as receiver:
        endpoint = service.request("POST", "/v1/webhook-endpoints", {"url": receiver.url})
        receiver.secret = endpoint["secret"]
        notice = receiver.wait(lambda n: n["type"] == "alert.firing")

What does not verify is kept apart, in `refused`. `answer` is what is answered: a status, or a
function of the request that returns one (and may be slow).
"""

import base64
import hashlib
import hmac
import http.server
import json
import threading
import time

from support.ports import free_port


def signature_is_good(secret, headers, body, tolerance_seconds=300):
    """webhook-signature: "v1,<base64 of HMAC-SHA256 of id.timestamp.body>", several with blanks."""
    key = base64.b64decode(secret[len("whsec_"):])
    timestamp = headers["webhook-timestamp"]
    if abs(time.time() - int(timestamp)) > tolerance_seconds:
        return False
    signed = b".".join([headers["webhook-id"].encode(), timestamp.encode(), body])
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    versions = [word.split(",", 1) for word in headers["webhook-signature"].split(" ")]
    return any(version == "v1" and hmac.compare_digest(value, expected) for version, value in versions)


class Receiver:
    def __init__(self, answer=200, secret=None):
        self.answer, self.secret = answer, secret
        self.port = free_port()
        self.notices, self.refused, self.requests = [], [], 0
        self.server = self.thread = None

    @property
    def url(self):
        return "http://127.0.0.1:%d/hook" % self.port

    def start(self):
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                receiver.requests += 1
                status = receiver.take(self.headers, body)
                extra = {}
                if isinstance(status, tuple):
                    status, extra = status
                self.send_response(status)
                for name, value in extra.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "4")
                self.end_headers()
                self.wfile.write(b"seen")

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            allow_reuse_address = True
            daemon_threads = True

            def handle_error(self, *_):
                pass  # a client that gave up

        self.server = Server(("127.0.0.1", self.port), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()
        return self

    def take(self, headers, body):
        status = self.answer(headers, body) if callable(self.answer) else self.answer
        good = self.secret is None or signature_is_good(self.secret, headers, body)
        notice = {"id": headers.get("webhook-id"), "headers": dict(headers), "at": time.monotonic(),
                  "status": status, "body": json.loads(body)}
        if isinstance(notice["body"], dict):
            notice["type"] = notice["body"].get("type")
        (self.notices if good else self.refused).append(notice)
        return status

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def of(self, kind, delivered=True):
        """Notices of a type that were answered with success."""
        return [n for n in list(self.notices) if n.get("type") == kind and (not delivered or n["status"] == 200)]

    def wait(self, condition, timeout=40):
        deadline = time.monotonic() + timeout
        while True:
            for notice in list(self.notices):
                if condition(notice):
                    return notice
            assert time.monotonic() < deadline, (self.notices, self.refused)
            time.sleep(0.05)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
