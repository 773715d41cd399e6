#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A power cut at each state-changing call of an operation: what was not synced is gone. CASES as in faults.t.
. tests/e2e/lib.sh
. tests/e2e/store.sh
tap_from 7200 tests/e2e/power.py "$VIRTX" "$teststore" "$state" "${CASES:-2}"
tap_done
