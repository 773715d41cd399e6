# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes through gossip: the user events that one agent hands on, counted, and the packets of all agents,
counted by the kernel (nftables, in a network of our own)."""
import collections
import json
import selectors
import socket
import struct
import subprocess


class Cut(Exception):
    """The object goes on beyond what was received."""


def unpack(data, at):
    """One MessagePack object: (value, where the next one begins)."""
    def take(size):
        if at + size > len(data):
            raise Cut
        return data[at:at + size], at + size

    def number(form):
        size = struct.calcsize(form)
        part, end = take(size)
        return struct.unpack(form, part)[0], end

    (kind,), at = take(1)
    if kind < 0x80:
        return kind, at
    if kind >= 0xe0:
        return kind - 0x100, at
    simple = {0xc0: None, 0xc2: False, 0xc3: True}
    if kind in simple:
        return simple[kind], at
    numbers = {0xca: ">f", 0xcb: ">d", 0xcc: ">B", 0xcd: ">H", 0xce: ">I", 0xcf: ">Q",
               0xd0: ">b", 0xd1: ">h", 0xd2: ">i", 0xd3: ">q"}
    if kind in numbers:
        return number(numbers[kind])
    sizes = {0xc4: ">B", 0xc5: ">H", 0xc6: ">I", 0xd9: ">B", 0xda: ">H", 0xdb: ">I",
             0xdc: ">H", 0xdd: ">I", 0xde: ">H", 0xdf: ">I"}
    if kind in sizes:
        size, at = number(sizes[kind])
    else:
        size = kind & (0x1f if kind >= 0xa0 else 0x0f)
    if 0xa0 <= kind <= 0xbf or 0xc4 <= kind <= 0xc6 or 0xd9 <= kind <= 0xdb:
        return take(size)
    is_map = kind >> 4 == 8 or kind in (0xde, 0xdf)
    items = []
    for _ in range(size * 2 if is_map else size):
        item, at = unpack(data, at)
        items.append(item)
    return (dict(zip(items[::2], items[1::2])) if is_map else items), at


def text(value):
    return bytes([0xa0 | len(value)]) + value.encode()


def request(seq, command, key, value):
    """Header and body, with one member."""
    return (b"\x82" + text("Command") + text(command) + text("Seq") + bytes([seq]) +
            b"\x81" + text(key) + value)


class Events:
    """Counts the user events that an agent hands on, by name; totals grow for ever."""

    def __init__(self, loop, address):
        self.count, self.bytes = collections.Counter(), collections.Counter()
        self.data = b""
        self.socket = socket.create_connection((address, 7373))
        self.socket.sendall(request(1, "handshake", "Version", b"\x01") + request(2, "stream", "Type", text("user")))
        self.socket.setblocking(False)
        loop.selector.register(self.socket, selectors.EVENT_READ, self.read)
        self.loop = loop

    def read(self, _events):
        data = self.socket.recv(1 << 20)
        if not data:
            raise SystemExit("the serf agent that is listened to has gone")
        self.data += data
        at = 0
        try:
            while at < len(self.data):
                value, at = unpack(self.data, at)
                if isinstance(value, dict) and b"Payload" in value:
                    name = value[b"Name"].decode()
                    self.count[name] += 1
                    self.bytes[name] += len(name) + len(value[b"Payload"] or b"")
        except Cut:
            pass
        self.data = self.data[at:]

    def reset(self):
        self.count.clear()
        self.bytes.clear()


RULES = """table inet scale {
    counter gossip {}
    counter http {}
    chain out {
        type filter hook output priority 0
        udp dport 7946 counter name gossip
        tcp dport 7946 counter name gossip
        tcp sport 7946 counter name gossip
        tcp dport 8080 counter name http
        tcp sport 8080 counter name http
    }
}
"""


def members(address):
    """How many members that agent knows as alive; 0 while it does not answer."""
    answer = subprocess.run(["serf", "members", "-status=alive", f"-rpc-addr={address}:7373"], capture_output=True,
                            check=False)
    return answer.stdout.count(b"\n")


class Packets:
    """Bytes that the hosts send each other, of gossip and of the API; None where that cannot be counted."""

    def __init__(self, alone):
        self.counts = alone and subprocess.run(
            ["nft", "-f", "-"], input=RULES, text=True, stderr=subprocess.DEVNULL, check=False).returncode == 0

    def read(self):
        if not self.counts:
            return {"gossip": None, "http": None}
        out = subprocess.run(["nft", "-j", "list", "counters"], capture_output=True, check=True).stdout
        counters = [item["counter"] for item in json.loads(out)["nftables"] if "counter" in item]
        return {counter["name"]: counter["bytes"] for counter in counters}
