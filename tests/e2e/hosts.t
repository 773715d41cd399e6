#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Three real hosts with guests: each lists all; one loses its power and comes back, parts of others are
# restarted. hosts_cut.t has what takes a minute.
. tests/e2e/lib.sh
. tests/e2e/hosts.sh
[ "$(id -u)" -eq 0 ] || skip_all "needs root: namespaces and the system's libvirt"
need_guests

must "three hosts" hosts_up 3
declare -A vm_of
for host in virt1 virt2 virt3; do
	must "a VM on $host" vm_create "$host" "on-$host"
	vm_of[$host]=$vm
done
on virt3
api POST "/vms/${vm_of[virt3]}/runstate/boot"
is "that of virt3 boots" "$status" 204
all_is_well "three hosts"

# What changes on one shows on all.
shows() { [ "$(host_get "$1" "/vms/$2/runstate" | jq .runstate)" = "$3" ]; }
shown=()
change() { # method state
	api "$1" "/vms/${vm_of[virt3]}/runstate/pause"
	since=$(date +%s%N)
	for host in virt1 virt2; do wait_for 10 shows "$host" "${vm_of[virt3]}" "$2" || return 1; done
	shown+=($((($(date +%s%N) - since) / 1000000)))
}
on virt1
for _ in 1 2 3; do
	ok "a pause asked of another host shows on all" change POST 5
	ok "so does what resumes it" change DELETE 4
done
echo "# figures: milliseconds until a change shows on both others: ${shown[*]}"

# No power.
must "its heart beats" wait_for 60 beats_on virt3 "${vm_of[virt3]}"
host_kill virt3
has_cstate() { [ "$(host_get "$1" "/hosts?name=$2" | jq .items[0].fields.cstate)" = "$3" ]; }
is "no guest of it is left" "$(copies "${vm_of[virt3]}")" ""
for host in virt1 virt2; do
	ok "$host sees that it failed" wait_for 30 has_cstate "$host" virt3 3
	is "$host still lists its VM" "$(listed_on "$host" | grep -c "^${vm_of[virt3]} $(uuid_of virt3) 4$")" 1
	on "$host"
	api GET "/vms/${vm_of[virt3]}"
	is "which cannot be asked" "$status" 503
	like "and why" "$(field .detail)" 'virt3.*failed'
done
all_is_well "without virt3"
ok "power is back" host_up virt3
for host in virt1 virt2; do
	ok "$host sees that it is back" wait_for 30 has_cstate "$host" virt3 1
	ok "and that its VM is off" wait_for 30 shows "$host" "${vm_of[virt3]}" 2
done
all_is_well "with virt3 again"
boots() { api POST "/vms/${vm_of[virt3]}/runstate/boot" && [ "$status" = 204 ]; }
on virt2
ok "its guest boots again" wait_for 60 boots
ok "and beats" wait_for 60 beats_on virt3 "${vm_of[virt3]}"
ok "once" runs_once "${vm_of[virt3]}" virt3

# A daemon is away while its host's VMs change; the guest does not notice.
virtxd_stop virt3 KILL
virsh_on virt3 suspend "${vm_of[virt3]}"
host_virtxd virt3
ok "virtxd is back" virtxd_wait virt3
for host in virt1 virt2; do ok "$host knows what has changed meanwhile" wait_for 20 shows "$host" "${vm_of[virt3]}" 5; done
host_libvirtd_kill virt2
ok "without libvirtd it is not ready" wait_for 20 not_ready virt2
ok "libvirtd starts again" libvirtd_on virt2 --listen
ok "and it is ready" wait_for 30 virtxd_is_ready virt2
all_is_well "at the end"
tap_done
