#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests to light hosts (cluster.sh), results and waiting, for the scripts of such suites."""
import json
import time
import urllib.error
import urllib.request


def result(good, what, why=""):
    print(f"{'ok' if good else 'not ok'} {what}" + (f"\t{why}" if why and not good else ""), flush=True)


def call(server, target, method="GET"):
    request = urllib.request.Request(f"http://{server}{target}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:
            return answer.status, json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as answer:
        return answer.code, json.loads(answer.read() or b"{}")


def rows(server, what):
    return {row["uuid"]: row["fields"] for row in call(server, f"/{what}")[1]["items"]}


def wait_for(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    return condition()
