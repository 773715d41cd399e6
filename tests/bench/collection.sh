# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What it costs to know the VMs of this host: 100 and 500 defined in a real libvirtd, 10 of them running; and whether
# one QEMU that is stopped keeps what is known of the others from staying fresh.
collection_interval=2 # seconds between two rounds of the daemon that is watched

collection_boot() { # uuid
	api POST "/vms/$1/runstate/boot" '{}'
	[ "$status" = 204 ]
}

# Milliseconds of processor time that all of virtxd takes from one round to the next, and libvirtd meanwhile.
collection_round() {
	local ours libvirt rounds=10
	read -rt $((2 * collection_interval)) <>"$work/never" # what is new has been read then
	ours=$(bench_cpu)
	libvirt=$(bench_cpu "$libvirtd_pid")
	read -rt $((rounds * collection_interval)) <>"$work/never"
	awk -v ours="$ours" -v libvirt="$libvirt" -v ours_then="$(bench_cpu)" -v libvirt_then="$(bench_cpu "$libvirtd_pid")" \
		-v n=$rounds 'BEGIN {printf "%.1f %.1f\n", (ours_then - ours) / n, (libvirt_then - libvirt) / n}'
}

collection_figures() { # VMs
	local name value unit baseline ours libvirt bare=()
	bench_define "$1" && "$O/tests/bench/collect" "$(libvirtd_uri)" "$libvirtd_pid" >"$work/collect" 2>>"$work/bench.out" || return 1
	while read -r name value unit baseline; do
		row "${name//_/ }" "$value" "$unit" "$baseline" "$(ratio "$value" "$baseline")"
		bare+=("$baseline")
	done <"$work/collect"
	read -r ours libvirt < <(collection_round)
	row "$1 domains, all of virtxd each $collection_interval s (the call)" "$ours" ms "${bare[1]}" "$(ratio "$ours" "${bare[1]}")"
	row "$1 domains, libvirtd meanwhile (the call)" "$libvirt" ms "${bare[2]}" "$(ratio "$libvirt" "${bare[2]}")"
}

# The oldest of what the list says, in seconds: of a VM, and of all others.
collection_ages() { # uuid
	curl -sf "http://$server/vms" | jq -r --arg uuid "$1" --argjson now "$(date +%s%3N)" '
		def oldest: (map($now - .fields.ts) | max) / 1000;
		.items | "\([.[] | select(.uuid == $uuid)] | oldest) \([.[] | select(.uuid != $uuid)] | oldest)"'
}
# The same of ten seconds.
collection_watch() { # uuid
	local i
	for i in $(seq 20); do
		read -rt 0.5 <>"$work/never"
		collection_ages "$1" || return 1
	done | awk '{one = $1 > one ? $1 : one; rest = $2 > rest ? $2 : rest} END {print one, rest; exit NR < 20}'
}

# One QEMU does not answer: the round that meets it, and those after it.
collection_stopped() { # uuid
	local pid before first later
	pid=$(<"$work/libvirtd/run/qemu/$1.pid")
	before=$(collection_watch "$1") && kill -STOP "$pid" && first=$(collection_watch "$1") && later=$(collection_watch "$1") || return 1
	grep -q '^State:.T' "/proc/$pid/status" || return 1
	kill -CONT "$pid"
	row "others' oldest word, a QEMU was just stopped (before)" "${first#* }" s "${before#* }" "$(ratio "${first#* }" "${before#* }")"
	row "others' oldest word, from 10 s on (before)" "${later#* }" s "${before#* }" "$(ratio "${later#* }" "${before#* }")"
	row "its own oldest word, from 10 s on (before)" "${later% *}" s "${before% *}" "$(ratio "${later% *}" "${before% *}")"
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
	collection_figures 100 && collection_stopped "$first" && collection_figures 500
}
