"""Free TCP ports on loopback, below the range the kernel hands to clients.

A port of the ephemeral range may be taken by an outgoing connection between two
starts of a server, so tests that restart one choose below 32768.
"""

import os
import random
import socket

# Runs beside each other have a part of their own: a server that is down for a moment keeps its port.
LOWEST, HIGHEST = map(int, os.environ.get("KF_TEST_PORTS", "15000-32000").split("-"))
_chooser = random.SystemRandom()
_given = set()


def free_port():
    """A port nobody listens on now, and that was not given before: a job of an earlier test may still
    name it. Another process can still be faster, so whoever starts a server tries again with another
    one when it does not come up."""
    for _ in range(1000):
        port = _chooser.randrange(LOWEST, HIGHEST)
        if port in _given:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            _given.add(port)
            return port
    raise RuntimeError("no free port between %d and %d" % (LOWEST, HIGHEST))
