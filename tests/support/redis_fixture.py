"""A throw-away redis-server on loopback: started on a free port in a temporary
directory, stopped by pid, nothing left behind.

    with RedisServer("--maxmemory", "50mb") as server:
        server.client(db=3).set("a", 1)
        server.url(3)                 # redis://127.0.0.1:PORT/3

`KF_REDIS_SERVER` names another binary (a Valkey, another version).
"""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import redis

from support.ports import free_port
from support.processes import register


class RedisServer:
    def __init__(self, *arguments, binary=None, databases=16, password=None):
        self.binary = binary or os.environ.get("KF_REDIS_SERVER", "redis-server")
        self.arguments = list(arguments)
        self.databases = databases
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="kf-redis-"))
        self.log = self.directory / "log"
        self.process = None
        self.port = None
        self.password = password
        if password:
            self.arguments += ["--requirepass", password, "--masterauth", password]
        for _ in range(5):
            self.port = free_port()
            try:
                self.start()
                return
            except RuntimeError as why:
                problem = why
        shutil.rmtree(self.directory, ignore_errors=True)
        raise problem

    def start(self, timeout=60):
        """Start, or start again on the same port and directory after kill()."""
        command = [self.binary, "--port", str(self.port), "--bind", "127.0.0.1",
                   "--dir", str(self.directory), "--logfile", str(self.log),
                   "--databases", str(self.databases), "--daemonize", "no",
                   "--repl-diskless-sync-delay", "0"]
        if "--save" not in self.arguments:
            command += ["--save", ""]
        return self.start_command(command + self.arguments, timeout)

    def start_command(self, command, timeout):
        self.process = register(subprocess.Popen(
            command, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                # Another server may have been faster to take the port.
                if self.client().info("server")["process_id"] == self.process.pid:
                    self.client().ping()  # refused while it loads its data; INFO is not
                    return self
                break
            except redis.exceptions.AuthenticationError:
                return self
            except redis.exceptions.RedisError:
                time.sleep(0.02)
        self.kill()
        text = self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""
        raise RuntimeError("%s did not come up on port %s: %s" % (self.binary, self.port, text))

    def client(self, db=0, **options):
        """A redis-py client. Bytes in, bytes out."""
        options.setdefault("password", self.password)
        options.setdefault("socket_timeout", 30)
        return redis.Redis(host="127.0.0.1", port=self.port, db=db, **options)

    def url(self, db=None, port=None, user=None):
        """`port` goes through a proxy; `user` is "user:password"."""
        who = "%s@" % user if user else ":%s@" % self.password if self.password else ""
        path = "" if db is None else "/%d" % db
        return "redis://%s127.0.0.1:%d%s" % (who, port or self.port, path)

    def offset(self):
        return self.client().info("replication")["master_repl_offset"]

    def calls(self, command):
        """How often this server has run a command, by INFO commandstats."""
        stats = self.client().info("commandstats").get("cmdstat_" + command, {})
        return stats.get("calls", 0)

    def counts(self):
        """{database: keys}, of databases that hold any."""
        space = self.client().info("keyspace")
        return {int(name[2:]): values["keys"] for name, values in space.items()}

    def stop(self, timeout=30):
        """In order, writing what `--save` or AOF ask for."""
        self._end(signal.SIGTERM, timeout)

    def kill(self):
        self._end(signal.SIGKILL, 10)

    def _end(self, signal_number, timeout):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(signal_number)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)

    def close(self):
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
