#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kill -9 in the middle of create, update, delete, boot with cloud-init and register: the next start
# puts everything right.
. tests/e2e/lib.sh
tap_from 600 tests/e2e/crash.py "$VIRTX" "$state" "${CRASH_ROUNDS:-40}" "${CRASH_SEED:-1}"
tap_done
