"""Stands before a real server and answers some commands otherwise: facts that no server on this
machine can have (a petabyte of data, another product, a clock that is wrong).

    with LyingServer(source.port, {"INFO": lambda reply: reply.replace(b"a", b"b")}, delay=0.02) as liar:
        check(endpoint(liar.port), ...)

A row maps a command's name to a function of the reply's bytes, as they came, RESP and all; `delay`
seconds pass before each answer.
"""

import re
import socket
import threading
import time

from support.ports import free_port


class _Reader:
    def __init__(self, sock):
        self.sock, self.buffer = sock, b""

    def line(self):
        while b"\r\n" not in self.buffer:
            self._more()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line + b"\r\n"

    def exactly(self, count):
        while len(self.buffer) < count:
            self._more()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def _more(self):
        data = self.sock.recv(65536)
        if not data:
            raise EOFError
        self.buffer += data

    def value(self):
        """One RESP2 value, as it is written."""
        line = self.line()
        count = int(line[1:]) if line[:1] in b"$*" else -1
        if line[:1] == b"$" and count >= 0:
            return line + self.exactly(count + 2)
        if line[:1] == b"*":
            return line + b"".join(self.value() for _ in range(max(count, 0)))
        return line


def bulk(text):
    return b"$%d\r\n%s\r\n" % (len(text), text)


def fields(**values):
    """For INFO: lines get other values, or are added."""
    def edit(reply):
        text = reply.split(b"\r\n", 1)[1]
        for name, value in values.items():
            line = ("%s:%s" % (name, value)).encode()
            text, found = re.subn(b"(?m)^" + name.encode() + rb":[^\r\n]*", line, text)
            if not found:
                text = line + b"\r\n" + text
        return bulk(text[:-2])
    return edit


class LyingServer:
    def __init__(self, port, lies, delay=0, host="127.0.0.1"):
        self.upstream, self.lies, self.delay = port, lies, delay
        self.listener = socket.socket()
        self.port = free_port()
        self.listener.bind((host, self.port))
        self.listener.listen(50)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        server = socket.create_connection(("127.0.0.1", self.upstream))
        from_client, from_server = _Reader(client), _Reader(server)
        try:
            while True:
                request = from_client.value()
                server.sendall(request)
                reply = from_server.value()
                name = request.split(b"\r\n")[2].upper().decode()
                if self.delay:
                    time.sleep(self.delay)
                client.sendall(self.lies[name](reply) if name in self.lies else reply)
        except (EOFError, OSError):
            pass
        finally:
            client.close()
            server.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
