#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A host of the other implementation among light ones, played by oldpeer.py: what it says counts where it is allowed,
# what we say it can read, requests for its VMs reach it, and what is hostile does no harm.
. tests/e2e/lib.sh
. tests/e2e/cluster.sh

# A VM of VirtX's own, which can be paused, among many.
own=00000001-0000-4000-8000-000000000999
definition own 64 "$(disk /vms/ds/x.raw 0 0 0 0 0)" >"$work/own.json"
{
	cluster_domains 1 80 | sed '$d'
	"$VIRTX" create vm "$work/own.json" --print-xml --uuid "$own" |
		sed 's|<domain type="kvm"|<domain type="test"|; s| firmware="bios"||; s|/vms/ds|'"$cluster_vms"'/ds|'
	echo '</node>'
} >"$work/virt1.xml"

"$VIRTX" virtxd --config "$work/empty.conf" --vms-dir "$cluster_vms" --init-cluster >/dev/null
cluster_host_start 1 --allow-old-peers=yes
cluster_host_start 2
must "a host that trusts old peers" cluster_host_ready 1
must "one that does not" cluster_host_ready 2
must "an agent without a daemon of ours" serf_start old3 "$cluster_net.3" "-retry-join=$cluster_net.1"
trusts=${host_server[virt1]}
tap_from 300 env TRUSTS="$trusts" DOUBTS="${host_server[virt2]}" tests/e2e/oldpeer.py "$cluster_net" "$own" \
	"${host_pid[virt1]}"

# Its agent dies.
has_state() { [ "$(curl -s "http://$trusts/hosts?name=old3" | jq .items[0].fields.cstate)" = "$1" ]; }
serf_end old3 KILL
ok "it has failed" wait_for 40 has_state 3
is "its VMs stay" "$(curl -s "http://$trusts/vms?host=$(cluster_uuid 3 0)" | jq '.items | length')" 2
is "and say so" "$(curl -s -o "$work/answer" -w '%{http_code}' "http://$trusts/vms/$(cluster_uuid 3 1)")" 503
for n in 1 2; do
	cluster_daemon_end $n
done
is "nobody crashed" "$(grep -lE 'Sanitizer|abort' "$work"/virt?.log)" ""
tap_done
