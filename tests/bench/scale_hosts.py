# SPDX-License-Identifier: GPL-2.0-or-later
"""Light hosts: each a serf agent and a virtxd on a loopback address of its own, with libvirt's test driver."""
import json
import os
import re
import subprocess
import tempfile

from scale_loop import Client

PORT = 8080
RUNNING, PAUSED, POWEROFF = 4, 5, 2
DRIVER_STATES = {RUNNING: 1, POWEROFF: 5}
TICKS = os.sysconf("SC_CLK_TCK")


def uuid_of(host, vm=0):
    return f"{host:08d}-0000-4000-8000-{vm:012d}"


class Process:
    """A process of ours and what the kernel says of it."""

    def __init__(self, arguments, log, environment=None):
        with open(log, "ab") as out:
            self.child = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                          env={**os.environ, **(environment or {})})

    def end(self):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()

    def cpu_s(self):
        with open(f"/proc/{self.child.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def facts(self):
        """RssAnon in MiB, threads, descriptors."""
        with open(f"/proc/{self.child.pid}/status", encoding="ascii") as file:
            status = dict(line.split(":", 1) for line in file)
        return (int(status["RssAnon"].split()[0]) / 1024, int(status["Threads"]),
                len(os.listdir(f"/proc/{self.child.pid}/fd")))


class Host:
    def __init__(self, cluster, number):
        self.cluster, self.number = cluster, number
        self.name, self.uuid = f"virt{number}", uuid_of(number)
        self.address = f"127.0.{1 + number // 200}.{1 + number % 200}"
        self.path = os.path.join(cluster.work, self.name)
        self.first = {vm: RUNNING if vm % 2 else POWEROFF for vm in range(1, cluster.vms + 1)}
        self.states = dict(self.first)
        self.agent = self.daemon = None
        self.watch = Client(cluster.loop, self.address, PORT)
        self.change = Client(cluster.loop, self.address, PORT)
        cluster.write_domains(self)

    def start_agent(self):
        # Agents that wait for a processor take each other for dead, and never calm down; real ones have their own. So
        # these go first, and use less of it: half of what they take is Go's threads and its collector.
        first = [] if os.geteuid() else ["nice", "-n", "-15"]
        self.agent = Process(
            first + ["serf", "agent", f"-node={self.name}", f"-bind={self.address}:7946", f"-rpc-addr={self.address}:7373",
             f"-profile={self.cluster.profile}", "-log-level=warn", "-retry-interval=1s",
             f"-retry-join={self.cluster.hosts[0].address}"], self.path + ".serf.log", {"GOMAXPROCS": "1", "GOGC": "400"})

    def start_daemon(self):
        self.states = dict(self.first)  # the test driver begins anew
        self.daemon = Process(
            [self.cluster.program, "virtxd", "--config", self.cluster.config, "--vms-dir", self.cluster.storage,
             "--state-dir", self.path, "--libvirt-uri", f"test://{self.path}.xml", "--lock-manager", "local",
             "--virt-type", "qemu", "--host-uuid", self.uuid, "--host-name", self.name,
             "--listen", f"{self.address}:{PORT}", "--serf-rpc", f"{self.address}:7373"],
            self.path + ".log")

    def end(self):
        """As when the machine dies."""
        for process in (self.daemon, self.agent):
            if process:
                process.end()
        self.watch.close()
        self.change.close()


class Cluster:
    def __init__(self, loop, program, vms, profile):
        self.loop, self.program, self.vms, self.profile = loop, program, vms, profile
        # Real hosts have disks of their own; these would wait for one.
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = tempfile.TemporaryDirectory(prefix="scale.", dir=os.environ.get("TMPDIR") or memory)
        self.work = self.folder.name
        self.storage = os.path.join(self.work, "vms")
        self.config = os.path.join(self.work, "virtxd.conf")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write("threads = 4\n")
        self.template = self.make_template()
        subprocess.run([program, "virtxd", "--config", self.config, "--vms-dir", self.storage, "--init-cluster"],
                       check=True, stdout=subprocess.DEVNULL)
        self.hosts = []

    def make_template(self):
        """A VM as virtx defines it, for the test driver."""
        path = os.path.join(self.work, "vm.json")
        definition = {
            "name": "NAME", "cpudef": {"model": "host-passthrough", "sockets": 1, "cores": 1, "threads": 1},
            "memory": {"total": 64}, "firmware": 0, "disks": [], "nets": [],
            "osdisk": {"path": "/vms/ds/NAME.raw", "device": 0, "bus": 0, "createmode": 0, "prov": 0,
                       "man": 0, "size": 0},
            "custom": [{"name": "department", "value": "accounting"}, {"name": "ticket", "value": "VX12345"}]}
        with open(path, "w", encoding="utf-8") as file:
            json.dump(definition, file)
        xml = subprocess.run([self.program, "create", "vm", path, "--print-xml", "--uuid", uuid_of(0)],
                             check=True, stdout=subprocess.PIPE, text=True).stdout
        xml = re.sub(r'<domain type="[a-z]+"',
                     '<domain type="test" xmlns:test="http://libvirt.org/schemas/domain/test/1.0"', xml, count=1)
        xml = xml.replace(' firmware="bios"', "").replace(
            "</domain>", "<test:runstate>STATE</test:runstate></domain>")
        return xml.replace(uuid_of(0), "IDENTITY").replace("/vms/ds", f"{self.storage}/ds")

    def write_domains(self, host):
        """What libvirt has, and the same VMs in the register."""
        register = os.path.join(self.storage, "xml", host.uuid)
        os.makedirs(register, mode=0o750)
        with open(host.path + ".xml", "w", encoding="utf-8") as file:
            file.write("<node>\n")
            for vm, state in host.first.items():
                xml = (self.template.replace("NAME", f"vm-{host.number:03d}-{vm:03d}")
                       .replace("IDENTITY", uuid_of(host.number, vm)).replace("STATE", str(DRIVER_STATES[state])))
                file.write(xml)
                with open(f"{register}/{uuid_of(host.number, vm)}.xml", "w", encoding="utf-8") as entry:
                    entry.write(xml)
            file.write("</node>\n")

    def prepare(self, count):
        self.hosts = []
        for number in range(1, count + 1):
            self.hosts.append(Host(self, number))

    def others(self, hosts):
        return [host for host in self.hosts if host not in hosts]

    def end(self):
        for host in self.hosts:
            host.end()
        self.folder.cleanup()

    def cpu_s(self):
        """CPU time of all daemons, of all agents."""
        return (sum(host.daemon.cpu_s() for host in self.hosts), sum(host.agent.cpu_s() for host in self.hosts))
