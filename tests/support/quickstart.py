#!/usr/bin/python3
"""What ./quickstart needs beside the shell: it looks, kills and compares.

    quickstart.py ports N                       N free ports below 32768
    quickstart.py kill UP_PID DESTINATION_URL   kill -9 the worker twice on the way of the
                                                one job that writes to the destination: in the
                                                copy, and in the tail. Prints what it did as JSON
    quickstart.py verdict SOURCE DESTINATION WRITER_JSON KILLS_JSON SECONDS LAGS
                                                compare and say it; exit 0 equal, 5 different

The comparison is compare.py's: redis-py and the servers' own reading commands.
"""

import json
import os
import pathlib
import signal
import statistics
import sys
import time

import redis

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support import processes  # noqa: E402
from support.compare import compare  # noqa: E402
from support.ports import free_port  # noqa: E402
from support.workload import check_model  # noqa: E402

PATIENCE_SECONDS = 60


def ports(count):
    found = []
    while len(found) < count:
        port = free_port()
        if port not in found:
            found.append(port)
    print(*found)


def wait(condition, what):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise SystemExit("quickstart: %s did not happen within %d s" % (what, PATIENCE_SECONDS))
        time.sleep(0.01)


def workers(up):
    """The supervisors: children of `up`, not their children."""
    return [pid for pid in processes.children(up)
            if os.path.basename((processes.arguments(pid) or [""])[0]) == "keyferry-worker"]


def position(client):
    """(epoch, state) of the job's position hash, which only Keyferry's claims change."""
    for key in client.scan_iter(match="{kf}:*", count=10000):
        if client.type(key) == b"hash":
            epoch, state = client.hmget(key, "epoch", "state")
            return int(epoch or 0), (state or b"").decode()
    return 0, ""


def kill(up, url):
    client = redis.Redis.from_url(url)
    done = []

    def once(when, condition):
        wait(condition, "the " + when)
        epoch, _ = position(client)
        keys = sum(space["keys"] for space in client.info("keyspace").values())
        pid = wait(lambda: workers(up), "a worker")[0]
        os.kill(pid, signal.SIGKILL)
        began = time.monotonic()
        wait(lambda: position(client)[0] > epoch, "a new claim after a kill in the " + when)
        done.append({"when": when, "keys": keys, "seconds": time.monotonic() - began})

    once("copy", lambda: sum(s["keys"] for s in client.info("keyspace").values()) > 3000)
    once("tail", lambda: position(client)[1] == "tail")
    print(json.dumps(done))


def version(url):
    info = redis.Redis.from_url(url).info("server")
    if info.get("server_name") == "valkey":
        return "Valkey " + info["valkey_version"]
    return "Redis " + info["redis_version"]


def verdict(source, destination, writer, kills, seconds, lags):
    report = compare(source, destination)
    problems = check_model(destination, writer)
    good = report.equal and not problems
    keys = sum(there for there, _ in report.per_database.values())
    print("%s %s keys of %d types in %d databases from %s to %s, while %s writes came in." % (
        "Migrated" if good else "NOT the same:", format(keys, ","), len(report.types),
        len(report.per_database), version(source), version(destination),
        format(writer["commands"], ",")))
    line = "  caught up after %.1f s" % seconds
    if lags:
        line += "   lag p50 %d ms" % statistics.median(lags)
    if kills:
        line += "   worker killed -9 %s, resumed in %s s" % (
            "twice" if len(kills) == 2 else "%d times" % len(kills),
            " and ".join("%.1f" % row["seconds"] for row in kills))
    print(line)
    found = [len(part) for part in (report.missing, report.extra, report.differ, report.ttl)]
    gone = keys - report.equal_keys - found[0] - found[2] - found[3]
    print("  compared with redis-py, all keys both ways: %s equal, %d missing, %d doubled, "
          "%d different, %d TTL off%s" % (
              format(report.equal_keys, ","), *found,
              "; %d expired on both while they were read" % gone if gone > 0 else ""))
    print("  counters, lists and transfers of the writer: %s" % (
        "every effect is there exactly once" if not problems else "; ".join(problems)))
    print("  of ours, not counted: %d key%s on the destination, %d on the source" % (
        len(report.ours_destination), "" if len(report.ours_destination) == 1 else "s",
        len(report.ours_source)))
    if not report.equal:
        print(report)
    return 0 if good else 5


def main():
    words = sys.argv[1:]
    if words[:1] == ["ports"]:
        ports(int(words[1]))
    elif words[:1] == ["kill"]:
        kill(int(words[1]), words[2])
    elif words[:1] == ["verdict"]:
        source, destination, writer, kills, seconds, lags = words[1:]
        return verdict(source, destination, json.loads(writer), json.loads(kills or "[]"),
                       float(seconds), [int(lag) for lag in lags.split()])
    else:
        print(__doc__)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
