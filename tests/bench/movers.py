"""Who moves the data: native replication, Keyferry, and peers named in the environment."""

import os
import shlex
import subprocess
import sys

from support import processes
from support.service import Service


class Native:
    """REPLICAOF: the destination itself does the work."""

    name = "native replication"

    def start(self, source, destination):
        client = destination.client()
        if source.tls:
            client.config_set("tls-replication", "yes")
        client.execute_command("REPLICAOF", "127.0.0.1", source.tls_port if source.tls else source.port)

    def pids(self):
        return {}

    def stop(self, destination):
        destination.client().execute_command("REPLICAOF", "NO", "ONE")

    def close(self):
        pass


class Keyferry:
    name = "Keyferry"

    def __init__(self):
        self.service = Service(env={"KEYFERRY_FULL_SYNCS_PER_HOUR": "1000"}).start()
        self.job = None

    def prepare(self, source, destination, port=None):
        """Create and check the job; `port` is where the destination is reached."""
        self.job = self.service.job(None, None, source=end(source), destination=end(destination, port))
        found = self.job.precheck(ignore_warnings=True)
        if found["state"] != "passed":
            sys.exit("the precheck did not pass: %s" % found)

    def start(self, source, destination):
        self.job.act("start")

    def pids(self):
        return {role: pids[0] for role, pids in self.service.roles().items()
                if role in ("receive", "apply", "worker")}

    def stop(self, destination):
        self.job.stop(drain=False)

    def close(self):
        self.service.close()


class Peer:
    def __init__(self, name, command):
        self.name, self.command, self.process = name, command, None

    def start(self, source, destination):
        self.process = processes.register(subprocess.Popen(
            shlex.split(self.command) + [str(source.port), str(destination.port)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True))

    def pids(self):
        family = [self.process.pid] + processes.descendants(self.process.pid)
        return {"%s %d" % (self.name, i) if i else self.name: pid for i, pid in enumerate(family)}

    def stop(self, destination):
        family = [self.process.pid] + processes.descendants(self.process.pid)
        self.process.terminate()
        processes.end(family)
        self.process.wait()

    def close(self):
        pass


def end(server, port=None):
    """One end of a job, as the API takes it."""
    if not server.tls:
        return {"url": server.url(port=port)}
    return {"inline": {"endpoints": [{"host": "127.0.0.1", "port": port or server.tls_port}],
                       "tls": {"enabled": True, "ca_pem": server.tls.ca()}}}


def movers(only):
    makers = {"native": Native, "keyferry": Keyferry}
    for variable, command in sorted(os.environ.items()):
        if variable.startswith("KF_BENCH_PEER_"):
            name = variable[len("KF_BENCH_PEER_"):].lower()
            makers[name] = lambda name=name, command=command: Peer(name, command)
    return [make for name, make in makers.items() if not only or name in only]


def memory_kb(pid):
    """(peak resident, private now) of a process, in KiB."""
    private = 0
    try:
        with open("/proc/%d/smaps_rollup" % pid) as file:
            private = sum(int(line.split()[1]) for line in file if line.startswith("Private_"))
    except OSError:
        pass
    peak = processes.status(pid).get("VmHWM", "0 kB").split()[0]
    return int(peak), private
