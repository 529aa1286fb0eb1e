"""Looking at processes through /proc, and ending exactly those that are ours.

A process is found by descent from this one, never by name: pytest makes itself
the reaper of its descendants, so that what survives a killed `keyferry up`
(PostgreSQL does) stays in its tree.
"""

import ctypes
import os
import signal
import time

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    """Descendants whose parent dies become children of this process, not of init."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def children(pid):
    found = []
    try:
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/children" % (pid, task)) as file:
                found += [int(word) for word in file.read().split()]
    except OSError:
        pass
    return found


def descendants(pid):
    """Every process below `pid`, parents before their children."""
    found, queue = [], [pid]
    while queue:
        for child in children(queue.pop(0)):
            found.append(child)
            queue.append(child)
    return found


def arguments(pid):
    """The command line as a list; [] for a zombie or a process that is gone."""
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as file:
            return [a.decode(errors="replace") for a in file.read().split(b"\0") if a]
    except OSError:
        return []


def status(pid):
    """The fields of /proc/PID/status as a dict; empty when the process is gone."""
    try:
        with open("/proc/%d/status" % pid) as file:
            return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    except OSError:
        return {}


def alive(pid):
    """Running or stopped; a zombie is dead."""
    return status(pid).get("State", "Z")[:1] not in ("Z", "X")


def cpu_seconds(pid):
    """What it used so far; 0 when it is gone."""
    try:
        with open("/proc/%d/stat" % pid) as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return 0.0


def send(pid, signal_number):
    """True when the process was there to get the signal."""
    try:
        os.kill(pid, signal_number)
        return True
    except ProcessLookupError:
        return False


def reap():
    """Collect adopted zombies. Children that register() knows are left to their
    owner, who wants their exit code."""
    owned = {p.pid for p in _popens if p.returncode is None}
    for pid in children(os.getpid()):
        if pid not in owned and not alive(pid):
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass


_popens = []


def register(popen):
    """Tell reap() that this child has an owner who will wait for it."""
    _popens[:] = [p for p in _popens if p.returncode is None]
    _popens.append(popen)
    return popen


def wait_gone(pids, timeout):
    """Wait until none of them runs; returns those that still do."""
    deadline = time.monotonic() + timeout
    while True:
        reap()
        left = [pid for pid in pids if alive(pid)]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.02)


def end(pids, grace=5.0):
    """SIGTERM (and SIGCONT, for the stopped), then SIGKILL, by pid."""
    for pid in pids:
        send(pid, signal.SIGTERM)
        send(pid, signal.SIGCONT)
    for pid in wait_gone(pids, grace):
        send(pid, signal.SIGKILL)
    return wait_gone(pids, 5.0)


def end_leftovers():
    """End all descendants of this process; returns what they were."""
    reap()
    left = [pid for pid in descendants(os.getpid()) if alive(pid)]
    names = ["%d %s" % (pid, " ".join(arguments(pid))[:120]) for pid in left]
    end(left, grace=2.0)
    return names
