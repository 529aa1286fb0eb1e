"""A private PostgreSQL for tests, on a unix socket in a temporary directory.

PostgreSQL refuses to run as root, so as root it runs as `postgres` or `nobody`.
"""

import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

import psycopg2

from support import processes


def _programs():
    """The newest installed version's folder of programs."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"),
                   key=lambda p: int(p.parts[-3]))
    if found:
        return found[-1].parent
    path = shutil.which("initdb")
    if not path:
        raise RuntimeError("PostgreSQL's server programs are not installed")
    return pathlib.Path(path).parent


def _user():
    """The user to run as, or None when we are no root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            pass
    raise RuntimeError("neither the user postgres nor nobody exists")


class Postgres:
    def __init__(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="kf-pg-"))
        self.user = _user()
        if self.user:
            os.chown(self.home, self.user.pw_uid, self.user.pw_gid)
        self.process = None
        try:
            self._create()
        except BaseException:
            self.close()
            raise

    def _create(self):
        self._run("initdb", "-D", str(self.home / "data"), "-U", "keyferry", "--no-sync",
                  "-A", "trust", "-E", "UTF8", "--locale=C")
        self.start()
        db = psycopg2.connect(self.url.replace("/keyferry?", "/postgres?"))
        db.autocommit = True
        db.cursor().execute("CREATE DATABASE keyferry")
        db.close()

    @property
    def url(self):
        return "postgresql:///keyferry?host=%s&user=keyferry" % self.home

    def _options(self):
        options = {"cwd": self.home, "stdin": subprocess.DEVNULL}
        if self.user:
            options.update(user=self.user.pw_uid, group=self.user.pw_gid, extra_groups=[])
        return options

    def _run(self, program, *arguments):
        subprocess.run([str(_programs() / program), *arguments], check=True,
                       stdout=subprocess.DEVNULL, **self._options())

    def start(self):
        log = open(self.home / "log", "ab")
        self.process = processes.register(subprocess.Popen(
            [str(_programs() / "postgres"), "-D", str(self.home / "data"), "-k", str(self.home),
             "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=50"],
            stdout=log, stderr=log, **self._options()))
        log.close()
        deadline = time.monotonic() + 120
        while True:
            try:
                psycopg2.connect(self.url.replace("/keyferry?", "/postgres?")).close()
                return self
            except psycopg2.OperationalError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("PostgreSQL did not start: " + (self.home / "log").read_text())
                time.sleep(0.05)

    def stop(self, how=signal.SIGINT):
        """SIGINT is PostgreSQL's fast shutdown."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(90)

    def connect(self):
        db = psycopg2.connect(self.url)
        db.autocommit = True
        return db

    def close(self):
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)
