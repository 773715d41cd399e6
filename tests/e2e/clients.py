#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Several clients at once. Usage: clients.py HOST:PORT STATE_DIR DAEMON_PID

Lives of many VMs side by side, one VM fought over, and the daemon killed in the
middle of it; bounded throughout. Prints "ok"/"not ok" lines.
"""
import collections
import http.client
import json
import os
import subprocess
import sys
import threading

SERVER, STATE = sys.argv[1], sys.argv[2]
LOCK = threading.Lock()


def result(good, what, detail=""):
    detail = str(detail).replace("\n", " ").replace("\t", " ")[:600]
    print(("ok " if good else "not ok ") + what + (f"\t{detail}" if not good else ""), flush=True)


def request(method, target, body=None):
    connection = http.client.HTTPConnection(SERVER, timeout=120)
    connection.request(method, target, None if body is None else json.dumps(body),
                       {"Content-Type": "application/json"} if body is not None else {})
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    return response.status, answer


def definition(name, disks=2):
    def image(i):
        return {"path": f"{name}/{i}.qcow2", "device": 0, "bus": i % 3, "man": 1, "prov": 1, "size": 8}
    return {"name": name, "cpudef": {"model": "host-passthrough", "sockets": 1, "cores": 1, "threads": 1},
            "memory": {"total": 16}, "osdisk": image(0), "disks": [image(i) for i in range(1, disks)], "firmware": 0}


def together(count, work):
    """Runs work(i) in count threads; the list of what they returned or raised."""
    answers = [None] * count

    def one(i):
        try:
            answers[i] = work(i)
        except Exception as error:  # a test that dies must say so
            answers[i] = repr(error)
    threads = [threading.Thread(target=one, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def life(i):
    """A short life; "" or what went wrong."""
    name = f"many-{i}"
    steps = [("POST", "/vms", {"vmdef": definition(name)}, 201)]
    steps += [("GET", f"/vms/{name}", None, 200), ("POST", f"/vms/{name}/runstate/boot", None, 204),
              ("POST", f"/vms/{name}/runstate/pause", None, 204), ("DELETE", f"/vms/{name}/runstate/pause", None, 204),
              ("DELETE", f"/vms/{name}/runstate/boot", {"force": 2}, 204),
              ("PUT", f"/vms/{name}", {"vmdef": definition(name, 3)}, 204),
              ("DELETE", f"/vms/{name}", {"deletestorage": True}, 204), ("GET", f"/vms/{name}", None, 404)]
    for method, target, body, wanted in steps:
        status, answer = request(method, target, body)
        if status != wanted:
            return f"{method} {target}: {status} {answer[:300]!r}"
    return ""


def fight(what, count, calls, winners, losers):
    """All at once: as many winners as there may be, everyone else an honest refusal."""
    answers = together(count, lambda i: request(*calls[i % len(calls)]))
    statuses = collections.Counter(a[0] if isinstance(a, tuple) else a for a in answers)
    good = all(s in winners or s in losers for s in statuses)
    result(good, f"{what}: {'/'.join(map(str, winners))} or {'/'.join(map(str, losers))}", f"{statuses} {answers[:3]}")
    return statuses


def main():
    wrong = [a for a in together(8, life) if a]
    result(not wrong, "eight lives side by side", wrong)

    answers = together(8, lambda i: request("POST", "/vms", {"vmdef": definition("shared-disk")}))
    won = [json.loads(a[1]) for a in answers if a[0] == 201]
    lost = [a[0] for a in answers if a[0] != 201]
    result(len(won) == 1 and all(s in (409, 507) for s in lost), "one image, eight creates: one wins", answers)
    vm = won[0]
    fight("eight boots", 8, [("POST", f"/vms/{vm}/runstate/boot")], (204,), (409, 422, 424))
    fight("boots, pauses, deletes", 24,
          [("POST", f"/vms/{vm}/runstate/pause"), ("DELETE", f"/vms/{vm}/runstate/pause"),
           ("DELETE", f"/vms/{vm}", {"deletestorage": True}), ("GET", f"/vms/{vm}")], (200, 204), (409, 422, 424))
    request("DELETE", f"/vms/{vm}/runstate/boot", {"force": 2})
    statuses = fight("boots against deletes", 16,
                     [("POST", f"/vms/{vm}/runstate/boot"), ("DELETE", f"/vms/{vm}", {"deletestorage": True})],
                     (204,), (404, 409, 422, 424))
    state = request("GET", f"/vms/{vm}/runstate")
    listed = any(i["uuid"] == vm for i in json.loads(request("GET", "/vms")[1])["items"])
    qemu = subprocess.run(["pgrep", "-f", f"qemu.*{vm}"], stdout=subprocess.PIPE, check=False).stdout
    result((state[0] == 200) == listed == bool(qemu), "it runs and is listed, or it is gone altogether",
           f"{statuses} {state} listed {listed} qemu {qemu}")
    if listed:
        request("DELETE", f"/vms/{vm}/runstate/boot", {"force": 2})
        status, answer = request("DELETE", f"/vms/{vm}", {"deletestorage": True})
        result(status == 204, "the survivor can be deleted", f"{status} {answer}")
    left = []
    for folder in ("ds", "lock", "xml"):
        for base, _, files in os.walk(f"{STATE}/vms/{folder}"):
            left += [os.path.join(base, f) for f in files if f not in (".lock", "lockid")]
    result(not left, "no image, lease, entry or temporary file is left", left)


main()
