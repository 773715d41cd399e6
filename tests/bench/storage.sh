# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Figures of storage and leases, for tests/bench/run: each beside what it cannot be faster than.

# Create and delete of a VM with a thin 10 GiB image, beside the bare image.
thin_create() { create_vm < <(definition "thin-$1" 16 "$(disk "thin-$1/os.qcow2" 0 0 1 1 10240)") && echo "$vm" >"$work/thin-$1"; }
thin_delete() {
	api DELETE "/vms/$(cat "$work/thin-$1")" '{"deletestorage":true}'
	[ "$status" = 204 ]
}
bare_create() {
	qemu-img create -q -f qcow2 -o preallocation=metadata,lazy_refcounts=off "$state/bare-$1.qcow2" 10240M &&
		sync "$state/bare-$1.qcow2" "$state"
}
bare_delete() { rm "$state/bare-$1.qcow2" && sync "$state"; }
bench_provisioning() {
	local ours bare
	ours=$(each_ms 20 thin_create)
	bare=$(each_ms 20 bare_create)
	row "create a VM, thin 10 GiB qcow2 (qemu-img, sync)" "$ours" ms "$bare" "$(ratio "$ours" "$bare")"
	ours=$(each_ms 20 thin_delete)
	bare=$(each_ms 20 bare_delete)
	row "delete that VM and its image (rm, sync)" "$ours" ms "$bare" "$(ratio "$ours" "$bare")"
}

# From the start of the program to the first good answer of /readyz.
start_ms() {
	local start
	start=$(now_ns)
	daemon_start >>"$work/bench.out" || return 1
	awk -v ns=$(($(now_ns) - start)) 'BEGIN {printf "%.0f\n", ns / 1e6}'
}
# A create is cut in the middle of its image, by kill -9.
cut_create() {
	touch "$work/slow"
	rm -f "$work/slow.started"
	curl -s -o "$work/cut.body" -X POST -H 'Content-Type: application/json' "http://$server/vms" --data-binary \
		"$(definition cut 16 "$(disk cut/os.qcow2 0 0 1 1 10240)" | jq -c '{vmdef: ., host: ""}')" &
	wait_for 10 test -e "$work/slow.started"
	daemon_stop KILL
	rm -f "$work/slow"
	wait $!
}
bench_recovery() {
	local i normal=() cut=() with without
	for i in 1 2 3 4 5; do
		daemon_stop TERM
		start_ms >"$work/start" && normal+=("$(cat "$work/start")")
		cut_create
		start_ms >"$work/start" && cut+=("$(cat "$work/start")")
		[ -z "$(find "$state/vms/xml" -name '*.intent')" ] || echo "# the cut create was not settled" >&2
	done
	without=$(printf '%s\n' "${normal[@]}" | median)
	with=$(printf '%s\n' "${cut[@]}" | median)
	row "ready after kill -9 in a create (after SIGTERM)" "$with" ms "$without" "$(ratio "$with" "$without")"
}

# One lease, taken and given back by a process of its own; each its own lease, since one that was given back
# is busy for some 50 ms more.
lease_name() { printf 'bench%s%03d' "$1" "$2"; }
lease_make() { # series number
	local name dir
	name=$(lease_name "$1" "$2")
	dir=$vms/lock/$name
	mkdir "$dir" && : >"$dir/$name" && chgrp sanlock "$dir" "$dir/$name" && chmod 2771 "$dir" && chmod 660 "$dir/$name" &&
		run_on virt1 sanlock client init -r "$space:$name:$dir/$name:0" -Z 512 -A 1M &&
		printf %s "$lease_owner" | dd of="$dir/$name" bs=512 seek=2002 conv=notrunc status=none
}
# shellcheck disable=SC2016 # the inner shell's
lease_ours() { run_on virt1 bash -c 'exec "$1" lease-run remove sanlock 9 8 -1 "$2" "$3" none none 0 0 9<"$4" 8</dev/null' \
	lease "$VIRTX" "$lease_owner" "$(lease_name a "$1")" "$vms"; }
lease_sanlock() {
	local name
	name=$(lease_name b "$1")
	run_on virt1 bash -c 'exec sanlock client command -r "$1" -c /bin/true' lease "$space:$name:$vms/lock/$name/$name:0"
}
lease_nothing() { run_on virt1 bash -c 'exec /bin/true' lease "$1"; }
bench_leases() {
	local i ours theirs nothing
	# Storage of its own: what was measured before was without sanlock.
	vms=$work/shared
	host_now=virt1
	lease_owner=$(cat /proc/sys/kernel/random/uuid)
	{ host_make virt1 && sanlock_start virt1 &&
		"$VIRTX" virtxd --config "$work/virt1/empty.conf" --vms-dir "$vms" --init-cluster; } >>"$work/bench.out" 2>&1 || return 1
	virtxd_run virt1 --libvirt-uri test:///default
	virtxd_wait virt1 || return 1
	for i in $(seq 30); do lease_make a "$i" && lease_make b "$i"; done >>"$work/bench.out" 2>&1
	ours=$(each_ms 30 lease_ours)
	theirs=$(each_ms 30 lease_sanlock)
	nothing=$(each_ms 30 lease_nothing)
	subtract() { awk -v a="$1" -v b="$nothing" 'BEGIN {printf "%.1f", a - b}'; }
	ours=$(subtract "$ours")
	theirs=$(subtract "$theirs")
	row "a lease, taken and given back (sanlock client)" "$ours" ms "$theirs" "$(ratio "$ours" "$theirs")"
}

bench_storage() {
	row_head
	bench_disks || return 1
	[ "$(id -u)" -ne 0 ] || { . tests/e2e/sanlock.sh && bench_leases; }
}

bench_disks() {
	state=$work/store
	slow_qemu_img
	daemon_start || return 1
	bench_provisioning
	daemon_stop TERM
	export PATH=$work/bin:$PATH
	daemon_start || return 1
	bench_recovery
	daemon_stop TERM
}
