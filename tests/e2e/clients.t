#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Several clients at once on many VMs and on one.
. tests/e2e/lib.sh
must "the daemon becomes ready" daemon_start
tap_from 400 tests/e2e/clients.py "$server" "$state"
ok "the daemon is the same process" kill -0 "$daemon_pid"
daemon_stop TERM
is "and ends in order" "$daemon_status" 0
tap_done
