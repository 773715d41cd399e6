# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Requests per second, p50 and p99 of what clients ask for most, of a daemon that has 100 VMs of its own and knows of
# 10,000 on 100 hosts: over connections that stay and over new ones, at rest and while 10 VMs of other hosts change
# their state per second. Each beside a bare civetweb handler that sends a constant of the same size at the same time:
# ours, bare, ours, bare ..., SECONDS each, ROUNDS times; the figures are the medians.
api_seconds=${SECONDS_EACH:-1}
api_rounds=${ROUNDS:-2}
api_bare=127.0.0.1:17375

api_load() { # address targets keep|new
	wrk -t1 -c8 -d"${api_seconds}s" -s tests/bench/load.lua "http://$1" -- "$2" "$3" | tail -n 1
}

# The median of a member of the objects in a file.
api_median() { jq -s "[.[].$2] | sort | .[length / 2 | floor]" "$1"; }

api_row() { # name keep|new changes
	local name=$1 rate ratio
	rate=$(api_median "$work/ours" rate)
	ratio=$(paste -d' ' "$work/ours" "$work/bare" | jq -sc '[_nwise(2)] | map(.[0].rate / .[1].rate) | sort | .[length / 2 | floor]')
	say "$(printf '%-34s %-4s %7s %10.0f %8.3f %8.3f %10.0f %8.3f %8.3f %6.2f' "$name" "$2" "$3" "$rate" \
		"$(api_median "$work/ours" p50)" "$(api_median "$work/ours" p99)" "$(api_median "$work/bare" rate)" \
		"$(api_median "$work/bare" p50)" "$(api_median "$work/bare" p99)" "$ratio")"
	rows+=("$(jq -nc --arg name "$name" --arg connections "$2" --argjson changes "$3" --argjson ratio "$ratio" \
		--slurpfile ours "$work/ours" --slurpfile bare "$work/bare" '{name: $name, connections: $connections,
		changes_per_second: $changes, ratio: $ratio, ours: $ours, bare: $bare}')")
	[ "$(jq -s '[.[].errors] | add' "$work/ours" "$work/bare")" = 0 ] || say "# $name: some requests failed"
}

# One request, whose targets (with entity tags) come on standard input.
api_figure() { # name [number of changes per second...]
	local name=$1 connections changes i size bare
	shift
	[ $# -gt 0 ] || set -- 0 10
	cat >"$work/targets"
	size=$(api_size "$(head -n 1 "$work/targets")")
	"$O/tests/bench/bare_civetweb" "${api_bare#*:}" "$size" 50 >"$work/bare.out" &
	bare=$!
	wait_for 10 curl -sf -o "$work/bare.body" "http://$api_bare/"
	for connections in keep new; do
		for changes; do
			bench_crowd_changes "$changes"
			: >"$work/ours"
			: >"$work/bare"
			for ((i = 0; i < api_rounds; i++)); do
				api_load "$server" "$work/targets" "$connections" >>"$work/ours"
				api_load "$api_bare" "$work/targets" "$connections" >>"$work/bare"
			done
			api_row "$name" "$connections" "$changes"
		done
	done
	bench_crowd_changes 0
	kill "$bare"
	wait "$bare" 2>/dev/null
}
api_size() { # target [tag]
	local target=${1%% *} tag=${1#* }
	curl -s ${tag:+-H "If-None-Match: $tag"} "http://$server$target" | wc -c
}

api_tag() { curl -s -o "$work/tagged" -D - "http://$server$1" | tr -d '\r' | sed -n 's/^ETag: //p'; }
api_each() { jq -r ".items[] | \"$1\"" "$work/list"; }

bench_api() {
	local own
	bench_libvirtd && bench_daemon && bench_define 100 && bench_crowd_start || return 1
	curl -s -o "$work/list" "http://$server/vms"
	say "$(printf '%-34s %-4s %7s %10s %8s %8s %10s %8s %8s %6s' request conn. changes '1/s' 'p50 ms' 'p99 ms' 'bare 1/s' \
		'p50 ms' 'p99 ms' ratio)"
	api_each '/vms/\(.uuid)/runstate' | api_figure 'runstate of any VM'
	api_each '/vms/\(.uuid)' | grep -F "$(jq -r '.items[] | select(.fields.name | startswith("bench-")) | .uuid' "$work/list")" |
		api_figure 'VM of this host'
	echo /vms | api_figure '10,000 VMs'
	echo '/vms?limit=100' | api_figure '10,000 VMs, first page of 100'
	api_each '/vms?name=\(.fields.name)' | grep -v bench- | api_figure '10,000 VMs, one by name'
	for i in $(seq 10 99); do echo "/vms?custom.name=department&custom.value=d$i"; done |
		api_figure '10,000 VMs, 1 % by custom field'
	# While others change this list the tag does not hold for long; that of this host's own VMs does.
	echo "/vms $(api_tag /vms)" | api_figure '10,000 VMs, not modified' 0
	own="/vms?host=$(curl -s "http://$server/vms/$vm/runstate" | jq -r .host)"
	echo "$own $(api_tag "$own")" | api_figure '100 VMs of this host, not modified'
	echo /hosts | api_figure '100 hosts'
}
