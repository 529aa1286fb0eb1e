"""The `check` process without its supervisor: a message in, items, facts and plan out.

    found = check(endpoint(source.port), endpoint(destination.port), checks=["dst.eviction"])
    found.items["dst.eviction"]["result"]
"""

import json
import os
import socket
import subprocess
import time

from support.processes import register
from support.service import OF_THE_MACHINE, program

PROBLEMS = ("warn", "fail", "error")


def endpoint(port, host="127.0.0.1", user="", tls=None):
    found = {"endpoints": [{"host": host, "port": port}], "auth": {"username": user},
             "connect_timeout_ms": 2000}
    if tls is not None:
        found["tls"] = dict(tls, enabled=True)
    return found


class Outcome:
    def __init__(self, items, done, status, seconds):
        self.items = {item["id"]: item for item in items}
        self.done, self.status, self.seconds = done, status, seconds

    def problems(self):
        return {i: item["result"] for i, item in self.items.items() if item["result"] in PROBLEMS}

    def text(self):
        """All of it, for a search; worth_reading() is for people."""
        return json.dumps([self.items, self.done])

    def worth_reading(self):
        return [i for i in self.items.values() if i["result"] in PROBLEMS] + [self.done]


def check(source, destination, spec=None, **members):
    """`members` are further ones of the message: checks=["dst.eviction"], worker={…}, job=…
    What only says that this machine is busy is looked at again, unless it was asked for."""
    for _ in range(4):
        found = check_once(source, destination, spec, **members)
        if not set(found.problems()) & OF_THE_MACHINE - set(members.get("checks", ())):
            break
    return found


def check_once(source, destination, spec, probe="full", credentials=None, env=None, **members):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 400000)
    ours.settimeout(70)
    began = time.monotonic()
    number = theirs.fileno()
    child = register(subprocess.Popen(
        [program("keyferry-worker"), "--child", "check", "test"], pass_fds=(3,),
        preexec_fn=lambda: os.dup2(number, 3),
        env={**os.environ, "KEYFERRY_EGRESS_ALLOW": "loopback unix", **(env or {})},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
    theirs.close()
    ours.send(json.dumps(dict(members, type="spec", source=source, destination=destination,
                              spec=spec or {}, probe=probe)).encode())
    items, done = [], None
    while True:
        message = ours.recv(200000)
        if not message:
            break
        message = json.loads(message)
        if message["type"] == "credentials":
            answer = (credentials or {}).get(message["end"], {})
            if "code" in answer:  # a role that gives none
                ours.send(json.dumps(dict(answer, type="credentials")).encode())
            else:
                ours.send(json.dumps({"type": "credentials", "credentials": answer}).encode())
        elif message["type"] == "check":
            items.append(message["item"])
        else:
            done = message
    ours.close()
    return Outcome(items, done, child.wait(20), time.monotonic() - began)
