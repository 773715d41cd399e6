#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# LUNs that two hosts share, under leases of real sanlock daemons. No guest boots: see lun.t.
[ "$(id -u)" -ne 0 ] || [ "$(readlink "/proc/self/ns/mnt")" != "$(readlink "/proc/$PPID/ns/mnt")" ] ||
	exec unshare -m --propagation private "$0" "$@"
. tests/e2e/lib.sh
. tests/e2e/lun.sh
. tests/e2e/libvirtd.sh
. tests/e2e/sanlock.sh
[ "$(id -u)" -eq 0 ] || skip_all "needs root: loop devices and mount namespaces"

must "a /dev" make_dev
lun_make big 98304
name big wwn-0x6001
name big scsi-36001
for host in virt1 virt2; do
	must "namespaces of $host" host_make "$host"
	must "sanlock on $host" sanlock_start "$host"
	must "libvirtd on $host" libvirtd_on "$host"
done
must "a cluster is made" "$VIRTX" virtxd --config "$work/virt1/empty.conf" --vms-dir "$vms" --init-cluster
for host in virt1 virt2; do
	virtxd_run "$host"
	must "$host is ready" virtxd_wait "$host"
done
lock=$vms/lock
leader() { sanlock direct read_leader -r "$space:36001:$lock/36001/36001:0"; }
is_held() { ! leader | grep -q 'timestamp 0$'; }
is_free() { leader | grep -q 'timestamp 0$'; }
lease_run() { pgrep -P "${virtxd_pid[virt1]}" -f 'lease-run wipe'; }
no_lease() { [ "$(ls "$lock")" = "$space" ]; }

# The clearing is work under the lease.
on virt1
create_async a "$(lun wwn-0x6001)"
is "a create on virt1" "$status" 202
ok "is under way" wait_for 20 is_under_way create
kill -STOP "$(lease_run)"
ok "it holds the lease" is_held
leader >"$work/leader"
like "of the serial name" "$(cat "$work/leader")" '^resource_name 36001$'
a=$(field .vm)
on virt2
create_vm < <(definition b 32 "$(lun scsi-36001)")
refused "virt2, by another name" 507 "scsi-36001 belongs to VM .*$a"
on virt1
kill -CONT "$(lease_run)"
done_with() { # state
	api GET "/operations/$operation"
	[ "$(field .state)" = "$1" ]
}
ok "it completes" wait_for 60 done_with completed
ok "the LUN is clear" is_hole big
ok "and the lease free" wait_for 30 is_free
xml=$(cat "$vms/xml/$(uuid_of virt1)/$a.xml")
like "the domain lists it" "$xml" '<key>36001</key>'
like "with its place" "$xml" "<target path='$lock/36001/36001'/>"
ok "others can check it" "$VIRTX" check-lvb "$lock/36001/36001" "$a"
on virt2
create_vm < <(definition b 32 "$(lun scsi-36001)")
refused "virt2 afterwards" 507 "scsi-36001 belongs to VM .*$a"
is "nothing of it stays" "$(ls "$vms/xml/$(uuid_of virt2)")" lockid

# sanlock dies in the middle of a delete: it goes on when sanlock is back.
on virt1
write_data big
api_async DELETE "/vms/$a" '{"deletestorage":true}'
ok "a delete is under way" wait_for 20 is_under_way delete
kill -STOP "$(lease_run)"
sanlock_kill virt1
kill -CONT "$(lease_run)"
ok "without sanlock the work stops" wait_for 30 done_with completed
like "what is left is said" "$(field .warning)" 'could not be deleted'
not_ok "nobody works on it" lease_run
ok "the lease is still the VM's" "$VIRTX" check-lvb "$lock/36001/36001" "$a"
ok "the data at its end is still there" grep -q 'secret of a tenant' <(tail -c 1048576 "$work/big")
must "sanlock starts again" sanlock_start virt1
ok "the delete is finished" wait_for 60 no_lease
ok "the LUN is clear" is_hole big
for host in virt1 virt2; do
	virtxd_stop "$host" TERM
	is "$host ends in order" "$daemon_status" 0
done
tap_done
