#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Watches a guest's heartbeat in the console logs of several hosts: beats.py LOG... Until it gets SIGTERM;
then it prints one line of JSON: beats seen, beats that were left out, and the longest pause between two, in ms."""
import json
import re
import signal
import sys
import time

BEAT = re.compile(rb"heartbeat (\d+)\r?\n")


class Log:
    """What is appended to a file that need not be there yet."""

    def __init__(self, path):
        self.path, self.file = path, None
        self.read()  # what was before does not count

    def read(self):
        if self.file is None:
            try:
                self.file = open(self.path, "rb")
            except FileNotFoundError:
                return b""
        return self.file.read()


def main():
    end = []
    signal.signal(signal.SIGTERM, lambda *_: end.append(1))
    logs = [Log(path) for path in sys.argv[1:]]
    text = [b""] * len(logs)
    seen, pause, last = [], 0.0, None
    print("watching", flush=True)
    while not end:
        now = time.monotonic()
        for i, log in enumerate(logs):
            text[i] += log.read()
            for beat in BEAT.finditer(text[i]):
                seen.append(int(beat[1]))
                pause = max(pause, now - last) if last else 0.0
                last = now
                rest = beat.end()
            if text[i].endswith(b"\n"):
                text[i] = b""
            elif BEAT.search(text[i]):
                text[i] = text[i][rest:]
        time.sleep(0.004)
    missing = (seen[-1] - seen[0] + 1 - len(set(seen))) if seen else 0
    print(json.dumps({"beats": len(seen), "missing": missing, "pause": round(pause * 1000)}))


main()
