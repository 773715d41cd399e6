#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# cut.t beside a libvirtd and a sanlock daemon: there the calls of libvirt are messages, and the leases outlive processes.
# CUT_SAMPLE as there.
. tests/e2e/lib.sh
. tests/e2e/libvirtd.sh
. tests/e2e/sanlock.sh
[ "$(id -u)" -eq 0 ] || skip_all "needs root: mount namespaces and the system's libvirt"
need_guests
must "the tracer is built" ${CC:-cc} -D_GNU_SOURCE -std=gnu17 -O2 -Wall -Wextra -Werror -o "$work/cut" tests/tools/cut.c
must "namespaces" host_make virt1
must "sanlock" sanlock_start virt1
must "libvirtd" libvirtd_on virt1
must "a cluster is made" "$VIRTX" virtxd --config "$work/virt1/empty.conf" --vms-dir "$vms" --init-cluster
CUT_HOST=$(jq -nc --arg config "$work/virt1/empty.conf" --arg uri "$(host_uri virt1)" --arg vms "$vms" '{vms: $vms,
	domains: "/etc/libvirt/qemu", options: ["--config", $config, "--libvirt-uri", $uri, "--vms-dir", $vms,
	"--lock-manager", "sanlock"]}')
printf 'sanlock_io_timeout = 1\n' >"$work/virt1/empty.conf"
export CUT_HOST
tap_from 7200 nsenter -t "${host_pid[virt1]}" -m -u -n --wd="$PWD" -- tests/e2e/cut.py "$VIRTX" "$work/virt1/state" \
	"$work/cut" "$GUEST_CACHE/hello.raw" "${CUT_SAMPLE:-25}" "${CUT_SEED:-$RANDOM}" create update delete boot
tap_done
