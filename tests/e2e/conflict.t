#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Two hosts have the same VM for a minute and more: lists, the VM itself and the client say so on both, until one of
# them has it no more. And what lists say of the VMs of a host that is gone.
. tests/e2e/lib.sh
. tests/e2e/cluster.sh

shared=$(cluster_uuid 1 2) other=$(cluster_uuid 2 1)
cluster_domains 2 2 | sed "s/$(cluster_uuid 2 2)/$shared/" >"$work/virt2.xml"
must "two hosts" cluster_up 2
one=${host_uuid[virt1]} two=${host_uuid[virt2]}
row() { # number vm jq
	curl -s "http://${host_server[virt$1]}/vms" | jq -cr ".items[] | select(.uuid == \"$2\") | .fields | $3"
}
row_is() { [ "$(row "$1" "$2" "$3")" = "$4" ]; }
both=$(jq -nc --arg one "$one" --arg two "$two" '[$one, $two] | sort')

for n in 1 2; do ok "virt$n knows the VM that only virt2 has" wait_for 30 row_is "$n" "$other" .cstate 1; done
is "nothing is in conflict at first" "$(row 1 "$shared" .conflict)" '[]'
for n in 1 2; do ok "after a minute it is, for virt$n" wait_for 90 row_is "$n" "$shared" '.conflict | sort' "$both"; done
for n in 1 2; do
	on "$n"
	is "one row, on virt$n" "$(row "$n" "$shared" .name | wc -l)" 1
	api GET "/vms/$shared"
	is "the VM itself says it" "$(jq -c '.conflict | sort' <<<"$body")" "$both"
	for host in "$one" "$two"; do
		api GET "/vms?host=$host"
		is "it is on either host" "$(field "[.items[] | select(.uuid == \"$shared\")] | length")" 1
	done
	is "the log says it once" "$(grep -c "two hosts have the same VM.*$shared" "$work/virt$n.log")" 1
	like "the list" "$("$VIRTX" --api-server "$server" list vm)" "$shared .*\(conflict\) +[0-9]+s"
	like "and the status" "$("$VIRTX" --api-server "$server" status)" "CONFLICTS +$shared"
done
is "others are not" "$(curl -s "http://${host_server[virt1]}/vms" | jq '[.items[] | select(.fields.conflict != [])] | length')" 1

# virt2 is gone: virt1 has it alone, and knows how old what it knows of the others is.
cluster_daemon_end 2 KILL
serf_end virt2 KILL
ok "virt2 has failed" wait_for 60 row_is 1 "$other" .cstate 3
ok "one host is no conflict" wait_for 10 row_is 1 "$shared" .conflict '[]'
is "virt1 has it" "$(row 1 "$shared" .host)" "$one"
on 1
api GET "/vms/$shared"
is "the VM too says that" "$(field '.conflict | length')" 0
like "the list tells what state its host is in" "$("$VIRTX" --api-server "$server" list vm)" "$other .* \(host failed\) +[0-9]+[sm]"
before=$(row 1 "$other" .ts)
is "what is known of it does not get younger" "$before" "$(row 1 "$other" .ts)"
ok "it is as old as its host's last word" test $(($(date +%s) - before / 1000)) -ge 2
tap_done
