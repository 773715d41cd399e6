#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Four light hosts come to the same lists: after changes, after a daemon or an agent was killed, cut off for a while, and
# after the gossip lost what was said.
. tests/e2e/lib.sh
. tests/e2e/cluster.sh
hosts=4
per_host=5

# VMs of VirtX's own, which can be paused and resumed, behind some that cannot.
for ((h = 1; h <= hosts; h++)); do
	{
		cluster_domains $h 3 | sed '$d'
		for ((v = 1; v <= per_host; v++)); do
			definition "own$h-$v" 64 "$(disk /vms/ds/x$h$v.raw 0 0 0 0 0)" >"$work/own.json"
			"$VIRTX" create vm "$work/own.json" --print-xml --uuid "$(cluster_uuid $h $((100 + v)))" |
				sed 's|<domain type="kvm"|<domain type="test"|; s| firmware="bios"||; s|/vms/ds|'"$cluster_vms"'/ds|'
		done
		echo '</node>'
	} >"$work/virt$h.xml"
done

converge() { # mode...
	local h urls=()
	for ((h = 1; h <= hosts; h++)); do urls+=("virt$h=${host_server[virt$h]}"); done
	tap_from 120 env "${urls[@]}" tests/e2e/converge.py $hosts $per_host "$@"
}

must "four hosts" cluster_up $hosts
converge equal
converge figures
converge equal

# A daemon that is killed, and what changed while it was away.
cluster_daemon_end 2 KILL
ok "the others answer" curl -sf -o "$work/answer" "http://${host_server[virt1]}/readyz"
: >"$work/virt2.log"
cluster_daemon_start 2
must "virt2 is back" cluster_host_ready 2
converge change
converge equal

# An agent that is killed, and one that hangs as if cut off; the VMs change meanwhile.
serf_end virt3 KILL
kill -STOP "${serf_pid[virt4]}"
has_state() { [ "$(curl -s "http://${host_server[virt1]}/hosts?name=virt$1" | jq .items[0].fields.cstate)" = "$2" ]; }
ok "one has failed" wait_for 40 has_state 3 3
ok "and the other" wait_for 40 has_state 4 3
converge change
kill -CONT "${serf_pid[virt4]}"
serf_start virt3 "$cluster_net.3" "-retry-join=$cluster_net.1"
converge equal

converge flood "$cluster_net.1"
converge equal
is "nobody crashed" "$(grep -lE 'Sanitizer|abort' "$work"/virt?.log)" ""
tap_done
