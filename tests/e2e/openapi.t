#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every route against openapi.yaml, with honest and with bad input.
. tests/e2e/lib.sh
need_guests
must "the daemon becomes ready" daemon_start
mkdir -p "$state/vms/ds"
cp "$GUEST_CACHE/hello.raw" "$state/vms/ds/hello.raw"
tap_from 500 tests/e2e/openapi.py "$server" "$state/vms/ds"
ok "the daemon is the same process" kill -0 "$daemon_pid"
served() { curl -s "http://$server/openapi.yaml" | cmp - openapi.yaml; }
ok "the daemon serves this very document" served
daemon_stop TERM
is "and ends in order" "$daemon_status" 0
tap_done
