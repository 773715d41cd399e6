# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# GET of a VM asked of its own host and of another one, which forwards it: two light hosts (tests/e2e/cluster.sh) and the
# load share the machine, so that the processor time of both daemons per request says more than the rate. Directly, forwarded,
# directly ..., ROUNDS times, medians. With few connections what waits and wakes is dear, with many less so: both.
# shellcheck source=/dev/null
. tests/e2e/cluster.sh
forward_seconds=${SECONDS_EACH:-2}
forward_rounds=${ROUNDS:-3}

forward_cpu_ms() { # of both daemons
	cat "/proc/${host_pid[virt1]}/stat" "/proc/${host_pid[virt2]}/stat" |
		awk -v hz="$(getconf CLK_TCK)" '{s += $14 + $15} END {print s * 1000 / hz}'
}

forward_load() { # host connections: rate p50 p99 and us of processor time per request
	local before figures
	on "$1"
	before=$(forward_cpu_ms)
	figures=$(wrk -t1 -c"$2" -d"${forward_seconds}s" -s tests/bench/load.lua "http://$server" -- "$work/targets" keep | tail -n 1)
	jq -c --argjson ms "$(awk -v a="$(forward_cpu_ms)" -v b="$before" 'BEGIN {print a - b}')" --argjson s "$forward_seconds" \
		'.cpu = ($ms * 1000 / (.rate * $s))' <<<"$figures"
}
forward_median() { # host connections name
	jq -s "[.[].$3] | sort | .[length / 2 | floor] * 1000 | round / 1000" "$work/via$1-$2"
}

forward_rows() { # connections
	local name unit direct forwarded
	[ "$(jq -s '[.[].errors] | add' "$work/via1-$1" "$work/via2-$1")" = 0 ] || say "# some requests failed"
	for name in 'rate 1/s' 'p50 ms' 'p99 ms' 'cpu us'; do
		unit=${name#* }
		name=${name% *}
		direct=$(forward_median 2 "$1" "$name")
		forwarded=$(forward_median 1 "$1" "$name")
		row "forwarded GET /vms/{id}, $1 connections: $name" "$forwarded" "$unit" "$direct" "$(ratio "$forwarded" "$direct")"
	done
}

bench_forward() {
	local i connections
	cluster_up 2 && wait_for 20 forward_knows || {
		say "# the two hosts do not find each other"
		return 1
	}
	echo "/vms/$(cluster_uuid 2 1)" >"$work/targets"
	row_head
	for connections in 8 64; do
		for ((i = 0; i < forward_rounds; i++)); do
			forward_load 2 "$connections" >>"$work/via2-$connections"
			forward_load 1 "$connections" >>"$work/via1-$connections"
		done
		forward_rows "$connections"
	done
	for i in 1 2; do cluster_daemon_end $i; done
}
forward_knows() { [ "$(listed 1 vms | wc -w)" = 6 ]; }
