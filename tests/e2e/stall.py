#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""A storage that does not answer. Usage: stall.py VIRTX TESTSTORE STATE_DIR CASES|all

From the n-th state-changing call of create, update, delete, register and boot with cloud-init on, every call of the
storage hangs, and more operations run into it. Reads of the API are answered as ever, /readyz says what is wrong,
and when the storage answers again all operations end and the host is in order. CASES: how many of each operation.
Prints "ok"/"not ok" lines.
"""
import concurrent.futures
import json
import os
import sys
import threading
import time

from host import CLOUD_INIT, Host, result
from store import Store, Walker, fsck, is_clean, until

VIRTX, TESTSTORE, STATE, CASES = sys.argv[1:5]
CLIENTS, LONGEST_S, NOTICE_S, END_S = 10, 1.0, 3.0, 60
host = Host(VIRTX, STATE)
store = Store(TESTSTORE, host)
walker = Walker(host, store)
pool = concurrent.futures.ThreadPoolExecutor(7 * CLIENTS)
longest = 0.0


def points(calls, shift):
    """The calls from which on it hangs."""
    step = 1 if CASES == "all" else max(1, calls // int(CASES))
    return range(1 + shift % step, calls + 1, step)


def timed(path):
    begin = time.monotonic()
    status = host.request("GET", path, timeout=20).status
    return time.monotonic() - begin, status, path


def check_reads(what):
    """Ten clients for each of the reads, all at once."""
    global longest
    paths = ["/vms", "/hosts", "/operations", "/healthz", f"/vms/{bystander}", f"/vms/{bystander}/runstate", "/hosts/" + host_uuid]
    answers = list(pool.map(timed, paths * CLIENTS))
    slowest = max(answers)
    longest = max(longest, slowest[0])
    result(slowest[0] < LONGEST_S, f"{what}: reads are answered", slowest)
    wrong = [answer for answer in answers if answer[1] != 200]
    result(not wrong, f"{what}: and rightly", wrong[:3])


class Operation(threading.Thread):
    def __init__(self, call):
        super().__init__(daemon=True)
        self.call, self.answer = call, None
        self.start()

    def run(self):
        self.answer = host.request(*self.call)


def more_operations(other):
    """What else the storage is asked for: creates, an update, a boot, a register."""
    calls = [("POST", "/vms", walker.create_body()) for _ in range(3)]
    calls.append(("POST", f"/vms/{other}/runstate/boot", CLOUD_INIT))
    calls.append(("PUT", f"/vms/{other}/register", {}))
    calls.append(("DELETE", "/vms/" + other, {"deletestorage": True}))
    return [Operation(call) for call in calls]


def says_hang():
    answer = host.request("GET", "/readyz")
    return answer.status == 503 and b"no answer" in answer.body


def is_settled():
    """Seeds stay or go with their boots, as those came or did not come to their turn."""
    host.seeded = {uuid for uuid in host.listed() if os.path.exists(host.seed(uuid))}
    return is_clean(host)


def one_case(kind, at):
    uuid, call = walker.prepare(kind)
    other = json.loads(host.request("POST", "/vms", walker.create_body()).body)
    before = host.listed() - {uuid, other}
    store.tell(f"arm {at} hang")
    operation = Operation(call)
    if not until(lambda: operation.answer or store.tell("status").hit, 30) or operation.answer:
        store.tell("release")
        return
    what = f"{kind}, hanging from call {at} ({store.tell('status').what}) on"
    others = more_operations(other)
    check_reads(what)
    result(until(says_hang, NOTICE_S), f"{what}: /readyz says so", host.request("GET", "/readyz"))
    check_reads(what + ", a while")
    store.tell("release")
    result(until(lambda: all(each.answer for each in [operation, *others]), END_S), f"{what}: all operations end",
           [each.call[:2] for each in [operation, *others] if not each.answer])
    failed = [each.answer for each in [operation, *others] if each.answer and each.answer.status in (0, 500)]
    result(not failed, f"{what}: in order", failed)
    result(until(lambda: host.request("GET", "/readyz").status == 200, 10), f"{what}: the host is ready again")
    result(until(is_settled, 10), f"{what}: the storage holds what the VMs own", host.difference())
    complaint = fsck(host)
    result(not complaint, f"{what}: fsck finds nothing", complaint)
    for made in host.listed() - before:
        walker.stop(made)
        host.request("DELETE", "/vms/" + made, {"deletestorage": True})


host.start()
host_uuid = json.loads(host.request("GET", "/hosts").body)["items"][0]["uuid"]
bystander = json.loads(host.request("POST", "/vms", walker.create_body()).body)
for shift, kind in enumerate(walker.KINDS):
    for at in points(walker.count(kind), 5 * shift):
        one_case(kind, at)
print(f"# figure slowest read while the storage hung: {longest * 1000:.0f} ms")
