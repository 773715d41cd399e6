#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kill -9 at each state-changing call of create, update, delete, register and boot with cloud-init: of the daemon
# alone, of its child alone, of both. CUT_SAMPLE: so many points per operation and victim; 0: all that there are.
# Which ones CUT_SEED draws: always the same unless it is said, so that what passes once passes again.
. tests/e2e/lib.sh
[ "$(id -u)" -eq 0 ] || skip_all "needs root: a seccomp filter that guests are freed of, a network"
need_guests
must "the tracer is built" ${CC:-cc} -D_GNU_SOURCE -std=gnu17 -O2 -Wall -Wextra -Werror -o "$work/cut" tests/tools/cut.c
# In a network of its own: there no other test's guests take the ports of its consoles.
tap_from 7200 unshare -n -- sh -c 'ip link set lo up && exec "$@"' sh tests/e2e/cut.py "$VIRTX" "$state" "$work/cut" "$GUEST_CACHE/hello.raw" \
	"${CUT_SAMPLE:-3}" "${CUT_SEED:-1}"
tap_done
