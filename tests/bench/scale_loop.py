# SPDX-License-Identifier: GPL-2.0-or-later
"""One thread that talks to hundreds of hosts: sockets, times, and a small HTTP client over kept-alive
connections. Small because the machine that is measured pays for it."""
import collections
import heapq
import itertools
import selectors
import socket
import time


IDLE_S = 30  # half of what a server keeps a connection for: it must not close it just when it is used again


class Loop:
    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.timers = []
        self.order = itertools.count()

    def at(self, when, call):
        heapq.heappush(self.timers, (when, next(self.order), call))

    def after(self, seconds, call):
        self.at(time.monotonic() + seconds, call)

    def run(self, is_done, seconds):
        """Works until is_done() or for that long; whether it is done."""
        end = time.monotonic() + seconds
        while not is_done():
            now = time.monotonic()
            if now >= end:
                return False
            wait = min(end - now, 0.2)  # is_done may ask for something that wakes nobody
            if self.timers:
                wait = min(wait, max(0, self.timers[0][0] - now))
            for key, events in self.selector.select(wait):
                key.data(events)
            now = time.monotonic()
            while self.timers and self.timers[0][0] <= now:
                heapq.heappop(self.timers)[2]()
        return True

    def rest(self, seconds):
        self.run(lambda: False, seconds)


class Client:
    """Asks one server one thing at a time, in order. done(status, body): status 0 when there was no answer."""

    def __init__(self, loop, address, port):
        self.loop, self.server = loop, (address, port)
        self.name = f"{address}:{port}"
        self.waiting = collections.deque()
        self.socket = None
        self.asked = 0
        self.used = 0  # when the socket was last

    def ask(self, path, done, method="GET"):
        length = "" if method == "GET" else "Content-Length: 0\r\n"
        self.waiting.append((f"{method} {path} HTTP/1.1\r\nHost: {self.name}\r\n{length}\r\n".encode(), done))
        if len(self.waiting) == 1:
            self.send()

    def send(self):
        self.asked += 1
        self.received = b""
        if time.monotonic() - self.used > IDLE_S:
            self.close()
        try:
            if not self.socket:
                self.socket = socket.socket()
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                # Loopback: it is accepted or refused at once.
                self.socket.connect(self.server)
                self.socket.setblocking(False)
                self.loop.selector.register(self.socket, selectors.EVENT_READ, self.read)
            self.socket.send(self.waiting[0][0])
        except OSError:
            self.loop.after(0, lambda: self.answer(0, b""))

    def read(self, _events):
        try:
            data = self.socket.recv(1 << 20)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            if self.waiting:
                self.answer(0, b"")
            else:
                self.close()  # it had been idle for too long
            return
        self.received += data
        head = self.received.find(b"\r\n\r\n")
        if head < 0:
            return
        status = int(self.received[9:12])
        at = self.received.lower().find(b"content-length:", 0, head)
        length = int(self.received[at + 15:self.received.find(b"\r", at)]) if at > 0 else 0
        if len(self.received) >= head + 4 + length:
            self.answer(status, self.received[head + 4:])

    def close(self):
        if self.socket:
            try:
                self.loop.selector.unregister(self.socket)
            except KeyError:
                pass
            self.socket.close()
            self.socket = None

    def answer(self, status, body):
        self.used = time.monotonic()
        if not status:
            self.close()
        _, done = self.waiting.popleft()
        if self.waiting:
            self.send()
        done(status, body)
