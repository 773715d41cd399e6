# SPDX-License-Identifier: GPL-2.0-or-later
"""One virtxd --standalone, and what its storage must hold: for tests that cut it, starve it or take its storage away."""
import atexit
import collections
import glob
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

POWEROFF, RUNNING = 1, 4
CLOUD_INIT = {"cloud_init": [{"name": "ci-userdata", "value": "#cloud-config\n"}]}

Answer = collections.namedtuple("Answer", "status body")


def result(good, what, detail=""):
    """One line for tap_from() of lib.sh."""
    detail = str(detail).replace("\n", " ").replace("\t", " ")[:600]
    print(("ok " if good else "not ok ") + what + (f"\t{detail}" if not good else ""), flush=True)


def vmdef(name, disks):
    """A small definition; the first disk is the osdisk."""
    return {"name": name, "memory": {"total": 16}, "osdisk": disks[0], "disks": disks[1:],
            "cpudef": {"model": "host-passthrough", "sockets": 1, "cores": 1, "threads": 1}}


def lease_of(path, datastore):
    return hashlib.md5(path[len(datastore):].encode()).hexdigest()


class Host:
    """start() after kill() is the restart under test. `command` goes before the program, `environment` is added to ours.

    Beside a libvirtd: its folder of definitions, virtxd's vms_dir, and the options that virtxd and fsck need.
    """

    def __init__(self, virtx, state, command=(), environment=None, options=("--standalone",), vms=None, domains=None):
        self.virtx, self.state, self.options = virtx, state, list(options)
        self.vms = vms or state + "/vms"
        self.datastore = self.vms + "/ds/"
        self.domains = domains or state + "/qemu/etc/qemu"
        self.log = state + ".host.log"
        self.command, self.environment = list(command), environment or {}
        self.process = self.server = None
        self.died = False  # what runs now is another host than the one that was killed
        self.seeded = set()  # VMs whose seed must be there
        self.outside = set()  # files of the storage that nobody need own
        atexit.register(lambda: self.process and self.process.poll() is None and self.kill())

    # The daemon.

    def start(self, deadline_s=60, may_die=False):
        """Until it says that it is ready; how many seconds that took. None: it died, which it may."""
        at = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        begin = time.monotonic()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command + [self.virtx, "virtxd", "--state-dir", self.state, "--listen", "127.0.0.1:0",
                                "--virt-type", "qemu"] + self.options,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **self.environment})
        while time.monotonic() < begin + deadline_s and self.process.poll() is None:
            ready = re.search(rb"^.*ready .*address=([0-9.:]+)", self.read_log(at), re.M)
            if ready:
                self.server = ready.group(1).decode()
                if self.request("GET", "/readyz").status == 200:
                    return time.monotonic() - begin
            time.sleep(0.02)
        if may_die and self.process.poll() is not None:
            return None
        sys.exit("the daemon does not start: " + self.read_log(at)[-800:].decode(errors="replace"))

    def read_log(self, at=0):
        with open(self.log, "rb") as log:
            log.seek(at)
            return log.read()

    def kill(self, with_signal=signal.SIGKILL):
        self.process.send_signal(with_signal)
        return self.process.wait(60)

    def request(self, method, target, body=None, headers=None, timeout=120):
        """Status 0 when the daemon went away."""
        try:
            connection = http.client.HTTPConnection(self.server, timeout=timeout)
            connection.request(method, target, None if body is None else json.dumps(body),
                               {"Content-Type": "application/json", **(headers or {})})
            response = connection.getresponse()
            return Answer(response.status, response.read())
        except (OSError, http.client.HTTPException) as error:
            return Answer(0, repr(error))

    def get(self, target):
        return json.loads(self.request("GET", target).body)

    def listed(self):
        return {item["uuid"] for item in self.get("/vms")["items"]}

    def definition(self, uuid):
        return self.get("/vms/" + uuid)["def"]

    def is_running(self, uuid):
        return self.get(f"/vms/{uuid}/runstate")["runstate"] == RUNNING

    # libvirt's own files.

    def stored_domains(self):
        """The persistent definitions, as text."""
        found = {}
        for path in glob.glob(self.domains + "/*.xml"):
            with open(path, encoding="utf-8") as file:
                found[path] = file.read()
        return found

    def forget(self, uuid):
        """Libvirt forgets the VM, as on a host that was installed anew; the daemon must be off."""
        for path, text in self.stored_domains().items():
            if uuid in text:
                os.unlink(path)

    def guests(self, uuid=""):
        """The QEMU processes of a VM, or of all."""
        found = []
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                with open(path, encoding="utf-8", errors="replace") as file:
                    line = file.read()
            except OSError:  # it has ended
                continue
            words = line.split("\0")
            if "qemu-system" in words[0] and (uuid in words if uuid else self.state in line):
                found.append(int(path.split("/")[2]))
        return found

    def die(self):
        """The whole host, whose daemon is off: guests and all that it kept. What starts next is another one."""
        for pid in self.guests():
            os.kill(pid, signal.SIGKILL)
        for name in ("etc", "lib", "run"):
            shutil.rmtree(f"{self.state}/qemu/{name}", ignore_errors=True)
        shutil.rmtree(self.state + "/console", ignore_errors=True)
        for name in ("host_uuid", "operations.json"):
            if os.path.exists(f"{self.state}/{name}"):
                os.unlink(f"{self.state}/{name}")

    # The storage.

    def uuid(self):
        """The registers of dead hosts lie beside this one's."""
        return self.get("/hosts")["items"][0]["uuid"]

    def seed(self, uuid):
        return f"{self.datastore}ci/{uuid}/seed.iso"

    def lease(self, name):
        return f"{self.vms}/lock/{name}/{name}"

    def owned(self, vms):
        """Every file that the storage must hold for these VMs."""
        folder = f"{self.vms}/xml/{self.uuid()}"
        files = {self.vms + "/.virtx-cluster", folder + "/.lock"}
        # Of a cluster, and of a host under sanlock.
        files |= {path for path in (self.vms + "/.virtx-key", folder + "/lockid", self.vms + "/lock/__VIRTX__DISKS__")
                  if os.path.exists(path)}
        # What a dead host leaves of itself.
        files |= set(glob.glob(f"{self.vms}/xml/*/.lock"))
        files |= {self.seed(uuid) for uuid in self.seeded if uuid in vms}
        for uuid in vms:
            files |= {f"{folder}/{uuid}.xml", self.lease("vm-" + uuid)}
            definition = self.definition(uuid)
            for disk in [definition["osdisk"]] + definition["disks"]:
                files.add(disk["path"])
                if disk["man"] == 1:
                    files.add(self.lease(lease_of(disk["path"], self.datastore)))
        return files

    def present(self):
        """Every file there is, every directory that looks like a temporary one, and empty ones of the datastore."""
        found = set()
        for folder, folders, files in os.walk(self.vms):
            found |= {os.path.join(folder, name) for name in files}
            if "tmp" in os.path.basename(folder) or (
                    folder.startswith(self.datastore) and folder != self.datastore + "ci" and not folders and not files):
                found.add(folder)
        return found

    def difference(self):
        """What is wrong with the storage; "" if nothing is."""
        must, have = self.owned(self.listed()) - self.outside, self.present() - self.outside
        return "" if must == have else f"left: {sorted(have - must)} missing: {sorted(must - have)}"

    def fsck(self):
        """What the independent checker finds; "" if nothing."""
        done = subprocess.run([self.virtx, "fsck", "--state-dir", self.state] + self.options,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        return "" if done.returncode == 0 else f"fsck: {done.returncode} {done.stdout}{done.stderr}"
