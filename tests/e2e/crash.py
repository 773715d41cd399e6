#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""kill -9 in the middle. Usage: crash.py VIRTX STATE_DIR ROUNDS SEED

Each round begins a create, an update, a delete, a boot with cloud-init or a register, kills the
daemon at some moment of it, starts it again and compares every file of the storage with what the
listed VMs own: nothing acknowledged may be lost, nothing else may be left. Then intents that cannot be understood, and
entries of two hosts, must not keep the daemon from starting. Prints "ok"/"not ok" lines.
"""
import collections
import json
import os
import random
import signal
import sys
import threading
import time

from host import CLOUD_INIT, Host, result, vmdef

VIRTX, STATE, ROUNDS, SEED = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
OTHER_HOST = "99999999-9999-4999-8999-999999999999"
host = Host(VIRTX, STATE)


def disks(round_, prefix, count):
    return [{"path": f"r{round_}/{prefix}{i}.{'qcow2' if i % 2 else 'raw'}", "bus": 0, "man": 1,
             "prov": 1 + i % 2, "size": 4} for i in range(count)]


def create_body(round_):
    return {"vmdef": vmdef(f"vm{round_}", disks(round_, "c", 5))}


KINDS = ["create", "boot", "update", "register", "create", "lost", "boot", "delete"]


def choose(round_, vms):
    """What this round does: its kind, the VM and the request."""
    kind = KINDS[round_ % len(KINDS)] if vms else "create"
    if kind == "create":
        return kind, None, ("POST", "/vms", create_body(round_), {"Idempotency-Key": f"{SEED}-{round_}"})
    uuid = random.choice(sorted(vms))
    if kind == "boot":
        return kind, uuid, ("POST", f"/vms/{uuid}/runstate/boot", CLOUD_INIT)
    if kind == "lost":
        lose(uuid)
    if kind in ("register", "lost"):
        return kind, uuid, ("PUT", f"/vms/{uuid}/register", {})
    if kind == "delete":
        return kind, uuid, ("DELETE", "/vms/" + uuid, {"deletestorage": True})
    definition = host.definition(uuid)
    definition["disks"] = definition["disks"][2:] + disks(round_, "u", 2)
    return kind, uuid, ("PUT", "/vms/" + uuid, {"vmdef": definition, "deletestorage": True})


def lose(uuid):
    host.kill(signal.SIGTERM)
    host.forget(uuid)
    host.start()
    result(uuid not in host.listed(), f"{uuid} is lost")


def check_boot(uuid, status, what):
    """The guest runs or it does not; its seed stays with one that did, and never in the definition."""
    runs = host.is_running(uuid)
    result(runs or status != 204, f"{what}: what was booted runs")
    if runs:
        host.seeded.add(uuid)
        result(os.path.exists(host.seed(uuid)), f"{what}: its seed is there")
        host.request("DELETE", f"/vms/{uuid}/runstate/boot", {"force": 2})
    elif not os.path.exists(host.seed(uuid)):
        host.seeded.discard(uuid)
    with_seed = [path for path, text in host.stored_domains().items() if "seed.iso" in text]
    result(not with_seed, f"{what}: no definition has a seed", with_seed)
    again = host.request("POST", f"/vms/{uuid}/runstate/boot", CLOUD_INIT)
    result(again.status == 204, f"{what}: it can be booted again", again)
    host.seeded.add(uuid)
    stopped = host.request("DELETE", f"/vms/{uuid}/runstate/boot", {"force": 2})
    result(stopped.status == 204, f"{what}: and be stopped", stopped)


def one_round(round_):
    before = host.listed()
    kind, uuid, call = choose(round_, before)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(host.request(*call)))
    thread.start()
    # The moment of the cut is the test's subject.
    time.sleep(random.uniform(0, {"boot": 1.0, "register": 0.02, "lost": 0.05}.get(kind, 0.25)))
    host.kill()
    thread.join()
    host.start()
    status, body = answers[0]
    what = f"round {round_}: {kind} answered {status}"
    cuts[kind, "answered" if status else "cut"] += 1
    if kind == "boot":
        check_boot(uuid, status, what)
    if kind == "lost":  # its entry is there in any case
        result(status != 201 or uuid in host.listed(), f"{what}: what was registered is there")
        result(host.request(*call).status in (200, 201), f"{what}: it can be registered again")
    after = host.listed()
    difference = host.difference() or host.fsck()
    result(not difference, f"{what}: the storage holds what the VMs own", difference)
    if kind == "create":
        if status == 201:
            result(json.loads(body) in after, f"{what}: it is there", after)
        again, made = host.request(*call)
        same = again == 201 and (status != 201 or made == body) and len(host.listed()) == len(before) + 1
        result(same, f"{what}: the retry with its key gives one VM", (again, made, sorted(after - before)))
    elif kind == "delete":
        result(status != 204 or uuid not in after, f"{what}: what was deleted stays so")
    else:
        result(uuid in after, f"{what}: the VM is there")


def bad_items():
    """One bad item never keeps the daemon from starting."""
    uuid = sorted(host.listed() or {json.loads(host.request("POST", "/vms", create_body("last")).body)})[0]
    folder, ghost = f"{host.vms}/xml/{host.uuid()}", "aaaaaaaa-1111-4111-8111-aaaaaaaaaaaa"
    other = f"{host.vms}/xml/{OTHER_HOST}"
    host.kill(signal.SIGTERM)
    for name, text in ((ghost + ".intent", "{"), (ghost + ".xml", "<domain>"), ("note.txt", "x")):
        with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    os.mkdir(other)
    with open(f"{other}/{uuid}.xml", "w", encoding="utf-8") as file:
        file.write("<domain/>")
    at = os.path.getsize(host.log)
    host.start()
    log = host.read_log(at).decode()
    result("set aside vm=" + ghost in log, "a bad intent is named in the log", log[-600:])
    result(os.listdir(folder).count(ghost + ".intent.bad") == 1, "and is set aside")
    result("cannot be understood" in log, "a bad register entry too", log[-600:])
    result("conflict" in log and OTHER_HOST in log, "a VM in two registers too", log[-600:])
    answer = host.request("POST", f"/vms/{uuid}/runstate/boot")
    result(answer.status == 424 and b"conflict" in answer.body, "and it is not started", answer)
    os.unlink(f"{other}/{uuid}.xml")
    os.rmdir(other)
    for name in (ghost + ".intent.bad", ghost + ".xml", "note.txt"):
        os.unlink(f"{folder}/{name}")


cuts = collections.Counter()
random.seed(SEED)
host.start()
for number in range(ROUNDS):
    one_round(number)
for (name, how), count in sorted(cuts.items()):
    print(f"# {name}: {how} {count}")
bad_items()
for vm in sorted(host.listed()):
    result(host.request("DELETE", "/vms/" + vm, {"deletestorage": True}).status == 204, f"delete {vm}")
rest = host.difference() or host.fsck()
result(not rest, "nothing is left at the end", rest)
result(host.kill(signal.SIGTERM) == 0, "the daemon ends in order")
