#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""The power goes. Usage: power.py VIRTX TESTSTORE STATE_DIR CASES|all

At the n-th state-changing call of create, update, delete, register and boot with cloud-init, and right after the
answer, everything of the storage that was not synced is gone, and the daemon with it. After the next start what was
acknowledged must be there and whole, what was not must be done or undone, and nothing may be left. libvirt's own files
are on another disk. CASES: how many cuts of each operation. Prints "ok"/"not ok" lines.
"""
import glob
import json
import os
import signal
import subprocess
import sys
import threading

from host import Host, result
from store import Store, Walker, fsck, is_clean, until

VIRTX, TESTSTORE, STATE, CASES = sys.argv[1:5]
host = Host(VIRTX, STATE)
store = Store(TESTSTORE, host)
walker = Walker(host, store)


def cases(calls, shift):
    """Every call, and the moment after the answer (0); or some, that one always."""
    everything = list(range(1, calls + 1))
    if CASES != "all":
        step = max(1, len(everything) // int(CASES))
        everything = everything[shift % step::step]
    return everything + [0]


def power_off():
    """All at once: the daemon, its children, the guests, and what the storage had not written."""
    for path in glob.glob(STATE + "/qemu/run/qemu/*.pid"):
        with open(path, encoding="ascii") as file:
            pid = int(file.read() or 0)
        if pid:
            os.kill(pid, signal.SIGKILL)
    host.process.send_signal(signal.SIGKILL)
    store.tell("cut")
    host.process.wait(30)
    store.tell("release")


def run(call, at):
    """The answer (None: there was none in time) and what was cut."""
    answers = []
    store.tell(f"arm {at} hang" if at else "arm 0")
    thread = threading.Thread(target=lambda: answers.append(host.request(*call)))
    thread.start()
    if not until(lambda: answers or store.tell("status").hit, 60):
        sys.exit(f"neither cut nor answered: {call}")
    what = store.tell("status").what
    answer = answers[0] if answers else None
    power_off()
    thread.join()
    return answer, what


def wrong_images(uuid):
    """What of a VM's disks is not as its definition says."""
    definition, wrong = host.definition(uuid), []
    for disk in [definition["osdisk"]] + definition["disks"]:
        info = subprocess.run(["qemu-img", "info", "--output=json", disk["path"]], capture_output=True, check=False)
        size = json.loads(info.stdout)["virtual-size"] if info.returncode == 0 else info.stderr
        if size != disk["size"] << 20:
            wrong.append((disk["path"], size))
    return wrong


def wrong_seeds():
    """Seeds that are no ISO images."""
    wrong = []
    for path in glob.glob(host.datastore + "ci/*/seed.iso"):
        with open(path, "rb") as file:
            if file.read()[32769:32774] != b"CD001":
                wrong.append(path)
    return wrong


def is_outcome(kind, uuid, before, done):
    """Whether the VM is as it may be after that."""
    if kind == "create":
        return len(host.listed() - before) <= 1 and (not done or host.listed() > before)
    if kind == "delete":
        return not done or uuid not in host.listed()
    if kind == "lost" and not done:
        return uuid in host.listed() or host.request("PUT", f"/vms/{uuid}/register", {}).status == 201
    return uuid in host.listed()


def one_case(kind, at):
    uuid, call = walker.prepare(kind)
    before, old = host.listed(), host.definition(uuid) if kind == "update" else None
    answer, cut = run(call, at)
    done = bool(answer) and answer.status in (200, 201, 204)
    what = f"{kind}, cut " + (f"at call {at} ({cut})" if cut else "after the answer")
    result(not answer or done, f"{what}: no failure before the cut", answer)
    host.start()
    result(is_outcome(kind, uuid, before, done), f"{what}: what was acknowledged is there", (answer, host.listed()))
    if kind == "update":
        now = {disk["path"] for disk in host.definition(uuid)["disks"]}
        new = {f"{host.datastore}{disk['path']}" for disk in call[2]["vmdef"]["disks"]}
        right = now == new or (not done and now == {disk["path"] for disk in old["disks"]})
        result(right, f"{what}: the definition is the old one or the new one", (sorted(now), sorted(new)))
    if uuid in host.seeded and not (kind == "boot" and done) and not os.path.exists(host.seed(uuid)):
        host.seeded.discard(uuid)
    result(until(lambda: is_clean(host), 10), f"{what}: the storage holds what the VMs own", host.difference())
    wrong = [image for vm in host.listed() for image in wrong_images(vm)] + wrong_seeds()
    result(not wrong, f"{what}: the images are whole", wrong)
    complaint = fsck(host)
    result(not complaint, f"{what}: fsck finds nothing", complaint)


host.start()
for shift, kind in enumerate(walker.KINDS):
    calls = walker.count(kind)
    for at in cases(calls, 5 * shift):
        one_case(kind, at)
    print(f"# figure {kind}: {calls} calls, {len(cases(calls, 5 * shift))} cuts")
