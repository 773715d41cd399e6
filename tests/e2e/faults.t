#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# No space, an I/O error, a file system that is read-only: at each state-changing call of create, update, delete,
# register and boot with cloud-init. CASES: so many of each operation; all: all that there are.
. tests/e2e/lib.sh
. tests/e2e/store.sh
tap_from 7200 tests/e2e/faults.py "$VIRTX" "$teststore" "$state" "${CASES:-4}"
tap_done
