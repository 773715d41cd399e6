# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Private memory (RssAnon: what the daemon itself has, without libraries and files) after a start and a round, and the
# processor time of a daemon that nobody asks anything.

# Of the daemon in MiB, once it does not change any more: what a start needs is given back by the first round.
memory_settled() {
	local before now same=0
	now=$(bench_anonymous)
	while [ "$same" -lt 10 ]; do
		read -rt 0.2 <>"$work/never"
		before=$now
		now=$(bench_anonymous)
		[ "$now" = "$before" ] && same=$((same + 1)) || same=0
	done
	echo "$now"
}

# Percent of a core over some seconds.
memory_idle() { # seconds
	local before
	before=$(bench_cpu)
	read -rt "$1" <>"$work/never"
	awk -v before="$before" -v after="$(bench_cpu)" -v s="$1" 'BEGIN {printf "%.2f", (after - before) / s / 10}'
}

bench_memory() {
	local none own all before
	mkfifo "$work/never"
	row_head
	row "binary size (stripped)" "$(strip -o "$work/stripped" "$VIRTX" && stat -c %s "$work/stripped" | awk '{printf "%.0f", $1 / 1024}')" KiB
	daemon_start || return 1
	row "RssAnon, standalone, no VMs" "$(mib "$(memory_settled)")" MiB
	daemon_stop TERM
	bench_libvirtd && bench_daemon || return 1
	none=$(memory_settled)
	row "RssAnon beside a libvirtd, no VMs" "$(mib "$none")" MiB
	before=$(now_ns)
	bench_define 100 || return 1
	row "100 VMs, created by four clients, each" "$(awk -v ns=$(($(now_ns) - before)) 'BEGIN {printf "%.1f", ns / 100 / 1e6}')" ms
	daemon_stop TERM
	bench_daemon || return 1
	own=$(memory_settled)
	row "RssAnon, 100 VMs of its own" "$(mib "$own")" MiB
	row "a VM of its own" "$(((own - none) * 1024 / 100))" B
	row "idle, 100 VMs of its own" "$(memory_idle 30)" '% core'
	bench_crowd_start || return 1
	all=$(memory_settled)
	row "RssAnon, 10,000 VMs, 100 hosts; was listed once" "$(mib "$all")" MiB
	row "a VM of another host" "$(((all - own) * 1024 / 9900))" B
	row "idle, 10,000 VMs, 100 hosts" "$(memory_idle 15)" '% core'
	bench_crowd_changes 10
	row "10 VMs of others change per second" "$(memory_idle 15)" '% core'
	bench_crowd_changes 0
	row "RssAnon, 10,000 VMs, after those changes" "$(mib "$(memory_settled)")" MiB
}
