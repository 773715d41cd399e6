# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The host that the benches measure: a libvirtd of one's own, virtxd beside it, real VMs, and the rest of a large
# cluster as crowd.c plays it. Sourced by tests/bench/run.
bench_crowd_pid=
bench_defined=0

bench_libvirtd() {
	libvirtd_start && : >"$work/empty.conf" && cat "$work/empty.conf" >>"$work/bench.out" &&
		"$VIRTX" virtxd --config "$work/empty.conf" --vms-dir "$work/vms" --init-cluster >>"$work/bench.out" 2>&1 &&
		mkdir -p "$work/vms/ds"
}

bench_daemon() { # [virtxd option...]
	state=$work/beside
	"$VIRTX" virtxd --config "$work/empty.conf" --libvirt-uri "$(libvirtd_uri)" --vms-dir "$work/vms" \
		--state-dir "$state" --lock-manager local --virt-type qemu --listen 127.0.0.1:0 \
		--serf-rpc 127.0.0.3:17373 "$@" >>"$work/daemon.log" 2>&1 &
	daemon_pid=$!
	daemon_wait_ready
}

# Real VMs, until there are so many; sets $vm to the last one.
bench_define() { # count
	local i
	[ "$bench_defined" -lt "$1" ] || return 0
	for ((i = bench_defined + 1; i <= $1; i++)); do
		cp "$GUEST_CACHE/hello.raw" "$work/vms/ds/$i.raw"
		definition "bench-$i" 16 "$(disk "$i.raw" 0 0 0 0 0)" '[]' '{vmdef: ., host: ""}' >"$work/create-$i"
		cat <<-EOF
			next
			url = "http://$server/vms"
			header = "Content-Type: application/json"
			data-binary = "@$work/create-$i"
			output = "$work/created-$i"
			fail
		EOF
	done | tail -n +2 >"$work/creates"
	bench_defined=$1
	curl -sS --no-progress-meter --parallel --parallel-max 4 -K "$work/creates" 2>>"$work/bench.out" && vm=$(jq -r . "$work/created-$1")
}

# The other 99 hosts, each with 100 VMs.
bench_crowd_start() {
	mkfifo "$work/crowd.in"
	"$O/tests/bench/crowd" 127.0.0.3:17373 127.0.0.3:17374 "$work/vms/.virtx-key" 99 100 <"$work/crowd.in" \
		>"$work/crowd.out" &
	bench_crowd_pid=$!
	exec 9>"$work/crowd.in"
	wait_for 30 bench_knows 10000 100
}
bench_lists() { [ "$(curl -s "http://$server/vms" | jq '.items | length')" = "$1" ]; } # VMs
bench_knows() { # vms hosts
	bench_lists "$1" && [ "$(curl -s "http://$server/hosts" | jq '.items | length')" = "$2" ]
}
# So many VMs of other hosts change their state each second.
bench_crowd_changes() { echo "$1" >&9; }

bench_cleanup() { [ -z "$bench_crowd_pid" ] || kill "$bench_crowd_pid" 2>/dev/null; }
cleanup_hooks+=(bench_cleanup)

bench_anonymous() { awk '/^RssAnon/ {print $2}' "/proc/$daemon_pid/status"; }             # KiB
bench_cpu() { awk '{print ($14 + $15) * 1000 / '"$(getconf CLK_TCK)"'}' "/proc/${1:-$daemon_pid}/stat"; } # ms
mib() { awk -v kib="$1" 'BEGIN {printf "%.1f", kib / 1024}'; }
