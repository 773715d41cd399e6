#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""Thick images on a storage without fallocate. Usage: slow.py VIRTX TESTSTORE STATE_DIR

They are filled block by block, which takes its time: that is seen, can be cancelled, and holds nobody else up. Prints
"ok"/"not ok" lines, and how long GET /vms takes at rest and meanwhile.
"""
import http.client
import json
import os
import subprocess
import sys
import time

from host import Host, result, vmdef
from store import Store, fsck, until

VIRTX, TESTSTORE, STATE = sys.argv[1:4]
SAMPLES, LONGEST_S, CANCEL_S = 1000, 1.0, 5
THIN, THICK = 1, 2
host = Host(VIRTX, STATE)
store = Store(TESTSTORE, host)


def body(name, prov, mib):
    return {"vmdef": vmdef(name, [{"path": f"{name}/disk.raw", "bus": 0, "man": 1, "prov": prov, "size": mib}])}


def begin(name, mib):
    """Starts a create that takes its time; its operation."""
    connection = http.client.HTTPConnection(host.server, timeout=20)
    connection.request("POST", "/vms", json.dumps(body(name, THICK, mib)),
                       {"Content-Type": "application/json", "Prefer": "respond-async"})
    response = connection.getresponse()
    response.read()
    return response.getheader("Location")


def measure(while_true=lambda: True):
    """Seconds of each GET /vms on one connection, at an even pace; as long as it is wanted."""
    connection, times = http.client.HTTPConnection(host.server, timeout=20), []
    while len(times) < SAMPLES and while_true():
        start = time.perf_counter()
        connection.request("GET", "/vms")
        connection.getresponse().read()
        times.append(time.perf_counter() - start)
        time.sleep(0.002)
    return times


def p99(times):
    return sorted(times)[len(times) * 99 // 100] * 1000


def is_running(operation):
    return host.get(operation)["state"] == "running"


def while_filling():
    """Everybody else, while an image is filled."""
    operation, seen = begin("thick", 64), []
    store_status = store.tell("status")

    def look():
        """The progress, every so often; false at the end."""
        now = host.get(operation)
        if not seen or now["progress"] != seen[-1]:
            seen.append(now["progress"])
        return now["state"] == "running"

    result(until(lambda: look() and len(seen) > 2, 10), "an image that is filled shows progress", host.get(operation))
    times = measure(look_now_and_then(look))
    result(len(times) > SAMPLES // 4 and is_running(operation), "reads ran while it was filled", len(times))
    result(max(times) < LONGEST_S, "none of them took long", max(times))
    thin = host.request("POST", "/vms", body("thin", THIN, 1))
    result(thin.status == 201 and is_running(operation), "another VM is created meanwhile", thin)
    look()
    result(seen == sorted(seen) and len(seen) > 3 and seen[-1] < 100, "the percentage grows", seen)
    result(store.tell("status").calls > store_status.calls + 1000, "block by block", store.tell("status"))
    return operation, times


def look_now_and_then(look):
    count = iter(range(SAMPLES + 1))
    return lambda: next(count) % 50 or look()


def cancel(operation):
    start = time.monotonic()
    answer = host.request("DELETE", operation)
    result(answer.status in (202, 204), "it can be cancelled", answer)
    result(until(lambda: not is_running(operation), CANCEL_S), "and ends soon", host.get(operation))
    print(f"# figure cancelled within {time.monotonic() - start:.2f} s")
    result(host.get(operation)["state"] == "cancelled", "as cancelled", host.get(operation))
    result(not host.difference() and not fsck(host), "nothing is left of it", host.difference() + fsck(host))


def complete():
    operation = begin("small", 4)
    result(until(lambda: not is_running(operation), 20), "another one is filled to its end", host.get(operation))
    result(host.get(operation)["state"] == "completed", "and completed", host.get(operation))
    info = os.stat(host.datastore + "small/disk.raw")
    result(info.st_blocks * 512 >= info.st_size == 4 << 20, "with all its blocks", info)


def on_terminal():
    path = STATE + ".vm.json"
    with open(path, "w", encoding="utf-8") as file:
        json.dump(body("seen", THICK, 8)["vmdef"], file)
    command = ["tests/e2e/terminal.py", "30", "<disk.raw [1-9][0-9]*%", "--", VIRTX, "create", "vm", "-A", host.server, path]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    os.unlink(path)
    result(shown.returncode == 0, "on a terminal, `virtx create vm` shows how far it is", shown)


host.start()
result(host.request("POST", "/vms", body("first", THICK, 1)).status == 201, "with fallocate a thick image is there at once")
rest = measure()
store.tell("nofallocate")
store.tell("delay 300")
filling, busy = while_filling()
print(f"# figure p99 of GET /vms: {p99(rest):.2f} ms at rest, {p99(busy):.2f} ms while an image is filled, "
      f"ratio {p99(busy) / p99(rest):.2f}, of {len(rest)} and {len(busy)}")
cancel(filling)
complete()
on_terminal()
result(not host.difference() and not fsck(host), "the storage holds what the VMs own", host.difference() + fsck(host))
