#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# LUNs: made, claimed, cleared and given back, under all their names, cancelled and cut. Loop devices
# with names below a /dev/disk/by-id of this test's own; a loop device cannot be passed through, so
# no guest boots.
[ "$(id -u)" -ne 0 ] || [ "$(readlink "/proc/self/ns/mnt")" != "$(readlink "/proc/$PPID/ns/mnt")" ] ||
	exec unshare -m --propagation private "$0" "$@"
. tests/e2e/lib.sh
. tests/e2e/lun.sh
[ "$(id -u)" -eq 0 ] || skip_all "needs root: loop devices and a mount namespace"

must "a /dev" make_dev

create() { create_vm < <(definition "$1" 32 "$2" "${3:-[]}"); }
update() { # vm filter [deletestorage]
	api GET "/vms/$1"
	api PUT "/vms/$1" "$(jq -c --argjson remove "${3:-false}" ".def | $2 | {vmdef: ., deletestorage: \$remove}" <<<"$body")"
}
owner_is() { "$VIRTX" check-lvb "$state/vms/lock/$1/$1" "$2"; }
leases() { (cd "$state/vms/lock" && echo *); }
nothing_left() { # no VM, no lease, no intent
	[ "$(leases)$(find "$state/vms/xml" -name '*.intent' -o -name '*-*.xml')" = '*' ]
}

must "the daemon becomes ready" daemon_start
lun_make one 66
name one wwn-0x6001
name one scsi-36001
name one scsi-SVENDOR_one
ln -s ../../null $by/scsi-null
ln -s ../../nowhere $by/scsi-nowhere

# Made, under any of its names.
for bad in 'scsi-null 507 not.a.block.device' 'scsi-nowhere 507 No.such.file' \
	'scsi-SVENDOR_one 400 is.another.name.of./dev/disk/by-id/wwn-0x6001'; do
	read -r bad code why <<<"$bad"
	create bad "$(lun "$bad")"
	refused "$bad" "$code" "$why"
done
create bad "$(lun wwn-0x6001 1 1 67)"
refused "more than it has" 507 'has 66 MiB, not 67'
ok "nothing was touched" has_data one
must "create" create a "$(lun wwn-0x6001)"
a=$vm
ok "it is clear" is_clear one
ok "its space is the array's" is_hole one
api GET "/vms/$a"
is "size and provisioning" "$(field '.def.osdisk | "\(.size) \(.prov)"')" "66 1"
ok "the lease is the VM's" owner_is 36001 "$a"
ok "fsck agrees" "$VIRTX" fsck --standalone --state-dir "$state"
create b "$(lun scsi-36001)"
refused "another VM, another name" 507 "scsi-36001 belongs to VM a \($a\)"
create b "$(lun scsi-SVENDOR_one)"
tap_result "$([ "$status" -ge 400 ]; echo $?)" "and the third name"
like "the register says what it is" "$(cat "$state"/vms/xml/*/"$a.xml")" "<disk type='block' device='lun'"
like "and where" "$(cat "$state"/vms/xml/*/"$a.xml")" "<source dev='$by/wwn-0x6001'"
update "$a" '.osdisk.device = 0'
refused "a lun that becomes a disk" 422 'managed as a lun'

# Given back: as it is, or clear.
write_data one
api DELETE "/vms/$a" '{"deletestorage":false}'
is "delete without storage" "$status" 204
ok "the data is there" has_data one
ok "nothing else" nothing_left
must "claim" create a "$(lun wwn-0x6001 1 0)"
a=$vm
ok "the data is there" has_data one
update "$a" '.osdisk.man = 0'
is "out of management" "$status" 204
is "the lease is gone" "$(leases)" "vm-$a"
update "$a" '.osdisk.man = 1'
is "into management" "$status" 204
ok "the lease is there" owner_is 36001 "$a"
ok "the data too" has_data one
mkdir "$work/mnt"
mkfs.ext4 -q -F "${loop_of[one]}"
mount "${loop_of[one]}" "$work/mnt"
api DELETE "/vms/$a" '{"deletestorage":true}'
refused "delete of a mounted one" 507 "in use on this host: it is mounted at $work/mnt"
like "what to do" "$(field .hint)" 'deletestorage false'
api GET "/vms/$a"
is "the VM is there" "$status" 200
umount "$work/mnt"
write_data one
api DELETE "/vms/$a" '{"deletestorage":true}'
is "delete with storage" "$status" 204
ok "all is clear" is_clear one
ok "nothing is left" nothing_left
write_data one
mkfs.ext4 -q -F "${loop_of[one]}"
mount "${loop_of[one]}" "$work/mnt"
create c "$(lun wwn-0x6001)"
refused "create on a mounted one" 507 "is mounted at"
umount "$work/mnt"

# An update adds and removes.
must "a VM with an image" create d "$(disk d.raw 0 0 1 1 4)"
d=$vm
write_data one
update "$d" ".disks = [$(lun wwn-0x6001 1 2)]"
is "a LUN is added" "$status" 204
ok "it is clear" is_clear one
api GET "/vms/$d"
is "thick as asked" "$(field '.def.disks[0] | "\(.size) \(.prov)"')" "66 2"
write_data one
mv "$by/wwn-0x6001" "$by/gone"
update "$d" '.disks = []' true
refused "one that has gone" 507 'wwn-0x6001: No such file'
mv "$by/gone" "$by/wwn-0x6001"
update "$d" '.disks = []' true
is "it is removed" "$status" 204
ok "and clear" is_clear one
not_ok "without a lease" test -e "$state/vms/lock/36001"
write_data one
update "$d" ".disks = [$(lun wwn-0x6001), $(disk no/such.raw 0 0 1 0 0)]"
refused "an update whose other disk is missing" 507 'No such file'
ok "touches nothing" has_data one
printf 'no image' >"$state/vms/ds/bad.qcow2"
update "$d" ".disks = [$(disk new.raw 0 0 1 1 1), $(lun wwn-0x6001 0)]"
is "unmanaged" "$status" 204
ok "it is not touched" has_data one
api DELETE "/vms/$d" '{"deletestorage":true}'
is "and not by a delete" "$status" 204
ok "the data is there" has_data one
ok "nothing is left" nothing_left

# Large ones, so that there is time. Stopped in the middle: lease-run waits in front of its next piece.
lun_make huge 1048576
name huge wwn-0x6002
state_of() { api GET "/operations/$operation" && field .state; }
has_ended() { [ "$(state_of)" != running ]; }
lease_run() { pgrep -P "$daemon_pid" -f 'lease-run wipe'; }
first_is_clear() { cmp -n 1048576 "$work/$1" /dev/zero; }
last_has_data() { tail -c 1048576 "$work/$1" | grep -q 'secret of a tenant'; }

create_async huge "$(lun wwn-0x6002)"
is "a long create" "$status" 202
ok "shows its progress" wait_for 20 is_under_way create
kill -STOP "$(lease_run)"
api GET "/operations/$operation"
before=$(field .progress)
like "its phase" "$(field .phase)" "provision $by/wwn-0x6002"
tap_result "$([ "$before" -lt 90 ]; echo $?)" "it is not at its end" "$before"
api GET /vms
is "GET /vms meanwhile" "$status" 200
api DELETE "/operations/$operation"
is "it is cancelled" "$status" 202
ok "it ends" wait_for 30 has_ended
is "as cancelled" "$(state_of)" cancelled
ok "what was cleared is clear" first_is_clear huge
ok "the rest is as it was" last_has_data huge
ok "no VM, no lease, no intent" wait_for 30 nothing_left
not_ok "nobody works on it" lease_run

# kill -9: a create goes back, a delete forward.
restart() {
	kill -9 "$daemon_pid"
	wait "$daemon_pid" 2>/dev/null
	mv "$work/daemon.log" "$work/daemon.$(date +%s%N).log"
	daemon_start
}
create_async huge "$(lun wwn-0x6002)"
ok "a create" wait_for 20 is_under_way create
kill -STOP "$(lease_run)"
ok "cut" restart
ok "leaves nothing" wait_for 30 nothing_left
ok "and the rest as it was" last_has_data huge
create_async huge "$(lun wwn-0x6002)"
ok "lease-run alone" wait_for 20 is_under_way create
kill -9 "$(lease_run)"
ok "ends it" wait_for 30 has_ended
is "as failed" "$(state_of)" failed
ok "and leaves nothing" nothing_left
lun_make big 98304
name big wwn-0x6003
must "a whole create" create big "$(lun wwn-0x6003)"
big=$vm
ok "is clear" is_hole big
write_data big
api_async DELETE "/vms/$big" '{"deletestorage":true}'
ok "a delete" wait_for 20 is_under_way delete
kill -STOP "$(lease_run)"
api DELETE "/operations/$operation"
refused "it cannot be cancelled" 422 'cannot be cancelled'
ok "cut" restart
ok "goes on while others are served" wait_for 20 is_under_way recover
like "its phase" "$(field .phase)" "release $by/wwn-0x6003"
ok "is finished" wait_for 60 nothing_left
ok "all is clear" is_hole big
daemon_stop
is "the daemon ends in order" "$daemon_status" 0
tap_done
