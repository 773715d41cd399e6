#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Holds the running daemon against openapi.yaml. Usage: openapi.py HOST:PORT DATASTORE

Every operation of the document is called at least once with success and once
with failure, and each answer is validated against the schema it promises; bad
input goes to every route. Prints "ok"/"not ok" lines.
"""
import copy
import http.client
import json
import sys
import time

import jsonschema
import yaml

SERVER, DATASTORE = sys.argv[1], sys.argv[2]
with open("openapi.yaml", encoding="utf-8") as file:
    DOCUMENT = yaml.safe_load(file)
RESOLVER = jsonschema.RefResolver("", DOCUMENT)
METHODS = ("get", "put", "post", "delete")
seen = set()  # (path, method, status) that were answered


def result(good, what, detail=""):
    detail = str(detail).replace("\n", " ").replace("\t", " ")[:600]
    print(("ok " if good else "not ok ") + what + (f"\t{detail}" if not good else ""), flush=True)


def deref(node):
    while isinstance(node, dict) and "$ref" in node:
        _, node = RESOLVER.resolve(node["$ref"])
    return node


def request(method, target, body=None, headers=None):
    connection = http.client.HTTPConnection(SERVER, timeout=120)
    headers = dict(headers or {})
    data = None
    if body is not None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers.setdefault("Content-Type", "application/json")
    connection.request(method, target, data, headers)
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    return response.status, response.headers, answer


def promised(path, method, status):
    """The response object that the document promises."""
    responses = DOCUMENT["paths"][path][method]["responses"]
    return deref(responses.get(str(status), responses["default"] if status >= 400 else None))


def faults(path, method, status, headers, answer):
    """What is wrong with an answer, "" when nothing is."""
    response = promised(path, method, status)
    if response is None:
        return f"status {status} is not in the document: {answer[:200]!r}"
    if headers.get("Content-Length") is None and status not in (204, 304):
        return "no Content-Length"
    for name in response.get("headers", {}):
        if headers.get(name) is None:
            return f"no header {name}"
    content = response.get("content")
    if not content:
        return "" if not answer else f"a body where none is promised: {answer[:200]!r}"
    media = (headers.get("Content-Type") or "").split(";")[0]
    if media not in content:
        return f"type {media}, promised {list(content)}: {answer[:200]!r}"
    if not media.endswith("json"):
        return ""
    try:
        value = json.loads(answer)
        jsonschema.Draft202012Validator(content[media]["schema"], resolver=RESOLVER).validate(value)
        if status >= 400 and value["status"] != status:
            return "the problem's status is another"
    except (ValueError, jsonschema.ValidationError) as error:
        return f"{error}"
    return ""


def call(wanted, method, path, body=None, headers=None, query="", **names):
    """One call that must answer as wanted and as the document says; returns the JSON."""
    target = path
    for name, value in names.items():
        target = target.replace("{" + name + "}", value)
    status, got, answer = request(method.upper(), target + query, body, headers)
    seen.add((path, method, status))
    why = "" if status == wanted else f"{status}, wanted {wanted}: {answer[:400]!r}"
    why = why or faults(path, method, status, got, answer)
    result(not why, f"{method.upper()} {target.split('?')[0]}{query[:30]}: {wanted}", why)
    call.headers = got
    try:
        return json.loads(answer)
    except ValueError:
        return None


def wait_for(seconds, condition):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


VMDEF = {
    "name": "schema", "cpudef": {"model": "host-passthrough", "sockets": 1, "cores": 1, "threads": 1},
    "memory": {"total": 32}, "firmware": 0,
    "osdisk": {"path": "hello.raw", "device": 0, "bus": 0, "man": 0, "prov": 0, "size": 0},
    "disks": [{"path": "schema/data.qcow2", "device": 0, "bus": 1, "man": 1, "prov": 1, "size": 16}],
    "custom": [{"name": "a", "value": "b"}],
}


def life():
    """Every operation with success, in the order of a VM's life."""
    call(200, "get", "/healthz")
    call(200, "get", "/readyz")
    call(200, "get", "/version")
    call(200, "get", "/openapi.yaml")
    hosts = call(200, "get", "/hosts")
    etag = call.headers["ETag"]
    call(304, "get", "/hosts", headers={"If-None-Match": etag})
    host = hosts["items"][0]
    call(200, "get", "/hosts/{id}", id=host["uuid"])
    call(200, "get", "/hosts/{id}", id=host["fields"]["name"])
    call(403, "get", "/hosts/{id}/inventory", id=host["uuid"])
    call(422, "post", "/hosts/{id}/drain", id=host["uuid"])
    call(204, "delete", "/hosts/{id}/drain", id=host["uuid"])
    call(403, "post", "/hosts/{id}/admission", {"vm": IDS[1], "xml": "<domain/>"}, id=host["uuid"])
    call(200, "get", "/hosts/{id}/register", id=host["uuid"])
    call(404, "get", "/hosts/{id}/register", id="nowhere")
    call(200, "post", "/vms", {"vmdef": VMDEF}, query="?dry_run=true")
    count = len(call(200, "get", "/vms")["items"])
    call(400, "post", "/vms", {"vmdef": VMDEF}, query="?dryrun=true")
    result(count == 0 and not call(200, "get", "/vms")["items"], "a dry run makes nothing, a misspelt one too")
    vm = call(201, "post", "/vms", {"vmdef": VMDEF}, headers={"Idempotency-Key": "k1"})
    again = call(201, "post", "/vms", {"vmdef": VMDEF}, headers={"Idempotency-Key": "k1"})
    result(vm == again, "the same Idempotency-Key, the same VM", again)
    result(len(call(200, "get", "/vms")["items"]) == 1, "and no second one")
    etag = call.headers["ETag"]
    call(304, "get", "/vms", headers={"If-None-Match": etag})
    call(200, "get", "/vms", {"filter": {"name": "sch"}})
    call(200, "get", "/vms", None, query="?limit=1&runstate=poweroff&name=schema")
    got = call(200, "get", "/vms/{id}", id=vm)
    result(got["etag"] == call.headers["ETag"].strip('"'), "etag member and header agree")
    call(200, "get", "/vms/{id}", headers={"If-None-Match": call.headers["ETag"]}, id=vm)
    call(200, "get", "/vms/{id}", id="schema")
    call(200, "get", "/vms/{id}/xml", id=vm)
    call(200, "get", "/vms/{id}/runstate", id=vm)
    call(204, "post", "/vms/{id}/runstate/boot", id=vm)
    hello = wait_for(30, lambda: b"hello from a virtx guest" in request("GET", f"/vms/{vm}/console")[2])
    result(hello, "the boot sector ran")
    call(200, "get", "/vms/{id}/console", query="?offset=0", id=vm)
    call(204, "post", "/vms/{id}/runstate/pause", id=vm)
    call(204, "delete", "/vms/{id}/runstate/pause", id=vm)
    call(204, "post", "/vms/{id}/runstate/reboot", {"force": 1}, id=vm)
    call(202, "post", "/vms/{id}/runstate/reboot", {"force": 0}, id=vm)
    call(202, "delete", "/vms/{id}/runstate/boot", {"force": 0}, id=vm)
    call(204, "delete", "/vms/{id}/runstate/boot", {"force": 2}, id=vm)
    call(200, "put", "/vms/{id}/register", {"host": ""}, id=vm)
    definition = got["def"]
    definition["memory"]["total"] = 48
    call(204, "put", "/vms/{id}", {"vmdef": definition}, headers={"If-Match": f'"{got["etag"]}"'}, id=vm)
    call(412, "put", "/vms/{id}", {"vmdef": definition}, headers={"If-Match": f'"{got["etag"]}"'}, id=vm)
    call(424, "get", "/vms/{id}/runstate/migrate", id=vm)
    call(424, "delete", "/vms/{id}/runstate/migrate", id=vm)
    call(422, "post", "/vms/{id}/runstate/migrate", {"host": host["uuid"]}, id=vm)
    operations = call(200, "get", "/operations")["items"]
    call(200, "get", "/operations", query="?all=true")
    call(400, "get", "/operations", query="?al=true")
    result(any(o["kind"] == "create" and o["vm"] == vm for o in operations), "the operations tell of create", operations)
    call(200, "get", "/operations/{id}", id=operations[0]["id"])
    call(422, "delete", "/operations/{id}", id=operations[0]["id"])
    status, headers, answer = request("DELETE", f"/vms/{vm}", {"deletestorage": True}, {"Prefer": "respond-async"})
    location = headers.get("Location") or ""
    result(status == 202 and location.startswith("/operations/"), "Prefer: respond-async", f"{status} {answer}")
    ended = wait_for(20, lambda: json.loads(request("GET", location)[2]).get("state") == "completed")
    result(ended, "the operation completes", request("GET", location)[2])
    call(404, "get", "/vms/{id}", id=vm)


JUNK = [
    b"", b"null", b"{", b"[]", b"7", b'"x"', b"\xff\xfe{}", b"{}", b'{"a":' * 33 + b"1" + b"}" * 33,
    b'{"vmdef": []}', b'{"vmdef": {"name": 5}}', b'{"host": 1}', b'{"host": "nowhere", "vmdef": {}}',
    b'{"force": 3}', b'{"force": -1}', b'{"force": "1"}', b'{"force": 70000}', b'{"cloud_init": {}}',
    b'{"cloud_init": [{"name": "ci-evil", "value": "x"}]}', b'{"migration_type": 9}', b'{"filter": 5}',
    b'{"filter": {"runstate": "x"}}', b'{"deletestorage": 3}', b'{"filter": {"name": "\\u0000"}}',
]
IDS = ["nothing-of-that-name", "00000000-0000-4000-8000-000000000000", "%2e%2e", "a" * 300, "%E2%82%AC", "'; DROP"]


def bad_input():
    """Every route with every kind of junk: an answer as documented, never a 5xx that is ours."""
    for path, item in DOCUMENT["paths"].items():
        allowed = sorted(m.upper() for m in METHODS if m in item)
        status, headers, answer = request("PATCH", path.replace("{id}", "x"))
        allow = sorted(m.strip() for m in (headers.get("Allow") or "").split(",") if m.strip() not in ("HEAD", ""))
        result(status == 405 and allow == allowed, f"PATCH {path}: 405, Allow {allowed}", f"{status} {allow}")
        for method in METHODS:
            if method not in item:
                continue
            problems = []
            targets = [path] if "{id}" not in path else [path.replace("{id}", i.replace(" ", "%20")) for i in IDS]
            for target in targets:
                for junk in JUNK:
                    status, headers, answer = request(method.upper(), target, junk)
                    seen.add((path, method, status))
                    why = faults(path, method, status, headers, answer)
                    if why or status >= 500 and status not in (503,):
                        problems.append(f"{target[:60]} {junk[:40]!r}: {status} {why} {answer[:150]!r}")
                        break
            result(not problems, f"junk to {method.upper()} {path}", problems[:2])
    for name, value in (("limit", "-1"), ("limit", "x"), ("cursor", "%00"), ("cursor", "zzz"), ("runstate", "no-such"),
                        ("vlanid", "99999"), ("ts", "abc")):
        status, headers, answer = request("GET", f"/vms?{name}={value}")
        why = faults("/vms", "get", status, headers, answer)
        result(status == 400 and not why, f"GET /vms?{name}={value}: 400", f"{status} {why}")


def bad_definitions():
    """Definitions that must be refused: 4xx or 507, the member named, nothing made."""
    def variant(change):
        definition = copy.deepcopy(VMDEF)
        change(definition)
        return definition

    cases = {
        "name": lambda d: d.update(name=""),
        "name ": lambda d: d.update(name="x" * 33),
        "name  ": lambda d: d.update(name="a\nb"),
        "memory": lambda d: d.update(memory={"total": 0}),
        "memory ": lambda d: d.update(memory={"total": 2**31}),
        "cpudef": lambda d: d["cpudef"].update(sockets=256, cores=256),
        "cpudef ": lambda d: d["cpudef"].update(threads=2),
        "cpudef  ": lambda d: d["cpudef"].update(model=""),
        "osdisk": lambda d: d.update(osdisk={"path": "/etc/passwd"}),
        "osdisk ": lambda d: d["osdisk"].update(path="../../etc/x.raw"),
        "osdisk  ": lambda d: d["osdisk"].update(path=""),
        "disks": lambda d: d["disks"].append(d["disks"][0]),
        "disks ": lambda d: d.update(disks=[dict(d["disks"][0], path=f"schema/{i}.raw") for i in range(21)]),
        "disks  ": lambda d: d["disks"][0].update(size=-1),
        "disks   ": lambda d: d["disks"][0].update(bus=9),
        "nets": lambda d: d.update(nets=[{"name": "br0", "nettype": 1, "model": 0, "mac": "zz"}]),
        "nets ": lambda d: d.update(nets=[{"name": "no-such-br", "nettype": 1, "model": 0, "mac": ""}]),
        "vlanid": lambda d: d.update(vlanid=4095),
        "genid": lambda d: d.update(genid="x" * 36),
        "custom": lambda d: d.update(custom=[{"name": "a b", "value": "c"}]),
        "firmware": lambda d: d.update(firmware=2),
    }
    for member, change in cases.items():
        status, headers, answer = request("POST", "/vms", {"vmdef": variant(change)})
        why = faults("/vms", "post", status, headers, answer)
        named = member.strip() in json.loads(answer).get("detail", "")
        result(status in (400, 422) and named and not why, f"a bad {member.strip()} is refused by name",
               f"{status} {why} {answer[:300]!r}")
    huge = variant(lambda d: d["memory"].update(total=2**31 - 1))
    call(422, "post", "/vms", {"vmdef": huge})
    missing = variant(lambda d: d["osdisk"].update(path="missing.raw"))
    call(507, "post", "/vms", {"vmdef": missing})
    exists = variant(lambda d: d["osdisk"].update(man=1, prov=1, size=16))
    call(409, "post", "/vms", {"vmdef": exists})
    call(503, "post", "/vms", {"vmdef": VMDEF, "host": "no-such-host"})
    result(request("GET", "/vms")[2].count(b'"uuid"') == 0, "nothing of all that was made")
    with open(f"{DATASTORE}/hello.raw", "rb") as image:
        result(image.read(512)[-2:] == b"\x55\xaa", "the image that exists was not touched")


def main():
    jsonschema.Draft202012Validator.check_schema(DOCUMENT["components"]["schemas"]["Vm"])
    life()
    bad_definitions()
    bad_input()
    for path, item in DOCUMENT["paths"].items():
        for method in METHODS:
            if method in item:
                answered = [s for p, m, s in seen if (p, m) == (path, method)]
                good = any(s < 400 for s in answered) or path.endswith(("/migrate", "/drain", "/inventory", "/admission")) or "{id}" in path and method == "delete"
                result(bool(good), f"{method.upper()} {path} was answered with success", answered)


main()
