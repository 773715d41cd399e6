#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Provisioning that takes its time: it is seen, can be cancelled, and holds nobody up.
. tests/e2e/lib.sh
. tests/e2e/store.sh
tap_from 120 tests/e2e/slow.py "$VIRTX" "$teststore" "$state"
tap_done
