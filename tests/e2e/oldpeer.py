#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""A host of the implementation that others run. Usage: oldpeer.py NET OWN_VM DAEMON_PID

It speaks to the serf agent on NET.3, serves HTTP on NET.3:8080, and shares no code with ours (oldwire.py). NET.1 is
a host that trusts it, NET.2 one that does not; URLs of the two come in the environment. Prints "ok"/"not ok" lines.
"""
import http.server
import json
import os
import random
import struct
import sys
import threading
import time

from light import call, result, rows, wait_for
from oldwire import HOST, NAME, Agent, hi, now_ms, s, ve, vi

NET, OWN_VM, DAEMON_PID = sys.argv[1:4]
TRUSTS, DOUBTS = os.environ["TRUSTS"], os.environ["DOUBTS"]
HOST_2 = "00000002-0000-4000-8000-000000000000"
DELETED, POWEROFF, RUNNING, PAUSED = 1, 2, 4, 5


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
    status, said = call(TRUSTS, "/vms/00000002-0000-4000-8000-000000000001")
    result(status == 200, "requests for its VMs reach it", f"{status} {said}")
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
    agent = Agent(f"{NET}.3", {"uuid": HOST})
    ts = is_found(agent)
    changes_count(agent, ts)
    requests_reach_it()
    ours_can_be_read(agent)
    hostile(agent)


main()
