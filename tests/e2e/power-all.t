#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every case of power.t, not a sample.
CASES=all exec tests/e2e/power.t
