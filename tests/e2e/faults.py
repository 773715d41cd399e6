#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""A storage that says no, or nothing. Usage: faults.py VIRTX TESTSTORE STATE_DIR CASES|all

Create, update, delete, register and boot with cloud-init, each with an error (no space, I/O error, read-only) at its n-th
state-changing call of the storage: that call alone, and from it on. The answer must name the cause or be a success, and
within 10 s of the storage working again the host must have put itself right. CASES: how many of each operation. Prints
"ok"/"not ok" lines.
"""
import errno
import itertools
import os
import sys

from host import Host, result
from store import Store, Walker, fsck, is_clean, until

VIRTX, TESTSTORE, STATE, CASES = sys.argv[1:5]
ERRORS = [errno.ENOSPC, errno.EIO, errno.EROFS]
host = Host(VIRTX, STATE)
store = Store(TESTSTORE, host)
walker = Walker(host, store)
figures = {}


def note(name):
    figures[name] = figures.get(name, 0) + 1


def cases(calls, shift):
    """Every call with every error, alone and for good; or some, all over the operation."""
    everything = [(at, *how) for at in range(1, calls + 1) for how in itertools.product(ERRORS, ("once", "on"))]
    if CASES == "all":
        return everything
    # No multiple of the number of ways to fail, so that all of them come.
    step = len(everything) // int(CASES) // 6 * 6 + 1
    return everything[shift % step::step]


def is_right(answer, number):
    """Success, or the cause in words."""
    return answer.status in (200, 201, 204) or answer.status >= 400 and os.strerror(number) in answer.body.decode()


def check_outcome(kind, uuid, before, answer, what):
    listed, done = host.listed(), answer.status in (200, 201, 204)
    if kind == "create":
        result(listed > before or not done, f"{what}: the VM is there if it was said to be", listed - before)
    elif kind == "delete":
        result((uuid not in listed) or not done, f"{what}: it is gone if it was said to be")
    else:
        result(uuid in listed or (kind == "lost" and not done), f"{what}: the VM is there")
    if kind == "boot":
        result(host.is_running(uuid) or not done, f"{what}: it runs if it was said to")
        walker.stop(uuid)
    if kind == "lost" and not done:
        again = host.request("PUT", f"/vms/{uuid}/register", {})
        result(again.status in (200, 201), f"{what}: it can be registered again", again)


def is_settled(uuid):
    """A seed may stay or go with a boot that failed."""
    if uuid in host.seeded and not os.path.exists(host.seed(uuid)):
        host.seeded.discard(uuid)
    return is_clean(host)


def one_case(kind, at, number, mode):
    uuid, call = walker.prepare(kind)
    before = host.listed()
    store.tell(f"arm {at} {mode} {number}")
    answer = host.request(*call)
    status = store.tell("status")
    store.tell("release")
    what = f"{kind}, {errno.errorcode[number]} {mode} at call {at} ({status.what})"
    if not status.hit:
        note(f"{kind} not reached")
        walker.stop(uuid)
        return
    note(f"{kind} {errno.errorcode[number]}")
    result(is_right(answer, number), f"{what}: the cause is named", answer)
    result(host.request("GET", "/healthz").status == 200, f"{what}: the daemon lives")
    check_outcome(kind, uuid, before, answer, what)
    result(until(lambda: is_settled(uuid), 10), f"{what}: the storage holds what the VMs own", host.difference())
    complaint = fsck(host)
    result(not complaint, f"{what}: fsck finds nothing", complaint)


host.start()
for shift, kind in enumerate(walker.KINDS):
    calls = walker.count(kind)
    print(f"# figure {kind}: {calls} state-changing calls")
    for at, number, mode in cases(calls, 5 * shift):
        one_case(kind, at, number, mode)
print("# figure cases: " + ", ".join(f"{name} {count}" for name, count in sorted(figures.items())))
