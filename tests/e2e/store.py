# SPDX-License-Identifier: GPL-2.0-or-later
"""The test store (tests/tools/teststore.c) under a host, and its operations that change the storage: for tests that make them fail."""
import atexit
import collections
import os
import signal
import socket
import subprocess
import sys
import time

from host import CLOUD_INIT, vmdef

Status = collections.namedtuple("Status", "calls hit what")


def until(condition, seconds):
    """Whether it becomes true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())


class Store:
    """Make it after the host, so that it ends first: what hangs in it must not keep the host from ending."""

    def __init__(self, program, host):
        self.place, self.control = host.vms, host.state + ".control"
        os.makedirs(self.place)
        self.process = subprocess.Popen([program, self.place, self.control])
        atexit.register(self.close)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))
        if not until(lambda: os.path.ismount(self.place) and os.path.exists(self.control), 10):
            sys.exit("the test store does not start")

    def close(self):
        if self.process.poll() is None:
            self.tell("release")
            self.process.terminate()
            self.process.wait(10)

    def tell(self, command):
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(60)
            control.connect(self.control)
            control.sendall(command.encode() + b"\n")
            calls, hit, what = control.recv(1000).decode().rstrip("\n").split(" ", 2)
        return Status(int(calls), hit == "1", what)


class Walker:
    """Operations by name: each call gives a request that does it, to a VM that is as it must be for that."""

    KINDS = ["create", "update", "delete", "register", "lost", "boot"]

    def __init__(self, host, store):
        self.host, self.store, self.number, self.vm = host, store, 0, None

    def disks(self, prefix):
        self.number += 1
        return [{"path": f"{prefix}{self.number}/{name}", "bus": 0, "man": 1, "prov": prov, "size": 1}
                for name, prov in (("a.qcow2", 2), ("b.raw", 1))]

    def create_body(self):
        made = self.disks("c")
        return {"vmdef": vmdef(f"vm{self.number}", made)}

    def some_vm(self):
        """One that is off and complete; another than before when that one is gone."""
        if self.vm not in self.host.listed():
            answer = self.host.request("POST", "/vms", self.create_body())
            if answer.status != 201:
                sys.exit(f"no VM for the test: {answer}")
            self.vm = answer.body.decode().strip('"\n')
        return self.vm

    def prepare(self, kind):
        """The VM (None for create) and the request."""
        if kind == "create":
            return None, ("POST", "/vms", self.create_body())
        uuid = self.some_vm()
        if kind == "delete":
            return uuid, ("DELETE", "/vms/" + uuid, {"deletestorage": True})
        if kind == "boot":
            self.host.seeded.add(uuid)
            return uuid, ("POST", f"/vms/{uuid}/runstate/boot", CLOUD_INIT)
        if kind == "lost":
            self.host.kill(signal.SIGTERM)
            self.host.forget(uuid)
            self.host.start()
        if kind in ("register", "lost"):
            return uuid, ("PUT", f"/vms/{uuid}/register", {})
        definition = self.host.definition(uuid)
        definition["disks"] = self.disks("u")
        return uuid, ("PUT", "/vms/" + uuid, {"vmdef": definition, "deletestorage": True})

    def count(self, kind):
        """How many state-changing calls it takes when nothing is wrong, with a VM as the cases will have it."""
        self.vm = None
        uuid, call = self.prepare(kind)
        self.store.tell("arm 0")
        answer = self.host.request(*call)
        calls = self.store.tell("status").calls
        if answer.status not in (200, 201, 204):
            sys.exit(f"{kind} without any fault: {answer}")
        self.stop(uuid)
        return calls

    def stop(self, uuid):
        if uuid in self.host.listed() and self.host.is_running(uuid):
            self.host.request("DELETE", f"/vms/{uuid}/runstate/boot", {"force": 2})


def is_clean(host):
    """Whether nothing is being done and the storage holds what the VMs own; a VM may go while we look."""
    try:
        return not host.difference() and all(item["state"] != "running" for item in host.get("/operations")["items"])
    except KeyError:
        return False


def fsck(host):
    """What `virtx fsck` complains about; "" if it is content."""
    checked = subprocess.run([host.virtx, "fsck", "--standalone", "--state-dir", host.state], capture_output=True,
                             text=True, check=False)
    return "" if checked.returncode == 0 else f"{checked.returncode}: {checked.stdout} {checked.stderr}"
