# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# For tests on the test store (tests/tools/teststore.c, store.py). Source after lib.sh.
[ "$(id -u)" -eq 0 ] || skip_all "needs root: a FUSE file system for all"
[ -c /dev/fuse ] || skip_all "needs FUSE"
teststore=$(dirname "$VIRTX")/tests/tools/teststore
qemu_facts_give "$state"

# Also when the test was ended in the middle; its processes end with it.
store_unmount() { ! mountpoint -q "$state/vms" || umount -l "$state/vms"; }
cleanup_hooks+=(store_unmount)
