#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""What hosts of the other implementation speak to the serf agent and to each other, as cluster-wire.md has it: packed
and unpacked here by hand, with no code of ours.
"""
import socket
import struct
import threading
import time

HOST, NAME = "00000003-0000-4000-8000-000000000000", "old3"


# ---- msgpack in the old specification: one raw type for strings and bytes ----

def pack(value):
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return bytes([value]) if 0 <= value < 128 else b"\xcf" + struct.pack(">Q", value)
    if isinstance(value, (str, bytes)):
        raw = value.encode() if isinstance(value, str) else value
        head = bytes([0xa0 | len(raw)]) if len(raw) < 32 else b"\xda" + struct.pack(">H", len(raw))
        return head + raw
    if isinstance(value, dict):
        return bytes([0x80 | len(value)]) + b"".join(pack(k) + pack(v) for k, v in value.items())
    return bytes([0x90 | len(value)]) + b"".join(map(pack, value))


NUMBERS = {0xca: ">f", 0xcb: ">d", 0xcc: ">B", 0xcd: ">H", 0xce: ">I", 0xcf: ">Q", 0xd0: ">b", 0xd1: ">h", 0xd2: ">i",
           0xd3: ">q"}
RAWS = {0xc4: ">B", 0xc5: ">H", 0xc6: ">I", 0xd9: ">B", 0xda: ">H", 0xdb: ">I"}
LISTS = {0xdc: ">H", 0xdd: ">I"}
MAPS = {0xde: ">H", 0xdf: ">I"}
CONSTANTS = {0xc0: None, 0xc2: False, 0xc3: True}


def unpack(read):
    def number(form):
        return struct.unpack(form, read(struct.calcsize(form)))[0]
    kind = read(1)[0]
    if kind < 0x80:
        return kind
    if kind >= 0xe0:
        return kind - 256
    if kind in CONSTANTS:
        return CONSTANTS[kind]
    if kind in NUMBERS:
        return number(NUMBERS[kind])
    if 0xa0 <= kind < 0xc0 or kind in RAWS:
        return read(kind & 31 if kind < 0xc0 else number(RAWS[kind]))
    if kind < 0x90 or kind in MAPS:
        count = kind & 15 if kind < 0x90 else number(MAPS[kind])
        return {(unpack(read) or b"").decode(): unpack(read) for _ in range(count)}
    return [unpack(read) for _ in range(kind & 15 if kind < 0xa0 else number(LISTS[kind]))]


# ---- payloads ----

def s(text):
    raw = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<H", len(raw)) + raw


def now_ms():
    return int(time.time() * 1000)


def hi(ts, uuid=HOST, name=NAME):
    return (s(uuid) + s(name) + s("x86_64") + s("AMD") + s("EPYC") + struct.pack("<hhhhhii", 1, 2, 8, 2, 1, 64000, -1) +
            s("opensuse-leap") + s("16.0") + struct.pack("<q", ts))


def ve(vm, runstate, ts, host=HOST):
    return s(vm) + s(host) + struct.pack("<hq", runstate, ts)


def vi(vm, runstate, ts, name, custom=(("CID", "42"), ("tier", "gold")), host=HOST):
    pairs = struct.pack("<H", len(custom)) + b"".join(s(k) + s(v) for k, v in custom)
    return ve(vm, runstate, ts, host) + s(name) + struct.pack("<h", 100) + pairs + struct.pack("<h", 3)


class Payload:
    """Strict: what is read must be there and be text; what follows the last member is ignored."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        size = struct.calcsize(form)
        if self.at + size > len(self.data):
            raise ValueError("too short")
        value = struct.unpack_from(form, self.data, self.at)[0]
        self.at += size
        return value

    def text(self):
        size = self.take("<H")
        if self.at + size > len(self.data):
            raise ValueError("too short")
        self.at += size
        return self.data[self.at - size:self.at].decode()


def read_event(name, data):
    p = Payload(data)
    if name == "HI":
        event = {"uuid": p.text(), "name": p.text(), "arch": p.text(), "vendor": p.text(), "model": p.text()}
        event.update((k, p.take("<h")) for k in ("nodes", "sockets", "cores", "threads", "cstate"))
        event.update(memory=p.take("<i"), hugepages=p.take("<i"), osid=p.text(), osv=p.text(), ts=p.take("<q"))
        return event
    event = {"uuid": p.text(), "host": p.text(), "runstate": p.take("<h"), "ts": p.take("<q")}
    if name == "VI":
        event.update(name=p.text(), vlanid=p.take("<h"))
        event["custom"] = [(p.text(), p.text()) for _ in range(p.take("<H"))]
        event["vcpus"] = p.take("<h")
    return event


# ---- the agent ----

class Agent:
    """heard: (time, name, decoded or the reason why not) of each user event of ours."""

    def __init__(self, address, tags=None):
        self.socket = socket.create_connection((address, 7373))
        self.reader = self.socket.makefile("rb")
        self.lock = threading.Lock()
        self.seq, self.heard = 0, []
        self.request("handshake", {"Version": 1})
        self.request("stream", {"Type": "*"})
        if tags:
            self.request("tags", {"Tags": tags, "DeleteTags": []})
        threading.Thread(target=self.listen, daemon=True).start()

    def request(self, command, body):
        with self.lock:
            self.seq += 1
            self.socket.sendall(pack({"Command": command, "Seq": self.seq}) + pack(body))

    def event(self, name, payload):
        self.request("event", {"Name": name, "Payload": payload, "Coalesce": False})

    def read(self, size):
        data = self.reader.read(size)
        if len(data) < size:
            raise EOFError
        return data

    def listen(self):
        try:
            while True:
                message = unpack(self.read)
                name = (message.get("Name") or b"").decode(errors="replace")
                if message.get("Event") == b"user" and name in ("HI", "VE", "VI"):
                    self.note(name, message["Payload"] or b"")
        except (EOFError, OSError, ValueError):
            pass

    def note(self, name, payload):
        try:
            self.heard.append((time.monotonic(), name, read_event(name, payload)))
        except ValueError as reason:
            self.heard.append((time.monotonic(), name, {"bad": str(reason), "host": "", "uuid": ""}))

    def of(self, name, host):
        return [(when, e) for when, kind, e in list(self.heard)
                if kind == name and e.get("host", e["uuid"]) == host]
