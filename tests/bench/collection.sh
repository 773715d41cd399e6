# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What it costs to know the VMs of this host: 100 and 500 defined in a real libvirtd, 10 of them running; and whether
# one QEMU that is stopped keeps what is known of the others from staying fresh.
collection_interval=2 # seconds between two rounds of the daemon that is watched

collection_boot() { # uuid
	api POST "/vms/$1/runstate/boot" '{}'
	[ "$status" = 204 ]
}

# Milliseconds of processor time that daemon and libvirtd take for one round.
collection_round() {
	local ours libvirt seconds=$((5 * collection_interval))
	read -rt $((2 * collection_interval)) <>"$work/never" # what is new has been read then
	ours=$(bench_cpu)
	libvirt=$(bench_cpu "$libvirtd_pid")
	read -rt "$seconds" <>"$work/never"
	awk -v ours="$ours" -v libvirt="$libvirt" -v ours_then="$(bench_cpu)" -v libvirt_then="$(bench_cpu "$libvirtd_pid")" \
		'BEGIN {printf "%.1f %.1f\n", (ours_then - ours) / 5, (libvirt_then - libvirt) / 5}'
}

collection_figures() { # VMs
	local name value unit baseline ours libvirt
	bench_define "$1" || return 1
	while read -r name value unit baseline; do
		row "${name//_/ }" "$value" "$unit" "$baseline" "$(ratio "$value" "$baseline")"
	done < <("$O/tests/bench/collect" "$(libvirtd_uri)" 2>>"$work/bench.out")
	read -r ours libvirt < <(collection_round)
	row "$1 domains, a round of virtxd, processor time" "$ours" ms
	row "$1 domains, a round of virtxd, libvirtd's" "$libvirt" ms
}

# The oldest of what the list says, in seconds: of a VM, and of all others.
collection_ages() { # uuid
	curl -s "http://$server/vms" | jq -r --arg uuid "$1" --argjson now "$(date +%s%3N)" '
		def oldest: (map($now - .fields.ts) | max) / 1000;
		.items | "\([.[] | select(.uuid == $uuid)] | oldest) \([.[] | select(.uuid != $uuid)] | oldest)"'
}

# One QEMU does not answer: the oldest word of it and of the others, in 20 s.
collection_stopped() { # uuid
	local pid i one rest state oldest_one=0 oldest_rest=0
	pid=$(cat "$work/libvirtd/run/qemu/$1.pid")
	kill -STOP "$pid"
	for i in $(seq 40); do
		read -rt 0.5 <>"$work/never"
		read -r one rest < <(collection_ages "$1")
		oldest_one=$(printf '%s\n' "$one" "$oldest_one" | sort -n | tail -n 1)
		oldest_rest=$(printf '%s\n' "$rest" "$oldest_rest" | sort -n | tail -n 1)
	done
	state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$pid/status")
	kill -CONT "$pid"
	[ "$state" = T ] || say "# QEMU $pid was not stopped, but $state"
	row "one QEMU stopped, interval $collection_interval s: its age at most" "$oldest_one" s
	row "one QEMU stopped: age of the others at most" "$oldest_rest" s
}

bench_collection() {
	local i first
	mkfifo "$work/never"
	row_head
	bench_libvirtd && bench_daemon --collect-interval "$collection_interval" || return 1
	for i in $(seq 10); do
		bench_define "$i" && collection_boot "$vm" || return 1
		[ "$i" -gt 1 ] || first=$vm
	done
	collection_figures 100 || return 1
	collection_stopped "$first"
	collection_figures 500
}
