#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Three real hosts, one of which is cut off for a minute, while VMs change on both sides: how long it takes
# after that until every list is right.
. tests/e2e/lib.sh
. tests/e2e/hosts.sh
[ "$(id -u)" -eq 0 ] || skip_all "needs root: namespaces and the system's libvirt"
need_guests

must "three hosts" hosts_up 3
must "a guest on virt1" vm_boot virt1 near
near=$vm
must "a guest on virt3" vm_boot virt3 far
far=$vm
must "a VM on virt1" vm_create virt1 near-off
near_off=$vm
must "a VM on virt3" vm_create virt3 far-off
far_off=$vm
all_is_well "before"

since=$SECONDS
host_cut virt3
has_cstate() { [ "$(host_get "$1" "/hosts?name=$2" | jq .items[0].fields.cstate)" = "$3" ]; }
for host in virt1 virt2; do
	ok "$host sees that virt3 is gone" wait_for 60 has_cstate "$host" virt3 3
	ok "virt3 sees that $host is gone" wait_for 60 has_cstate virt3 "$host" 3
done
change() { # host VM-to-pause VM-to-delete new-VM
	on "$1"
	api POST "/vms/$2/runstate/pause"
	[ "$status" = 204 ] || return 1
	api DELETE "/vms/$3" '{"deletestorage":true}'
	[ "$status" = 204 ] && vm_create "$1" "$4"
}
ok "VMs change on virt1" change virt1 "$near" "$near_off" near-new
near_new=$vm
ok "and on virt3, which works alone" change virt3 "$far" "$far_off" far-new
far_new=$vm
on virt1
api DELETE "/vms/$far" '{"deletestorage":true}'
is "what is there cannot be deleted from here" "$status" 503
api POST /vms "$(vm_definition thief guest.iso '.osdisk = {path: "far/os.qcow2", device: 0, bus: 0, man: 1, prov: 0, size: 0}' | jq -c '{vmdef: ., host: ""}')"
like "nor its disk be had" "$status $(field .detail)" '^(409|507|424) .*far'
is "virt1 has the old state of virt3" "$(listed_on virt1 | grep "$far" | cut -d' ' -f3)" 4
over() { [ $((SECONDS - since)) -ge 60 ]; }
wait_for 70 over
host_join virt3
since=$(date +%s%N)
ok "every list is right" wait_for 60 lists_agree
took=$((($(date +%s%N) - since) / 1000000))
echo "# figures: $took ms after the cable is back every node lists what every libvirt has"
tap_result $((took > 20000)) "within 20 s"
shows() { [ "$(host_get "$1" "/vms/$2/runstate" | jq .runstate)" = "$3" ]; }
for host in virt1 virt2 virt3; do
	ok "$host: paused" shows "$host" "$near" 5
	ok "$host: paused there" shows "$host" "$far" 5
	ok "$host: new" shows "$host" "$near_new" 2
	ok "$host: new there" shows "$host" "$far_new" 2
	ok "$host: $host is active" has_cstate "$host" virt3 1
	not_ok "$host: deleted is deleted" grep -qE "$near_off|$far_off" <<<"$(listed_on "$host")"
done
on virt1
api DELETE "/vms/$far/runstate/pause"
is "virt1 reaches it again" "$status" 204
ok "and it beats" beats_on virt3 "$far"
all_is_well "at the end"
tap_done
