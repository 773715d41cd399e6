#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a command on a terminal of its own, as a person would.

Usage: terminal.py SECONDS STEP... -- COMMAND...
STEP: '<REGEX' waits for it in what was written since the last match; '>TEXT' types it
(\\t, \\r and \\x03 stand for the keys). Prints what was written; exits as the command does,
124 when the time is over.
"""
import os
import pty
import re
import select
import signal
import sys
import time

split = sys.argv.index("--")
seconds, steps, command = float(sys.argv[1]), sys.argv[2:split], sys.argv[split + 1 :]
end = time.monotonic() + seconds
pid, terminal = pty.fork()
if pid == 0:
    os.environ["TERM"] = "dumb"
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored where the tests run in the background
    os.execvp(command[0], command)

written = b""
seen = 0  # up to where steps have matched
closed = False
while not closed and time.monotonic() < end:
    while steps:
        if steps[0][0] == ">":
            text = steps[0][1:].replace("\\t", "\t").replace("\\r", "\r").replace("\\x03", "\x03")
            os.write(terminal, text.encode())
        else:
            match = re.compile(steps[0][1:].encode(), re.S).search(written, seen)
            if not match:
                break
            seen = match.end()
        steps.pop(0)
    if select.select([terminal], [], [], 0.1)[0]:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            data = b""
        written += data
        closed = not data
os.write(1, written)
if steps or not closed:
    os.kill(pid, signal.SIGKILL)
    print(f"\nstill waiting for {steps} after {seconds} s" if not closed else f"\nended before {steps}")
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.exit(124 if steps or not closed else status % 256)
