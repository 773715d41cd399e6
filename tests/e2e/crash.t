#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kill -9 in the middle of create, update, delete, boot with cloud-init and register, at random moments: those between
# the calls at which cut.t cuts, while libvirt and QEMU wait for each other. The next start puts everything right.
. tests/e2e/lib.sh
rounds=8
[ "${VARIANT:-plain}" = plain ] || rounds=40 # in check-long
tap_from 600 tests/e2e/crash.py "$VIRTX" "$state" "${CRASH_ROUNDS:-$rounds}" "${CRASH_SEED:-1}"
tap_done
