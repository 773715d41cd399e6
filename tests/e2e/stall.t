#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A storage that does not answer any more, from each state-changing call of an operation on. CASES as in faults.t.
. tests/e2e/lib.sh
. tests/e2e/store.sh
tap_from 7200 tests/e2e/stall.py "$VIRTX" "$teststore" "$state" "${CASES:-1}"
tap_done
