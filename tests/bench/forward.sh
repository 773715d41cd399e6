# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# GET of a VM asked of its own host and of another one, which forwards it: two light hosts (tests/e2e/cluster.sh) and the
# load share the machine, so that the processor time of both daemons per request says more than the rate. Directly, forwarded,
# directly ..., ROUNDS times, medians. With few connections what waits and wakes is dear, with many less so: both; also over
# a new connection for each request, and while VMs of that host change.
# shellcheck source=/dev/null
. tests/e2e/cluster.sh
forward_seconds=${SECONDS_EACH:-2}
forward_rounds=${ROUNDS:-3}

forward_cpu_ms() { # of both daemons
	cat "/proc/${host_pid[virt1]}/stat" "/proc/${host_pid[virt2]}/stat" |
		awk -v hz="$(getconf CLK_TCK)" '{s += $14 + $15} END {print s * 1000 / hz}'
}

forward_load() { # host connections keep|new: rate p50 p99 and us of processor time per request
	local before figures
	on "$1"
	before=$(forward_cpu_ms)
	figures=$(wrk -t1 -c"$2" -d"${forward_seconds}s" -s tests/bench/load.lua "http://$server" -- "$work/targets" "$3" | tail -n 1)
	jq -c --argjson ms "$(awk -v a="$(forward_cpu_ms)" -v b="$before" 'BEGIN {print a - b}')" --argjson s "$forward_seconds" \
		'.cpu = ($ms * 1000 / (.rate * $s))' <<<"$figures"
}
forward_median() { # host name
	jq -s "[.[].$2] | sort | .[length / 2 | floor] * 1000 | round / 1000" "$work/via$1"
}

forward_rows() { # what
	local name unit direct forwarded
	[ "$(jq -s '[.[].errors] | add' "$work/via1" "$work/via2")" = 0 ] || say "# $1: some requests failed"
	for name in 'rate 1/s' 'p50 ms' 'p99 ms' 'cpu us'; do
		unit=${name#* }
		name=${name% *}
		direct=$(forward_median 2 "$name")
		forwarded=$(forward_median 1 "$name")
		row "forwarded GET of a VM, $1: $name" "$forwarded" "$unit" "$direct" "$(ratio "$forwarded" "$direct")"
	done
}

forward_figure() { # what connections keep|new
	local i
	: >"$work/via1"
	: >"$work/via2"
	for ((i = 0; i < forward_rounds; i++)); do
		forward_load 2 "$2" "$3" >>"$work/via2"
		forward_load 1 "$2" "$3" >>"$work/via1"
	done
	forward_rows "$1"
}

# Ten changes a second of that VM, for a minute at most.
forward_changes() {
	local i url
	on 2
	url="http://$server/vms/$(cluster_uuid 2 4)/runstate/pause"
	for ((i = 0; i < 300; i++)); do
		curl -s -X POST -H 'Content-Type: application/json' "$url" && sleep 0.1 && curl -s -X DELETE "$url" && sleep 0.1
	done >>"$work/bench.out"
}

bench_forward() {
	local i changes
	cluster_own 2 3 4 bench
	cluster_up 2 && wait_for 20 forward_knows || {
		say "# the two hosts do not find each other"
		return 1
	}
	echo "/vms/$(cluster_uuid 2 4)" >"$work/targets"
	row_head
	forward_figure '8 connections' 8 keep
	forward_figure '64 connections' 64 keep
	forward_figure 'new connections' 8 new
	forward_changes &
	changes=$!
	forward_figure '8, 10 changes/s' 8 keep
	kill "$changes"
	for i in 1 2; do cluster_daemon_end $i; done
}
forward_knows() { [ "$(listed 1 vms | wc -w)" = 7 ]; }
