#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""kill -9 at the n-th state-changing call. Usage: cut.py VIRTX STATE_DIR CUT GUEST_IMAGE SAMPLE SEED [KIND[:VICTIM]]...

Walks n = 1, 2, ... until the operation completes, once the daemon killed, once its child, once both; a sample of
those points unless SAMPLE is 0. A sample of another kind kills the daemon that starts and puts it right, too; one more
kills the whole host, whose VMs another host then takes over. Within 10 s of the next start the VM must be there or not, as a whole, with what was
acknowledged, and the storage must hold what the VMs own and nothing else; `virtx fsck` finds nothing. A daemon whose
child was killed says so and takes everything back itself. CUT_HOST: further arguments of Host as JSON.
Prints "ok"/"not ok" lines, one per kind and victim, and "# figure" lines.
"""
import collections
import glob
import json
import mmap
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import time

from host import CLOUD_INIT, Host, lease_of, result, vmdef

VIRTX, STATE, CUT, GUEST, SAMPLE, SEED = sys.argv[1:5] + [int(sys.argv[5]), sys.argv[6]]
RECOVERY_S = 10
DAEMON, CHILD = 1, 2  # as in cut.c
# The last two: the daemon, and then the one that puts it right; the whole host.
VICTIMS = {"daemon": DAEMON, "child": CHILD, "both": DAEMON | CHILD, "recovery": DAEMON, "dead": DAEMON}
RECOVERIES = 40  # how many of the last but one: all pairs are too many


class Board:
    """The tracer's struct board (tests/tools/cut.c)."""
    LAYOUT = struct.Struct("IIII")
    SIZE = 1024

    def __init__(self, path):
        with open(path, "wb") as file:
            file.truncate(self.SIZE)
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), self.SIZE)

    def arm(self, victims, at):
        """At 0: the calls are only counted."""
        self.memory[:] = bytes(self.SIZE)
        self.LAYOUT.pack_into(self.memory, 0, 0, at, 0, 0)
        struct.pack_into("I", self.memory, 0, victims)

    def disarm(self):
        """Whether it was cut, and how many calls there were."""
        struct.pack_into("I", self.memory, 0, 0)
        at, count = struct.unpack_from("II", self.memory, 4)
        while at and count >= at and not struct.unpack_from("I", self.memory, 12)[0]:
            time.sleep(0.001)
        return bool(at) and count >= at, count

    def call(self):
        """The call that was cut."""
        return self.memory[16:].split(b"\0")[0].decode(errors="replace")


def check_tool(folder):
    """The tracer itself, with programs whose calls are known."""
    os.mkdir(folder)

    def run(victims, at, script):
        board.arm(victims, at)
        ended = subprocess.run([CUT, STATE + ".board", "/bin/sh", "-c", script], cwd=folder, check=False,
                               stderr=subprocess.DEVNULL).returncode
        return ended, board.disarm(), sorted(os.listdir(folder))

    opens = ": >a; : >b; : >c"
    result(run(DAEMON, 2, opens) == (-signal.SIGKILL, (True, 2), []), "it kills before the call")
    result(run(DAEMON, 4, opens) == (-signal.SIGKILL, (True, 4), ["a", "b"]), "and after all that came before")
    result(run(DAEMON, 5, opens) == (0, (False, 4), ["a", "b", "c"]), "there is no fifth call")
    result(run(CHILD, 2, "cp a x; echo >y") == (0, (True, 2), ["a", "b", "c", "y"]), "the child alone")
    result(run(DAEMON | CHILD, 2, "cp a x; echo >z")[::2] == (-signal.SIGKILL, ["a", "b", "c", "y"]), "both")


def disk(path, prov=1, man=1, size=4):
    return {"path": path, "bus": 0, "man": man, "prov": prov, "size": size if prov else 0}


def make(name, disks):
    """Makes a VM, uncut."""
    answer = host.request("POST", "/vms", {"vmdef": vmdef(name, disks)})
    if answer.status != 201:
        sys.exit(f"cannot create {name}: {answer}")
    return json.loads(answer.body)


def remove(uuid):
    answer = host.request("DELETE", "/vms/" + uuid, {"deletestorage": True})
    if answer.status != 204:
        sys.exit(f"cannot delete {uuid}: {answer}")
    host.seeded.discard(uuid)


def power_off(uuid):
    """Faster than by libvirt, which is asked then so that it knows."""
    for pid in host.guests(uuid):
        os.kill(pid, signal.SIGKILL)
    host.request("DELETE", f"/vms/{uuid}/runstate/boot", {"force": 2})
    while host.is_running(uuid):
        time.sleep(0.02)


class Operation:
    """prepare(), call() with its answer, check() of what it left, finish(): the same once more, uncut."""
    victims = list(VICTIMS)
    lost = set()  # files of a VM that libvirt does not know


class Create(Operation):
    """Disks thin and thick, qcow2 and raw, below folders that are made too, and an image that was there."""
    name = "create"

    def __init__(self):
        self.number = 0

    def prepare(self):
        self.number += 1
        self.before = host.listed()
        shutil.copy(GUEST, host.datastore + "c-claimed.raw")
        host.outside.add(host.datastore + "c-claimed.raw")

    def call(self):
        disks = [disk("c/thin.qcow2"), disk("c/d/thick.raw", 2), disk("c-claimed.raw", 0)]
        return "POST", "/vms", {"vmdef": vmdef("created", disks)}, {"Idempotency-Key": f"{SEED}-{self.number}"}

    def check(self, answer):
        made = host.listed() - self.before
        if len(made) != (1 if answer.status == 201 else 0) and answer.status:
            return f"answered {answer}, there is {made}"
        return "" if answer.status != 201 or json.loads(answer.body) in made else "another VM than was answered"

    def finish(self, answer):
        """The retry with its key gives one VM, the one that was there. Another host knows no keys."""
        first = host.listed() - self.before
        if host.died:
            for uuid in first:
                remove(uuid)
            return "" if len(first) < 2 else f"there is {first}"
        again = host.request(*self.call())
        made = host.listed() - self.before
        for uuid in made:
            remove(uuid)
        if again.status != 201 or made != {json.loads(again.body)} or (first and first != made):
            return f"retry answered {again}, there was {first}, there is {made}"
        return ""


class Update(Operation):
    """Adds and removes disks, takes one into management and lets one go."""
    name = "update"

    def __init__(self):
        shutil.copy(GUEST, host.datastore + "u-claimed.raw")
        self.old = [disk("u/os.qcow2"), disk("u/gone/gone.qcow2", 2), disk("u/freed.raw"), disk("u-claimed.raw", 0, 0)]
        self.uuid = make("updated", self.old)
        self.old = self.disks()
        managed = {path: man for path, man in self.old.items() if "/u/gone" not in path}
        for path in managed:
            if not path.endswith("os.qcow2"):
                managed[path] = 1 - managed[path]
        self.new = {**managed, host.datastore + "u/new/new.raw": 1}

    def disks(self):
        definition = host.definition(self.uuid)
        return {item["path"]: item["man"] for item in [definition["osdisk"]] + definition["disks"]}

    def put(self, disks):
        definition = host.definition(self.uuid)
        have = {item["path"]: item for item in [definition["osdisk"]] + definition["disks"]}
        items = [{**have[path], "man": man} if path in have else disk(path, 1 + path.endswith(".raw"), man)
                 for path, man in disks.items()]
        definition["osdisk"], definition["disks"] = items[0], items[1:]
        return "PUT", "/vms/" + self.uuid, {"vmdef": definition, "deletestorage": True}

    def prepare(self):
        if self.disks() != self.old:
            answer = host.request(*self.put(self.old))
            if answer.status != 204:
                sys.exit(f"cannot update back: {answer}")

    def call(self):
        return self.put(self.new)

    def check(self, answer):
        now = self.disks()
        right = {200: [self.new], 204: [self.new], 0: [self.old, self.new]}.get(answer.status, [self.old])
        return "" if now in right else f"answered {answer}, the disks are {now}"

    def finish(self, answer):
        again = host.request(*self.put(self.new))
        return "" if again.status == 204 and self.disks() == self.new else f"the retry answered {again}"


class Delete(Operation):
    """With its storage and its seed."""
    name = "delete"
    uuid = image = None

    def prepare(self):
        if self.uuid in host.listed():
            return
        self.uuid = make("deleted", [disk("d/thin.qcow2"), disk("d/e/thick.raw", 2)])
        if self.image:
            self.plant_seed()
        else:
            self.boot()
        host.seeded.add(self.uuid)

    def boot(self):
        """The first seed is a real one."""
        answer = host.request("POST", f"/vms/{self.uuid}/runstate/boot", CLOUD_INIT)
        if answer.status != 204:
            sys.exit(f"cannot boot what is to be deleted: {answer}")
        power_off(self.uuid)
        with open(host.seed(self.uuid), "rb") as file:
            self.image = file.read()

    def plant_seed(self):
        """As a boot leaves it, which would take a second."""
        os.makedirs(os.path.dirname(host.seed(self.uuid)), 0o750, exist_ok=True)
        with open(os.open(host.seed(self.uuid), os.O_WRONLY | os.O_CREAT, 0o640), "wb") as file:
            file.write(self.image)

    def call(self):
        return "DELETE", "/vms/" + self.uuid, {"deletestorage": True}

    def check(self, answer):
        there = self.uuid in host.listed()
        return "" if answer.status in (0, 404) or there == (answer.status >= 400) else f"answered {answer}, it is there: {there}"

    def finish(self, answer):
        again = host.request(*self.call())
        gone = self.uuid not in host.listed()
        return "" if again.status in (204, 404) and gone else f"the retry answered {again}"


class Register(Operation):
    """A VM that libvirt lost."""
    name, victims = "register", ["daemon", "recovery"]  # it has no child

    def __init__(self):
        before = host.listed()
        self.uuid = make(self.name, [disk(self.name + "/os.qcow2"), disk(self.name + "/data.raw", 2)])
        self.lost = host.owned(before | {self.uuid}) - host.owned(before)

    def prepare(self):
        host.kill()
        host.forget(self.uuid)
        host.start()

    def call(self):
        return "PUT", f"/vms/{self.uuid}/register", {}

    def check(self, answer):
        there = self.uuid in host.listed()
        # As long as it is lost its files are the register's, which nobody can list.
        host.outside = host.outside - self.lost if there else host.outside | self.lost
        return "" if answer.status == 0 or there == (answer.status < 300) else f"answered {answer}, it is there: {there}"

    def finish(self, answer):
        again = host.request(*self.call())
        host.outside -= self.lost
        return "" if again.status in (200, 201) and self.uuid in host.listed() else f"the retry answered {again}"


class Takeover(Register):
    """A VM of a host that died, which had begun to boot, to update or to migrate it, or nothing."""
    name = "takeover"
    begun = 0

    def prepare(self):
        """As that host left it."""
        definition, own = host.definition(self.uuid), f"{host.vms}/xml/{host.uuid()}"
        super().prepare()
        os.makedirs(self.folder(), 0o750, exist_ok=True)
        os.rename(f"{own}/{self.uuid}.xml", f"{self.folder()}/{self.uuid}.xml")
        self.begun = (self.begun + 1) % 4
        if self.begun:
            intent = {"op": ["", "boot", "update", "migrate"][self.begun], "vm": self.uuid, "made": [], "def": definition,
                      "old": definition, "from": os.path.basename(self.folder()), "to": "eeeeeeee-0000-4000-8000-000000000000"}
            with open(f"{self.folder()}/{self.uuid}.intent", "w", encoding="utf-8") as file:
                json.dump(intent, file)

    @staticmethod
    def folder():
        return host.vms + "/xml/dddddddd-0000-4000-8000-000000000000"

    def check(self, answer):
        """Its files are the dead host's before, and this one's afterwards."""
        there = self.uuid in host.listed()
        wrong_name = glob.glob(f"{self.folder()}/*" if there else f"{host.vms}/xml/{host.uuid()}/{self.uuid}.*")
        if wrong_name:
            return f"it is there: {there}, but also {wrong_name}"
        host.outside = host.outside - self.lost if there else host.outside | self.lost
        host.outside |= set(glob.glob(f"{self.folder()}/*"))
        return super().check(answer)


class Boot(Operation):
    """With cloud-init: the guest runs once or not at all, its seed stays with one that runs, and never in the definition."""
    name = "boot"

    def __init__(self):
        self.uuid = make("booted", [disk("b/os.qcow2")])
        self.lease = host.lease(lease_of(host.seed(self.uuid), host.datastore))

    def prepare(self):
        """Until nothing is left of the guest before: the lease of its seed goes when it has ended."""
        host.outside.discard(self.lease)
        end = time.monotonic() + RECOVERY_S
        while host.difference():
            if time.monotonic() > end:
                sys.exit(f"after the guest: {host.difference()}")
            time.sleep(0.05)

    def call(self):
        return "POST", f"/vms/{self.uuid}/runstate/boot", CLOUD_INIT

    def check(self, answer):
        runs, count = host.is_running(self.uuid), len(host.guests(self.uuid))
        if runs:
            host.outside.add(self.lease)
        # Its seed stays with a guest that was started; another start leaves the one of before, or none.
        (host.seeded.add if os.path.exists(host.seed(self.uuid)) else host.seeded.discard)(self.uuid)
        if count != int(runs) or (answer.status and runs != (answer.status == 204)):
            return f"answered {answer}, it runs: {runs}, there are {count} guests"
        if runs and self.uuid not in host.seeded:
            return "it runs without its seed"
        with_seed = [path for path, text in host.stored_domains().items() if "seed.iso" in text]
        return f"a definition has a seed: {with_seed}" if with_seed else ""

    def finish(self, answer):
        """It can be booted again: seen at the next point, as that is the same call."""
        power_off(self.uuid)
        return "" if answer.status in (0, 204, 424) else f"answered {answer}"


def is_clear(answer):
    """An error that says what happened."""
    problem = json.loads(answer.body)
    return problem.get("code") not in (None, "internal") and len(problem.get("detail", "")) > 10


def wrong(operation, answer):
    """What is not as it should be, of everything that can be seen from outside."""
    running = [item for item in host.get("/operations")["items"] if item["state"] == "running"]
    return (f"an operation still runs: {running}" if running else "") or operation.check(answer) or host.difference() or \
        ("" if host.outside & operation.lost else host.fsck())


class Walk:
    """The points of one operation and one victim."""

    def __init__(self, operation, victim):
        self.operation, self.victim = operation, victim
        self.points, self.slowest, self.violations = 0, 0.0, []
        self.answers = collections.Counter()

    def once(self, at):
        """False when the operation completed before its at-th call."""
        self.operation.prepare()
        call = self.operation.call()
        board.arm(VICTIMS[self.victim], at)
        answer = host.request(*call)
        cut, self.count = board.disarm()
        if cut:
            self.points += 1
            self.answers[answer.status] += 1
            self.judge(answer, f"at {at} ({board.call()})")
        else:
            self.note(f"uncut after {self.count} calls",
                      (str(answer) if answer.status not in (200, 201, 204) else "") or
                      wrong(self.operation, answer) or self.operation.finish(answer))
        return cut

    def note(self, where, problem):
        if problem:
            self.violations.append(f"{where}: {problem}")
            print(f"# {self.operation.name} {self.victim} {self.violations[-1]}", flush=True)

    @staticmethod
    def take_over():
        """What is wrong with that, "" when nothing is."""
        with open(STATE + "/host_uuid", encoding="utf-8") as file:
            dead = file.read().strip()
        host.die()
        host.start()
        host.died = True
        left = host.get(f"/hosts/{dead}/register")["items"]
        for item in left:
            answer = host.request("PUT", f"/vms/{item['uuid']}/register", {})
            if answer.status not in (201, 204):
                return f"{item} is not taken over: {answer}"
        # What was being written is nobody's; fsck would say it, and remove it.
        for path in glob.glob(f"{host.vms}/xml/{dead}/*.tmp-*"):
            os.unlink(path)
        left = host.get(f"/hosts/{dead}/register")["items"]
        return f"left on the dead host: {left}" if left else ""

    @staticmethod
    def cut_start():
        board.arm(DAEMON, random.randint(1, start_calls + 40))
        if host.start(may_die=True) is not None:
            board.disarm()
            host.kill()
            return ", then when it was ready"
        host.process.wait()
        return f", then at {board.call()}"

    def judge(self, answer, where):
        began = time.monotonic()
        if VICTIMS[self.victim] & DAEMON:
            host.process.wait(60)
            if self.victim == "recovery":
                where += self.cut_start()
            began = time.monotonic()
            if self.victim == "dead":
                self.note(where, self.take_over())
            else:
                host.start()
        elif answer.status >= 400 and not is_clear(answer):
            self.note(where, f"no clear error: {answer}")
        problem = wrong(self.operation, answer)
        while problem and time.monotonic() < began + RECOVERY_S:
            time.sleep(0.05)
            problem = wrong(self.operation, answer)
        took = time.monotonic() - began
        self.slowest = max(self.slowest, took)
        if took > RECOVERY_S:
            self.note(where, f"recovery took {took:.1f} s")
        self.note(where, problem or self.operation.finish(answer))

    def run(self, count):
        """All points, or SAMPLE ones of the `count` that there are as far as known; how many there are."""
        self.count = count
        sample = SAMPLE or (RECOVERIES if self.victim == "recovery" else 0)
        if sample and not count:
            self.once(0)
        if sample:
            for at in sorted(random.sample(range(1, self.count + 1), min(sample, self.count))):
                # There may be a call or two fewer than the last time: then it is cut well before the end.
                if not self.once(at):
                    self.once(random.randint(1, max(1, self.count // 2)))
        else:
            while self.once(self.points + 1):
                pass
        what = f"{self.operation.name}, {self.victim} killed: whole or not at all, at every call"
        result(self.points > 0 and not self.violations, what, self.violations)
        print(f"# figure cut {self.operation.name} {self.victim}: {self.points} points, {len(self.violations)} violations, "
              f"slowest recovery {self.slowest:.2f} s, answers {dict(self.answers)}", flush=True)
        return self.count


board = Board(STATE + ".board")
check_tool(STATE + ".tool")
random.seed(SEED)
os.umask(0o006)  # as virtxd's
host = Host(VIRTX, STATE, **json.loads(os.environ.get("CUT_HOST", "{}")))
host.start()
host.kill(signal.SIGTERM)
host.command = [CUT, STATE + ".board"]
# The search for leaks would trace its own process, which has a tracer already.
host.environment["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
board.arm(DAEMON, 0)
host.start()
start_calls = board.disarm()[1]
print(f"# seed {SEED}")
for kind in (Create, Update, Delete, Register, Takeover, Boot):
    chosen = [word.partition(":")[2] for word in sys.argv[7:] if word.partition(":")[0] == kind.name]
    if sys.argv[7:] and not chosen:
        continue
    begin, calls = time.monotonic(), {}
    subject = kind()
    for who in subject.victims:
        # Only beside the embedded driver a whole host can be had so cheaply.
        if who == "dead" and host.domains != STATE + "/qemu/etc/qemu":
            continue
        if who in chosen or chosen in ([], [""]):
            known = {"both": "child", "recovery": "daemon", "dead": "daemon"}.get(who)
            calls[who] = Walk(subject, who).run(calls.get(known, 0))
            host.died = False
    print(f"# figure cut {kind.name} took {time.monotonic() - begin:.0f} s")
result(host.kill(signal.SIGTERM) == 0, "the daemon ends in order")
