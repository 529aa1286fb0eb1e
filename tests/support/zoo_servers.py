"""The servers of tests/support/zoo: where each is, or why it is not there.

    servers = zoo_servers(seconds=30)
    RedisServer(binary=servers["redis-8.0"])      # skips the test, with the reason, without it
"""

import os
import pathlib
import signal
import subprocess

import pytest

SCRIPT = pathlib.Path(__file__).with_name("zoo")
NAMES = tuple(subprocess.run([SCRIPT, "--list"], capture_output=True, text=True, check=True).stdout.split())


class Servers:
    def __init__(self, found, problem):
        self.found, self.problem = found, problem

    def __getitem__(self, name):
        if name not in self.found:
            pytest.skip("%s is not in the zoo: %s" % (name, self.problem.get(name, self.problem[""])))
        return self.found[name]


def zoo_servers(seconds):
    """What is there; what is not is fetched as far as that goes in so many seconds."""
    process = subprocess.Popen([SCRIPT], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        _, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        errors = process.communicate()[1] + "zoo: unpacking took more than %d s; run tests/support/zoo" % seconds
    problem = {"": " ".join(errors.split("\n")[-2:]).strip() or "tests/support/zoo says nothing"}
    for line in errors.splitlines():
        words = line.split()
        if line.startswith("zoo: ") and len(words) > 2 and words[1] in NAMES:
            problem[words[1]] = line[len("zoo: "):]
    bin_dir = SCRIPT.parents[2] / "build" / "zoo" / "bin"
    return Servers({name: str(bin_dir / name) for name in NAMES if (bin_dir / name).exists()}, problem)
