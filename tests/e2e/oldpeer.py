#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""A host of the implementation that others run. Usage: oldpeer.py NET OWN_VM DAEMON_PID

It speaks to the serf agent on NET.3, serves HTTP on NET.3:8080, and shares no code with ours: msgpack and the
payloads are packed and unpacked here by hand, as cluster-wire.md has them. NET.1 is a host that trusts it, NET.2 one
that does not; URLs of the two come in the environment. Prints "ok"/"not ok" lines.
"""
import http.server
import json
import os
import random
import socket
import struct
import sys
import threading
import time
import urllib.error
import urllib.request

NET, OWN_VM, DAEMON_PID = sys.argv[1:4]
TRUSTS, DOUBTS = os.environ["TRUSTS"], os.environ["DOUBTS"]
HOST = "00000003-0000-4000-8000-000000000000"
NAME = "old3"
HOST_2 = "00000002-0000-4000-8000-000000000000"
DELETED, POWEROFF, RUNNING, PAUSED = 1, 2, 4, 5


def result(good, what, why=""):
    print(f"{'ok' if good else 'not ok'} {what}" + (f"\t{why}" if why and not good else ""), flush=True)


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

    def __init__(self, address):
        self.socket = socket.create_connection((address, 7373))
        self.reader = self.socket.makefile("rb")
        self.lock = threading.Lock()
        self.seq, self.heard = 0, []
        self.request("handshake", {"Version": 1})
        self.request("stream", {"Type": "*"})
        self.request("tags", {"Tags": {"uuid": HOST}, "DeleteTags": []})
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


# ---- the host's API ----

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked = []

    def answer(self):
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.asked.append((self.command, self.path, dict(self.headers), body))
        wrong = [why for why, bad in (
            ("Host", self.headers["Host"] != f"{NAME}:8080"), ("no loop", not self.headers["X-Virtx-Loop"]),
            ("no client", not self.headers["X-Forwarded-For"]),
            ("length", self.command != "GET" and self.headers["Content-Length"] is None),
            ("body", bool(body)), ("chunked", self.headers["Transfer-Encoding"])) if bad]
        text = json.dumps({"wrong": wrong, "path": self.path}).encode()
        self.send_response(424 if wrong else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *args):
        pass


# ---- the judge ----

def call(server, target, method="GET"):
    request = urllib.request.Request(f"http://{server}{target}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:
            return answer.status, json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as answer:
        return answer.code, json.loads(answer.read() or b"{}")


def rows(server, what):
    return {row["uuid"]: row["fields"] for row in call(server, f"/{what}")[1]["items"]}


def wait_for(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    return condition()


def vm(number):
    return f"00000003-0000-4000-8000-{number:012}"


def has_state(number, runstate, server=TRUSTS):
    return rows(server, "vms").get(vm(number), {}).get("runstate") == runstate


def is_found(agent):
    ts = now_ms()

    def tell():
        agent.event("HI", hi(ts))
        for i in (1, 2, 3):
            agent.event("VI", vi(vm(i), RUNNING, ts, f"old3-{i}"))
        return HOST in rows(TRUSTS, "hosts") and vm(3) in rows(TRUSTS, "vms")

    result(wait_for(tell, 20), "whoever trusts it lists it and its VMs")
    host, row = rows(TRUSTS, "hosts")[HOST], rows(TRUSTS, "vms")[vm(1)]
    result(host["name"] == NAME and host["cstate"] == 1, "the host as it says", str(host))
    result(row["name"] == "old3-1" and row["vlanid"] == 100 and row["runstate"] == RUNNING,
           "a VM as it says", str(row))
    found = call(TRUSTS, "/vms?custom.name=tier&custom.value=gold")[1]["items"]
    result(len(found) == 3, "with its custom fields", str(found))
    result(HOST not in rows(DOUBTS, "hosts") and vm(1) not in rows(DOUBTS, "vms"), "whoever does not lists neither")
    result(call(DOUBTS, f"/vms/{vm(1)}")[0] == 404, "and knows of no such VM")
    return ts


def changes_count(agent, ts):
    agent.event("VE", ve(vm(1), PAUSED, ts + 100))
    result(wait_for(lambda: has_state(1, PAUSED)), "VE changes the state")
    agent.event("VE", ve(vm(1), RUNNING, ts + 50))
    agent.event("VI", vi(vm(1), RUNNING, ts + 60, "older"))
    agent.event("VE", ve(vm(2), PAUSED, ts))
    result(wait_for(lambda: has_state(2, PAUSED)), "one of the same time counts")
    result(has_state(1, PAUSED), "what is older does not")
    agent.event("VI", vi(vm(1), RUNNING, ts + 200, "renamed"))
    result(wait_for(lambda: rows(TRUSTS, "vms")[vm(1)]["name"] == "renamed"), "VI changes the name")
    agent.event("VE", ve(vm(3), DELETED, ts + 200))
    result(wait_for(lambda: vm(3) not in rows(TRUSTS, "vms")), "VE deleted removes the VM")
    agent.event("VI", vi(vm(3), RUNNING, ts + 150, "back"))
    agent.event("VE", ve(vm(2), RUNNING, ts + 300))
    result(wait_for(lambda: has_state(2, RUNNING)) and vm(3) not in rows(TRUSTS, "vms"), "for good")
    agent.event("VE", ve(vm(9), RUNNING, ts + 300))
    agent.event("VE", ve(vm(1), PAUSED, ts + 301))
    result(wait_for(lambda: has_state(1, PAUSED)) and vm(9) not in rows(TRUSTS, "vms"),
           "VE of a VM that nobody knows is ignored")


def requests_reach_it():
    status, said = call(TRUSTS, f"/vms/{vm(1)}")
    result(status == 200 and said["path"] == f"/vms/{vm(1)}", "GET is forwarded", f"{status} {said}")
    for method, target in (("POST", "/runstate/pause"), ("DELETE", "/runstate/pause"), ("DELETE", "")):
        status, said = call(TRUSTS, f"/vms/{vm(1)}{target}", method)
        result(status == 200, f"{method} {target} is forwarded as it wants it", f"{status} {said}")
    names = {name.lower() for _, _, headers, _ in Handler.asked for name in headers}
    result("virtx-peer" not in names, "no proof of ours is shown to it", str(names))
    status, said = call(TRUSTS, "/hosts/virt1")
    result(status == 200, "requests that come from it are served", f"{status} {said}")


def ours_can_be_read(agent):
    """VI of every VM each 15 s, paced, while it is there."""
    host = "00000001-0000-4000-8000-000000000000"
    call(TRUSTS, f"/vms/{OWN_VM}/runstate/pause", "POST")
    result(wait_for(lambda: any(e["uuid"] == OWN_VM and e.get("runstate") == PAUSED
                                for _, e in agent.of("VE", host) + agent.of("VI", host))), "a change of ours is told")
    call(TRUSTS, f"/vms/{OWN_VM}/runstate/pause", "DELETE")
    count = sum(row["host"] == host for row in rows(TRUSTS, "vms").values())

    def per_vm():
        times = {}
        for when, event in agent.of("VI", host):
            times.setdefault(event["uuid"], []).append(when)
        return times

    # The first ones are told at the start, whether anybody is there or not.
    def last_gaps():
        return sorted(t[-1] - t[-2] for u, t in per_vm().items() if u != OWN_VM and len(t) > 1)

    result(wait_for(lambda: len(per_vm()) == count and len(last_gaps()) == count - 1 and last_gaps()[0] > 5, 50),
           f"VI of every VM comes again, {count} of them", str(len(per_vm())))
    gaps = last_gaps()
    result(gaps and 10 < gaps[len(gaps) // 2] < 20, "each 15 s", str(gaps))
    times = sorted(when for when, _ in agent.of("VI", host))
    busiest = max(sum(start <= t < start + 2 for t in times) for start in times)
    result(busiest <= 120, "at some 50 per second", f"{busiest} in 2 s")
    said = [e for _, e in agent.of("HI", host)]
    result(said and said[-1]["name"] == "virt1" and said[-1]["cstate"] == 1, "HI of ours as it is", str(said[-1:]))
    bad = [(name, e) for _, name, e in agent.heard if "bad" in e]
    result(not bad, "all that comes is well-formed", str(bad[:3]))
    print(f"# VI of {count} VMs: median gap {gaps[len(gaps) // 2]:.1f} s, at most {busiest} in 2 s")


# ---- hostile ----

def anonymous_kib():
    with open(f"/proc/{DAEMON_PID}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))


def hostile_payloads():
    ts = now_ms() + 1000
    good = vi(vm(5), RUNNING, ts, "x")
    yield from (("HI", b""), ("VE", b""), ("VI", b""), ("", b""), ("VI", b"\xff" * 400), ("HI", b"\xff" * 400))
    yield from (("VI", good[:size]) for size in range(len(good)))
    yield "VI", ve(vm(5), RUNNING, ts) + s("x") + struct.pack("<hH", 1, 65535)
    yield "VI", ve(vm(5), RUNNING, ts) + s(b"\xff\xfe bad") + struct.pack("<hHh", 1, 0, 1)
    yield "VI", vi(vm(5), 99, ts, "x")
    yield "VI", vi("no uuid", RUNNING, ts, "x")
    yield "VI", vi(vm(5), RUNNING, ts, "x", host="no uuid")
    yield "HI", hi(ts, name=b"\xff\xfe")
    yield "HI", hi(ts, uuid="../../etc")
    # In the name of others: of the one that hears it, and of one that has proven itself.
    yield "HI", hi(ts, uuid="00000001-0000-4000-8000-000000000000", name="evil")
    yield "HI", hi(ts, uuid=HOST_2, name="evil")
    yield "VE", ve("00000001-0000-4000-8000-000000000001", DELETED, ts, "00000001-0000-4000-8000-000000000000")
    yield "VE", ve("00000002-0000-4000-8000-000000000001", DELETED, ts, HOST_2)


def flood(agent, seconds):
    """As fast as the agent takes them: random VMs of random hosts, mostly malformed."""
    rng, sent, end = random.Random(1), 0, time.monotonic() + seconds
    while time.monotonic() < end:
        number = rng.randrange(10 ** 9)
        payload = vi(vm(number), RUNNING, now_ms(), "flood") if sent % 4 == 0 else rng.randbytes(rng.randrange(300))
        agent.event(rng.choice(("HI", "VE", "VI")), payload)
        sent += 1
    return sent


def hostile(agent):
    before = (rows(TRUSTS, "hosts").keys(), rows(TRUSTS, "vms").keys())
    memory = anonymous_kib()
    for name, payload in hostile_payloads():
        agent.event(name, payload)
    ts = now_ms() + 5000
    agent.event("VI", vi(vm(1), RUNNING, ts, "after all that"))
    result(wait_for(lambda: rows(TRUSTS, "vms")[vm(1)]["name"] == "after all that"), "it listens after all that")
    result(wait_for(lambda: (rows(TRUSTS, "hosts").keys(), rows(TRUSTS, "vms").keys()) == before, 30),
           "and lists what it did", str(before[1] ^ rows(TRUSTS, "vms").keys()))
    result(wait_for(lambda: rows(TRUSTS, "hosts")[HOST_2]["name"] == "virt2", 30), "the name of a host of ours is its own")
    result(call(TRUSTS, "/vms/00000002-0000-4000-8000-000000000001")[0] == 200, "requests for its VMs reach it")
    sender = Agent(f"{NET}.3")
    slowest, sent = [0.0], [0]
    thread = threading.Thread(target=lambda: sent.__setitem__(0, flood(sender, 2)))
    thread.start()
    while thread.is_alive():
        start = time.monotonic()
        call(TRUSTS, "/readyz")
        slowest[0] = max(slowest[0], time.monotonic() - start)
    thread.join()
    grown = anonymous_kib() - memory
    result(slowest[0] < 5, f"answers during {sent[0]} events", f"{slowest[0]:.1f} s")
    result(grown < 64 * 1024, "its memory is bounded", f"{grown} KiB more")
    print(f"# {sent[0]} events in 2 s: slowest answer {slowest[0] * 1000:.0f} ms, RssAnon {grown:+} KiB")
    result(wait_for(lambda: "00000002-0000-4000-8000-000000000001" in rows(TRUSTS, "vms") and
                    rows(TRUSTS, "hosts")[HOST_2]["name"] == "virt2", 40), "what it says of the others is right")


def main():
    server = http.server.ThreadingHTTPServer((f"{NET}.3", 8080), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    agent = Agent(f"{NET}.3")
    ts = is_found(agent)
    changes_count(agent, ts)
    requests_reach_it()
    ours_can_be_read(agent)
    hostile(agent)


main()
