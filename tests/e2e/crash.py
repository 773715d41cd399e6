#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""kill -9 in the middle. Usage: crash.py VIRTX STATE_DIR ROUNDS SEED

Each round begins a create, an update, a delete, a boot with cloud-init or a register, kills the
daemon at some moment of it, starts it again and compares every file of the storage with what the
listed VMs own: nothing acknowledged may be lost, nothing else may be left. Then intents that cannot be understood, and
entries of two hosts, must not keep the daemon from starting. Prints "ok"/"not ok" lines.
"""
import atexit
import collections
import glob
import hashlib
import http.client
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time

VIRTX, STATE, ROUNDS, SEED = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
VMS, DS = STATE + "/vms", STATE + "/vms/ds/"
OTHER_HOST = "99999999-9999-4999-8999-999999999999"


def result(good, what, detail=""):
    detail = str(detail).replace("\n", " ").replace("\t", " ")[:600]
    print(("ok " if good else "not ok ") + what + (f"\t{detail}" if not good else ""), flush=True)


class Daemon:
    """One virtxd --standalone; start() after kill() is the restart under test."""

    def __init__(self):
        self.log = STATE + ".crash.log"
        self.process = self.server = None

    def start(self):
        at = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([VIRTX, "virtxd", "--standalone", "--state-dir", STATE, "--listen",
                                             "127.0.0.1:0", "--virt-type", "qemu"], stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            ready = re.search(rb"^.*ready .*address=([0-9.:]+)", self.read_log(at), re.M)
            if ready:
                self.server = ready.group(1).decode()
                if request("GET", "/readyz")[0] == 200:
                    return
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        sys.exit("the daemon does not start: " + self.read_log(at)[-800:].decode(errors="replace"))

    def read_log(self, at=0):
        with open(self.log, "rb") as log:
            log.seek(at)
            return log.read()

    def kill(self, with_signal=signal.SIGKILL):
        self.process.send_signal(with_signal)
        return self.process.wait(60)


daemon = Daemon()
atexit.register(lambda: daemon.process and daemon.process.poll() is None and daemon.kill())


def request(method, target, body=None, headers=None):
    """Status and body; status 0 when the daemon went away."""
    try:
        connection = http.client.HTTPConnection(daemon.server, timeout=120)
        connection.request(method, target, None if body is None else json.dumps(body),
                           {"Content-Type": "application/json", **(headers or {})})
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException) as error:
        return 0, repr(error)


def listed():
    return {item["uuid"] for item in json.loads(request("GET", "/vms")[1])["items"]}


def get_definition(uuid):
    return json.loads(request("GET", "/vms/" + uuid)[1])["def"]


def lease(name):
    return f"{VMS}/lock/{name}/{name}"


def owned(vms):
    """Every file that the storage must hold for these VMs."""
    seeds = {seed(uuid) for uuid in seeded if uuid in vms}
    files = {VMS + "/.virtx-cluster", f"{VMS}/xml/{host()}/.lock"}
    for uuid in vms:
        files |= {f"{VMS}/xml/{host()}/{uuid}.xml", lease("vm-" + uuid)}
        definition = get_definition(uuid)
        for disk in [definition["osdisk"]] + definition["disks"]:
            files |= {disk["path"], lease(hashlib.md5(disk["path"][len(DS):].encode()).hexdigest())}
    return files | seeds


def seed(uuid):
    return f"{DS}ci/{uuid}/seed.iso"


def is_running(uuid):
    return json.loads(request("GET", f"/vms/{uuid}/runstate")[1])["runstate"] == 4


def stored_domains():
    """The folder of libvirt's persistent definitions."""
    return STATE + "/qemu/etc/qemu"


def host():
    return next(name for name in os.listdir(VMS + "/xml") if name != OTHER_HOST)


def present():
    """Every file there is, every directory that looks like a temporary one, and empty ones of the datastore."""
    found = set()
    for folder, folders, files in os.walk(VMS):
        found |= {os.path.join(folder, name) for name in files}
        if "tmp" in os.path.basename(folder) or (
                folder.startswith(DS) and folder != DS + "ci" and not folders and not files):
            found.add(folder)
    return found


def storage_difference():
    must, have = owned(listed()), present()
    return "" if must == have else f"left: {sorted(have - must)} missing: {sorted(must - have)}"


def disks(round_, prefix, count):
    return [{"path": f"r{round_}/{prefix}{i}.{'qcow2' if i % 2 else 'raw'}", "bus": 0, "man": 1,
             "prov": 1 + i % 2, "size": 4} for i in range(count)]


def create_body(round_):
    made = disks(round_, "c", 5)
    return {"vmdef": {"name": f"vm{round_}", "memory": {"total": 16}, "osdisk": made[0], "disks": made[1:],
                      "cpudef": {"model": "host-passthrough", "sockets": 1, "cores": 1, "threads": 1}}}


KINDS = ["create", "boot", "update", "register", "create", "lost", "boot", "delete"]
CLOUD_INIT = {"cloud_init": [{"name": "ci-userdata", "value": "#cloud-config\n"}]}


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
    definition = get_definition(uuid)
    definition["disks"] = definition["disks"][2:] + disks(round_, "u", 2)
    return kind, uuid, ("PUT", "/vms/" + uuid, {"vmdef": definition, "deletestorage": True})


def lose(uuid):
    """Libvirt forgets the VM, as on a host that was installed anew; the register knows it."""
    daemon.kill(signal.SIGTERM)
    for path in glob.glob(stored_domains() + "/*.xml"):
        with open(path, encoding="utf-8") as file:
            if uuid in file.read():
                os.unlink(path)
    daemon.start()
    result(uuid not in listed(), f"{uuid} is lost")


def check_boot(uuid, status, what):
    """The guest runs or it does not; its seed stays with one that did, and never in the definition."""
    runs = is_running(uuid)
    result(runs or status != 204, f"{what}: what was booted runs")
    if runs:
        seeded.add(uuid)
        result(os.path.exists(seed(uuid)), f"{what}: its seed is there")
        request("DELETE", f"/vms/{uuid}/runstate/boot", {"force": 2})
    elif not os.path.exists(seed(uuid)):
        seeded.discard(uuid)
    with_seed = [path for path in glob.glob(stored_domains() + "/*.xml")
                 if "seed.iso" in open(path, encoding="utf-8").read()]
    result(not with_seed, f"{what}: no definition has a seed", with_seed)
    again = request("POST", f"/vms/{uuid}/runstate/boot", CLOUD_INIT)
    result(again[0] == 204, f"{what}: it can be booted again", again)
    seeded.add(uuid)
    result(request("DELETE", f"/vms/{uuid}/runstate/boot", {"force": 2})[0] == 204, f"{what}: and be stopped")


def one_round(round_):
    before = listed()
    kind, uuid, call = choose(round_, before)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(request(*call)))
    thread.start()
    # The moment of the cut is the test's subject.
    time.sleep(random.uniform(0, {"boot": 1.0, "register": 0.02, "lost": 0.05}.get(kind, 0.25)))
    daemon.kill()
    thread.join()
    daemon.start()
    status, body = answers[0]
    what = f"round {round_}: {kind} answered {status}"
    cuts[kind, "answered" if status else "cut"] += 1
    if kind == "boot":
        check_boot(uuid, status, what)
    if kind == "lost":  # its entry is there in any case
        result(status != 201 or uuid in listed(), f"{what}: what was registered is there")
        result(request(*call)[0] in (200, 201), f"{what}: it can be registered again")
    after = listed()
    difference = storage_difference()
    result(not difference, f"{what}: the storage holds what the VMs own", difference)
    if kind == "create":
        if status == 201:
            result(json.loads(body) in after, f"{what}: it is there", after)
        again, made = request(*call)
        same = again == 201 and (status != 201 or made == body) and len(listed()) == len(before) + 1
        result(same, f"{what}: the retry with its key gives one VM", (again, made, sorted(after - before)))
    elif kind == "delete":
        result(status != 204 or uuid not in after, f"{what}: what was deleted stays so")
    else:
        result(uuid in after, f"{what}: the VM is there")


def bad_items():
    """One bad item never keeps the daemon from starting."""
    uuid = sorted(listed() or {json.loads(request("POST", "/vms", create_body("last"))[1])})[0]
    folder, ghost = f"{VMS}/xml/{host()}", "aaaaaaaa-1111-4111-8111-aaaaaaaaaaaa"
    daemon.kill(signal.SIGTERM)
    for name, text in ((ghost + ".intent", "{"), (ghost + ".xml", "<domain>"), ("note.txt", "x")):
        with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    os.mkdir(f"{VMS}/xml/{OTHER_HOST}")
    with open(f"{VMS}/xml/{OTHER_HOST}/{uuid}.xml", "w", encoding="utf-8") as file:
        file.write("<domain/>")
    at = os.path.getsize(daemon.log)
    daemon.start()
    log = daemon.read_log(at).decode()
    result("set aside vm=" + ghost in log, "a bad intent is named in the log", log[-600:])
    result(os.listdir(folder).count(ghost + ".intent.bad") == 1, "and is set aside")
    result("cannot be understood" in log, "a bad register entry too", log[-600:])
    result("conflict" in log and OTHER_HOST in log, "a VM in two registers too", log[-600:])
    status, body = request("POST", f"/vms/{uuid}/runstate/boot")
    result(status == 424 and b"conflict" in body, "and it is not started", (status, body))
    os.unlink(f"{VMS}/xml/{OTHER_HOST}/{uuid}.xml")
    os.rmdir(f"{VMS}/xml/{OTHER_HOST}")
    for name in (ghost + ".intent.bad", ghost + ".xml", "note.txt"):
        os.unlink(f"{folder}/{name}")


seeded = set()  # VMs whose seed must be there
cuts = collections.Counter()
random.seed(SEED)
daemon.start()
for number in range(ROUNDS):
    one_round(number)
for (name, how), count in sorted(cuts.items()):
    print(f"# {name}: {how} {count}")
bad_items()
for vm in sorted(listed()):
    result(request("DELETE", "/vms/" + vm, {"deletestorage": True})[0] == 204, f"delete {vm}")
rest = storage_difference()
result(not rest, "nothing is left at the end", rest)
result(daemon.kill(signal.SIGTERM) == 0, "the daemon ends in order")
