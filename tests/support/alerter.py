"""A keyferry-alerter on the database of an ApiServer, and what its /metrics say.

    with Alerter(server) as alerter:
        alerter.value("keyferry_alerter_is_acting")
"""

import os
import subprocess
import time

import requests

from support import processes
from support.exposition import parse
from support.ports import free_port
from support.service import SANITIZER_WORDS, program

RETRIES = "1 1 1 1 1 1 2 2 2 2 5 5 5 5 5"


class Alerter:
    count = 0

    def __init__(self, server, port=None, retries=RETRIES):
        self.port = port or free_port()
        Alerter.count += 1
        self.output = server.home / ("alerter-%d" % Alerter.count)
        self.env = {"PATH": os.environ["PATH"], "KEYFERRY_DATABASE_URL": server.postgres.url,
                    "KEYFERRY_MASTER_KEY_FILE": server.env["KEYFERRY_MASTER_KEY_FILE"],
                    "KEYFERRY_WEBHOOK_HTTP_HOSTS": "127.0.0.1", "KEYFERRY_EGRESS_ALLOW": "loopback",
                    "KEYFERRY_WEBHOOK_RETRIES": retries,
                    "KEYFERRY_ALERTER_METRICS_LISTEN": "127.0.0.1:%d" % self.port}
        self.process = None

    def start(self):
        seen = self.output.stat().st_size if self.output.exists() else 0
        with open(self.output, "ab") as output:
            self.process = processes.register(subprocess.Popen(
                [program("keyferry-alerter")], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                cwd=self.output.parent, env=self.env))
        deadline = time.monotonic() + 120
        while "alerter.ready" not in self.output.read_text(errors="replace")[seen:]:
            assert self.process.poll() is None and time.monotonic() < deadline, self.output.read_text()
            time.sleep(0.02)
        return self

    def metrics(self):
        answer = requests.get("http://127.0.0.1:%d/metrics" % self.port, timeout=20)
        assert answer.status_code == 200
        return parse(answer.text)

    def value(self, name, **labels):
        return [v for found, v in self.metrics()[name].samples if all(found.get(k) == w for k, w in labels.items())][0]

    def wait_acting(self, timeout=40):
        deadline = time.monotonic() + timeout
        while not self.value("keyferry_alerter_is_acting"):
            assert time.monotonic() < deadline, self.output.read_text()
            time.sleep(0.05)

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            assert self.process.wait(90) == 0
        spoken = SANITIZER_WORDS.search(self.output.read_text(errors="replace"))
        assert not spoken, self.output.read_text()[spoken.start():][:2000]

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
