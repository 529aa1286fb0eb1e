"""A real keyferry-api on a real private PostgreSQL, without workers.

    with ApiServer(postgres) as api:
        api.call("POST", "/v1/jobs", {...}).json()

What a worker would write is written by the tests themselves, as SQL.
"""

import hashlib
import os
import pathlib
import re
import secrets
import shutil
import subprocess
import tempfile
import time

import requests

from support import processes
from support.service import SANITIZER_WORDS, program

ULID = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def make_id(prefix):
    return prefix + "_" + "".join(secrets.choice(ULID[:8] if i == 0 else ULID) for i in range(26))


class ApiServer:
    def __init__(self, postgres, env=None):
        self.postgres = postgres
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="kf-api-"))
        self.output = self.home / "output"
        master = self.home / "master.key"
        master.write_text("1 " + secrets.token_hex(32) + "\n")
        master.chmod(0o600)
        self.env = {"KEYFERRY_DATABASE_URL": postgres.url, "KEYFERRY_LISTEN": "127.0.0.1:0",
                    "KEYFERRY_METRICS_LISTEN": "off", "KEYFERRY_MASTER_KEY_FILE": str(master),
                    "KEYFERRY_LOG_LEVEL": "debug", "KEYFERRY_API_REQUESTS_PER_SECOND": "100000"}
        self.env.update(env or {})
        self.process = None
        self.port = None
        self.http = requests.Session()
        self.http.trust_env = False
        self.db = None
        self.account = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    def start(self, ready=True):
        with open(self.output, "ab") as output:
            self.process = processes.register(subprocess.Popen(
                [program("keyferry-api")], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                cwd=self.home, env={"PATH": os.environ["PATH"], **self.env}))
        self.port = int(self._await_output(r"listening on (\d+)\n"))
        if ready:
            self.await_ready()
        return self

    def _await_output(self, pattern, timeout=120):
        seen = 0 if self.port is None else self._started_at
        deadline = time.monotonic() + timeout
        while True:
            text = self.output.read_text(errors="replace")
            found = re.findall(pattern, text[seen:])
            if found:
                self._started_at = len(text)
                return found[-1]
            assert self.process.poll() is None and time.monotonic() < deadline, text
            time.sleep(0.02)

    def await_ready(self, timeout=120):
        deadline = time.monotonic() + timeout
        while requests.get(self.url + "/readyz", timeout=10).status_code != 200:
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)
        self.db = self.db or self.postgres.connect()
        if self.account is None:
            self.account = self.add_account("tests")
            self.key = self.add_key(self.account, "admin")
            self.http.headers["Authorization"] = "Bearer " + self.key

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    def log(self):
        return self.output.read_text(errors="replace")

    # ---- what an administrator's tool would do

    def sql(self, statement, *values):
        with self.db.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else None

    def add_account(self, name):
        account = make_id("acct")
        self.sql("INSERT INTO account (id, name, is_operator)"
                 " VALUES (%s, %s, NOT EXISTS (SELECT 1 FROM account))", account, name)
        return account

    def add_key(self, account, scopes, expired=False):
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
        prefix = "".join(secrets.choice("0123456789abcdefghjkmnpqrstvwxyz") for _ in range(8))
        key = "kf_%s_%s" % (prefix, "".join(secrets.choice(letters) for _ in range(43)))
        self.sql("INSERT INTO api_key (id, account, name, prefix, hash, scopes, expires_at)"
                 " VALUES (%s, %s, 'test', %s, %s, %s, " + ("now() - interval '1 s'" if expired else "NULL") + ")",
                 make_id("ak"), account, prefix, hashlib.sha256(key.encode()).digest(), scopes)
        return key

    # ---- calls

    def call(self, method, path, body=None, **options):
        options.setdefault("timeout", 60)
        if body is not None:
            options["json"] = body
        return self.http.request(method, self.url + path, **options)

    def get(self, path, expect=200, **options):
        return self._expect(self.call("GET", path, **options), expect)

    def post(self, path, body=None, expect=(200, 201, 202), **options):
        return self._expect(self.call("POST", path, {} if body is None else body, **options), expect)

    @staticmethod
    def _expect(response, expect):
        wanted = (expect,) if isinstance(expect, int) else expect
        assert response.status_code in wanted, (response.status_code, response.text)
        return response.json()

    # ---- the end

    def stop(self, timeout=90):
        if self.process is None or self.process.poll() is not None:
            return self.process and self.process.returncode
        self.process.terminate()
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
            return "did not stop within %d s" % timeout

    def close(self):
        code = self.stop()
        text = self.log()
        if self.db:
            self.db.close()
        shutil.rmtree(self.home, ignore_errors=True)
        spoken = SANITIZER_WORDS.search(text)
        assert not spoken, text[spoken.start():spoken.start() + 3000]
        assert code in (0, None, -9), (code, text[-3000:])
