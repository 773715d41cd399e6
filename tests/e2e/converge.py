#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes on light hosts, and when the others show them. Usage: converge.py HOSTS VMS_PER_HOST MODE...

The URLs of the hosts come as virt1=ADDRESS:PORT ... in the environment; VMs have the UUIDs of cluster.sh, and those
from 101 on can be paused and resumed. MODE: "figures" times changes one by one, "change" pauses or resumes all VMs that
can be, "flood ADDRESS" does so while the gossip carries more than it can, "equal" waits until all lists are one.
Prints "ok"/"not ok" lines.
"""
import os
import sys
import threading
import time

from light import call, result, rows, wait_for
from oldwire import Agent

HOSTS, PER_HOST, MODE = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
SERVERS = {n: os.environ[f"virt{n}"] for n in range(1, HOSTS + 1)}
RUNNING, PAUSED = 4, 5


def vm(host, number):
    return f"{host:08}-0000-4000-8000-{100 + number:012}"


def runstate(server, uuid):
    return call(server, f"/vms/{uuid}/runstate")[1].get("runstate")


def change(host, uuid):
    """Pauses what runs and resumes what does not, by its own host: the new state."""
    server = SERVERS[host]
    paused = runstate(server, uuid) == PAUSED
    status, said = call(server, f"/vms/{uuid}/runstate/pause", "DELETE" if paused else "POST")
    if status != 204:
        result(False, f"change of {uuid}", f"{status} {said}")
    return RUNNING if paused else PAUSED


def time_changes(host, count, times, missed):
    for i in range(count):
        uuid = vm(host, i % PER_HOST + 1)
        wanted = change(host, uuid)
        start, left = time.monotonic(), set(SERVERS) - {host}
        while left and time.monotonic() - start < 20:
            left = {n for n in left if runstate(SERVERS[n], uuid) != wanted}
            time.sleep(0.01)
        times.append(time.monotonic() - start)
        missed.extend((uuid, n) for n in left)


def figures():
    times, missed = [], []
    threads = [threading.Thread(target=time_changes, args=(n, 25, times, missed)) for n in SERVERS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times.sort()
    result(not missed, f"{len(times)} changes show on all hosts", str(missed[:5]))
    print(f"# {len(times)} changes on {HOSTS} hosts, until all others show one: p50 {times[len(times) // 2] * 1000:.0f} ms, "
          f"p99 {times[len(times) * 99 // 100] * 1000:.0f} ms, most {times[-1] * 1000:.0f} ms")


def change_all():
    for host in SERVERS:
        for number in range(1, PER_HOST + 1):
            change(host, vm(host, number))


def flood(address):
    agent, stop = Agent(address), threading.Event()
    sent = [0]

    def run():
        while not stop.is_set():
            agent.event("noise", os.urandom(300))
            sent[0] += 1
    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(0.5)  # the queues of the agents are full then
    change_all()
    stop.set()
    thread.join()
    result(sent[0] > 0, "changes while the gossip carries more than it can")
    print(f"# beside {sent[0]} events of another program")


def view(server):
    return {uuid: (row["host"], row["name"], row["runstate"]) for uuid, row in rows(server, "vms").items()}


def truth():
    """What each host, which asks its libvirt, says of its own."""
    own = {n: call(server, f"/hosts/virt{n}")[1]["uuid"] for n, server in SERVERS.items()}
    return {uuid: row for n, server in SERVERS.items() for uuid, row in view(server).items() if row[0] == own[n]}


def equal():
    def differences():
        wanted = truth()
        return [(n, sorted(set(wanted.items()) ^ set(view(server).items()))[:3]) for n, server in SERVERS.items()
                if view(server) != wanted]
    start = time.monotonic()
    result(wait_for(lambda: not differences(), 60), "all lists are one", str(differences()))
    print(f"# after {time.monotonic() - start:.1f} s")


if MODE == "figures":
    figures()
elif MODE == "change":
    change_all()
    result(True, "changed all")
elif MODE == "flood":
    flood(sys.argv[4])
else:
    equal()
