"""A TCP proxy on loopback that misbehaves on command. Stands between Keyferry and a
server, in place of the packet rules a test machine does not have.

    with Proxy(destination.port) as proxy:
        url = destination.url(port=proxy.port)
        proxy.cut()                  # reset every connection; new ones are served
        proxy.stall()                # connections of now stand still, both ways; new ones are served
        proxy.stall(requests=False)  # only what the server answers is held back
        proxy.hold_after(b"EXEC\\r\\n")  # requests of connections of now stand still behind the word
        proxy.release()              # what was held back is delivered, also for a client that is gone
        proxy.rate = 50_000          # bytes a second and direction, for all connections
        proxy.slices = (1, 900)      # forward in pieces of random sizes
        proxy.refuse = True          # new connections are closed at once
        proxy.inject(b"...")         # the server seems to say this in its replication stream
        proxy.mute = True            # new connections are accepted and stand still, both ways
        proxy.rewrite = (b"one", b"other")  # words, both ways, where they come in one piece
        proxy.stream_lag = 10        # the replication stream arrives so many seconds late, at its own pace

What a dead client had sent before it died stays in the proxy while it is stalled and
is delivered by release(): that is how a unit arrives late.
"""

import queue
import random
import socket
import struct
import threading
import time


class _Direction(threading.Thread):
    """Copies one way until the reader ends."""

    def __init__(self, link, reader, writer):
        super().__init__(daemon=True)
        self.link, self.reader, self.writer = link, reader, writer
        self.gate = threading.Event()
        self.gate.set()
        self.held = 0  # bytes that wait at the gate
        self.hold_after = None
        self.moved = 0  # bytes
        self.follows = False  # it acknowledged a replication stream
        self.late = None  # (when it is due, bytes): what a lag of the stream holds back

    def run(self):
        proxy = self.link.proxy
        try:
            while True:
                data = self.reader.recv(65536)
                if not data:
                    break
                self.follows = self.follows or b"\r\nACK\r\n" in data
                if self.link.proxy.rewrite:
                    data = data.replace(*self.link.proxy.rewrite)
                word = self.hold_after
                if word and word in data:
                    at = data.index(word) + len(word)
                    self.gate.clear()
                    self.hold_after = None
                    self._forward(proxy, data[:at])
                    data = data[at:]
                self.held = len(data)
                self.gate.wait()
                self.held = 0
                if self.late or (proxy.stream_lag and self is self.link.replies and self.link.requests.follows):
                    self._forward_later(proxy, data)
                else:
                    self._forward(proxy, data)
        except OSError:
            pass
        self.gate.wait()
        if self.late:
            self.late.put(None)
        self.link.half_closed(self)

    def _forward_later(self, proxy, data):
        """All that follows on this connection, too: a stream keeps its order."""
        if not self.late:
            self.late = queue.Queue()
            threading.Thread(target=self._deliver, args=(proxy,), daemon=True).start()
        self.late.put((time.monotonic() + proxy.stream_lag, data))

    def _deliver(self, proxy):
        try:
            for due, data in iter(self.late.get, None):
                time.sleep(max(0, due - time.monotonic()))
                self._forward(proxy, data)
        except OSError:
            pass

    def _forward(self, proxy, data):
        at = 0
        while at < len(data):
            size = len(data) - at
            if proxy.slices:
                size = proxy.random.randint(*proxy.slices)
            if proxy.rate:
                size = min(size, max(1, proxy.rate // 20))
            if proxy.delay:
                time.sleep(proxy.delay)
            piece = data[at:at + min(size, self.link.budget())]
            size = len(piece)
            self.writer.sendall(piece)
            at += size
            self.moved += len(piece)
            proxy.moved += len(piece)
            if self.link.budget() <= 0:
                self.link.end_of_life()
                return
            if proxy.rate:
                time.sleep(len(piece) / proxy.rate)


class _Link:
    def __init__(self, proxy, client):
        self.proxy, self.client = proxy, client
        self.server = socket.create_connection(("127.0.0.1", proxy.target), timeout=10)
        self.server.settimeout(None)
        for end in (self.client, self.server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.requests = _Direction(self, self.client, self.server)
        self.replies = _Direction(self, self.server, self.client)
        self.is_half_open = self.is_over = False
        # Where in its bytes, of both directions, it will be reset.
        self.life = proxy.random.expovariate(1 / proxy.reset_after) if proxy.reset_after else None

    def budget(self):
        """Bytes it may still move."""
        if self.life is None:
            return 1 << 30
        return max(0, int(self.life) - self.requests.moved - self.replies.moved)

    def end_of_life(self):
        with self.proxy.lock:
            self.proxy.resets += not self.is_over
            self.is_over = True
        self.close(reset=True)

    def half_open(self, side):
        """The end towards `side` is gone, the other is left standing, and nobody says so."""
        self.is_half_open = True
        gone = self.client if side == "client" else self.server
        try:
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            gone.shutdown(socket.SHUT_RD)  # wakes who reads from it, and tells the peer nothing
        except OSError:
            pass
        gone.close()

    def start(self):
        self.requests.start()
        self.replies.start()

    def half_closed(self, direction):
        """The reader of one direction has ended and everything it gave was delivered."""
        if self.is_half_open:
            return
        other = self.replies if direction is self.requests else self.requests
        if direction is self.requests:
            # A client that died: the server sees the end after the last byte.
            try:
                self.server.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        else:
            self.close()
        if not other.is_alive():
            self.close()

    def close(self, reset=False):
        for end in (self.client, self.server):
            try:
                if reset:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()
        for direction in (self.requests, self.replies):
            direction.gate.set()
        self.proxy.forget(self)


class Proxy:
    def __init__(self, target, seed=1):
        self.target = target
        self.rate, self.slices, self.delay, self.refuse, self.mute = 0, None, 0, False, False
        self.reset_after, self.resets, self.stream_lag = 0, 0, 0
        self.rewrite = None
        self.random = random.Random(seed)
        self.moved = 0  # bytes, both ways
        self.accepted = 0
        self._links, self.lock = [], threading.Lock()
        from support.ports import free_port

        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for attempt in range(5):
            try:
                self.port = free_port()
                self._listener.bind(("127.0.0.1", self.port))
                break
            except OSError:
                if attempt == 4:
                    raise
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.refuse:
                client.close()
                continue
            try:
                link = _Link(self, client)
            except OSError:  # the server is down: so are we
                client.close()
                continue
            if self.mute:
                link.requests.gate.clear()
                link.replies.gate.clear()
            with self.lock:  # known before its first byte moves
                self._links.append(link)
                self.accepted += 1
            link.start()

    def forget(self, link):
        with self.lock:
            if link in self._links:
                self._links.remove(link)

    def links(self):
        with self.lock:
            return list(self._links)

    def cut(self):
        """Reset every connection of now. Returns how many there were."""
        links = self.links()
        for link in links:
            link.close(reset=True)
        return len(links)

    def half_open(self, side):
        """Returns how many connections are half open now that were whole."""
        links = [link for link in self.links() if not link.is_half_open]
        for link in links:
            link.half_open(side)
        return len(links)

    def stall(self, requests=True, replies=True):
        links = self.links()
        for link in links:
            if requests:
                link.requests.gate.clear()
            if replies:
                link.replies.gate.clear()
        return links

    def hold_after(self, word):
        for link in self.links():
            link.requests.hold_after = word

    def release(self):
        for link in self.links():
            link.requests.hold_after = None
            link.requests.gate.set()
            link.replies.gate.set()

    def inject(self, data):
        """Between two pieces of the stream. Returns to how many followers it went."""
        links = [link for link in self.links() if link.requests.follows]
        for link in links:
            link.replies.writer.sendall(data)
        return len(links)

    def held(self):
        """Bytes of requests that wait in stalled connections."""
        return sum(link.requests.held for link in self.links())

    def close(self):
        self._listener.close()
        self.cut()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
