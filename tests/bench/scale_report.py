# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures of the scale benchmark: a table as they come, JSON and a drawing at the end."""
import json
import os
import platform
import sys
import time

import scale_plot


def percentile(values, percent):
    """Of a sorted list: the smallest value that so many are not above."""
    return values[max(0, -(-len(values) * percent // 100) - 1)]


class Report:
    def __init__(self, folder):
        self.folder = os.path.join(folder, "bench")
        os.makedirs(self.folder, exist_ok=True)
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            model = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), "?")
        self.machine = f"{model}, {os.cpu_count()} cores, kernel {platform.release()}"
        self.begun = time.monotonic()
        self.figures, self.failures, self.sizes = [], [], []
        print(f"# {self.machine}")

    def begin(self, hosts, vms):
        self.sizes.append({"hosts": hosts, "vms": hosts * vms})
        print(f"\n# {hosts} hosts, {hosts * vms} VMs, load {os.getloadavg()[0]:.1f}")
        print(f"{'figure':<66} {'value':>10} {'unit':<5} {'wanted':>8}", flush=True)

    def figure(self, hosts, name, value, unit, wanted=None, key=None, note=""):
        """wanted: at most so much. key: it is drawn."""
        missed = wanted is not None and value > wanted
        self.figures.append({"hosts": hosts, "name": name, "value": round(value, 3), "unit": unit, "wanted": wanted,
                             "key": key, "note": note})
        goal = "" if wanted is None else f"<= {wanted:g}"
        print(f"{name:<66} {value:>10.{0 if float(value).is_integer() else 2}f} {unit:<5} {goal:>8}"
              f"{' MISSED' if missed else ''}{'  ' + note if note else ''}", flush=True)

    def fail(self, what):
        self.failures.append(what)
        print(f"# FAILED: {what}", flush=True)

    def finish(self):
        """Writes the files; the exit status."""
        results = {"machine": self.machine, "sizes": self.sizes, "figures": self.figures, "failures": self.failures}
        with open(os.path.join(self.folder, "scale.json"), "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
        scale_plot.draw(results, os.path.join(self.folder, "scale.svg"))
        print(f"\n# {time.monotonic() - self.begun:.0f} s; {self.folder}/scale.json, {self.folder}/scale.svg")
        for what in self.failures:
            print(f"# FAILED: {what}", file=sys.stderr)
        return 1 if self.failures else 0
