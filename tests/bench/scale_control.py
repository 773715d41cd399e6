# SPDX-License-Identifier: GPL-2.0-or-later
"""The control: what serf's own events take to all agents, before any virtxd runs. Ours cannot be faster."""
import selectors
import socket
import struct
import time

from scale_gossip import Cut, request, text, unpack

NAME = b"control"


def event(seq, payload):
    """A request that the agent tells the others; payload is below 256 bytes."""
    return (b"\x82" + text("Command") + text("event") + text("Seq") + b"\xcd" + struct.pack(">H", seq) +
            b"\x83" + text("Name") + text(NAME.decode()) +
            text("Payload") + b"\xda" + struct.pack(">H", len(payload)) + payload + text("Coalesce") + b"\xc2")


class Listener:
    """A connection to one agent, which hands on all events; told(number) for each of ours."""

    def __init__(self, loop, address, told):
        self.loop, self.told, self.data, self.seq = loop, told, b"", 2
        self.socket = socket.create_connection((address, 7373))
        self.socket.sendall(request(1, "handshake", "Version", b"\x01") + request(2, "stream", "Type", text("user")))
        loop.selector.register(self.socket, selectors.EVENT_READ, self.read)

    def send(self, number, size):
        """An event of so many bytes."""
        self.seq = self.seq % 60000 + 1
        self.socket.sendall(event(self.seq, struct.pack(">I", number) + b"x" * (size - 4)))

    def read(self, _events):
        data = self.socket.recv(1 << 20)
        if not data:
            raise SystemExit("a serf agent has gone")
        self.data += data
        at = 0
        try:
            while at < len(self.data):
                value, at = unpack(self.data, at)
                if isinstance(value, dict) and value.get(b"Name") == NAME:
                    self.told(struct.unpack(">I", value[b"Payload"][:4])[0])
        except Cut:
            pass
        self.data = self.data[at:]

    def close(self):
        self.loop.selector.unregister(self.socket)
        self.socket.close()


class Control:
    """Sends events of the size of a VE from agents drawn at random, and notes when each agent had each."""

    def __init__(self, loop, addresses, random):
        self.loop, self.random, self.sent, self.seen = loop, random, {}, {}
        self.listeners = [Listener(loop, address, self.note) for address in addresses]

    def note(self, number):
        if number in self.sent:
            self.seen[number].append(time.monotonic() - self.sent[number])

    def run(self, rate, count, size=108):
        """(seconds to the last agent of those that came everywhere, sorted; how many did not)."""
        begin = time.monotonic()

        def one():
            number = len(self.sent)
            self.sent[number], self.seen[number] = time.monotonic(), []
            self.random.choice(self.listeners).send(number, size)
            if number + 1 < count:
                self.loop.at(begin + (number + 1) / rate, one)

        self.loop.at(begin, one)
        self.loop.run(lambda: len(self.sent) == count and
                      all(len(times) == len(self.listeners) for times in self.seen.values()), count / rate + 15)
        delays = sorted(max(times) for times in self.seen.values() if len(times) == len(self.listeners))
        return delays, count - len(delays)

    def close(self):
        for listener in self.listeners:
            listener.close()
