#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A live migration that does not end, as its guest writes faster than its memory is sent: how far it is, what is
# refused meanwhile, its abort; and that what is said of the next one is not about this one.
. tests/e2e/lib.sh
. tests/e2e/hosts.sh
[ "$(id -u)" -eq 0 ] || skip_all "needs root: namespaces and the system's libvirt"
need_guests

must "three hosts" hosts_up 3
client() { run_on virt1 env VIRTX_API_SERVER="$(host_api virt1)" "$VIRTX" "$@"; }
must "a guest that writes" vm_dirty virt1 dirty
dirty=$vm
on virt2
ok "it begins to move" migrate "$dirty" virt3 1
ok "and is in the middle" wait_for 30 migrates virt1 "$dirty"
progress() { host_get virt2 "/vms/$dirty/runstate/migrate" | jq ".progress.$1"; }
active() { [ "$(migrate_state virt2 "$dirty")" = 4 ]; }
ok "it is seen" wait_for 10 active
more() { [ "$(progress transferred)" -gt "$1" ] && [ "$(progress total)" -gt 1000000 ] && [ "$(progress rate | cut -d. -f1)" -ge 1 ]; }
ok "with figures that grow" wait_for 20 more "$(progress transferred)"
like "by the client too" "$(client get migrate vm dirty)" 'active'
refused() { # what method path [body]
	api "$2" "/vms/$dirty$3" "${@:4}"
	is "$1 is refused meanwhile" "$status $(field .code)" "409 busy"
}
refused "a second one" POST /runstate/migrate '{"host":"virt2","migration_type":1}'
like "by the first's id" "$(field '.detail + .hint')" "$operation"
refused "a pause" POST /runstate/pause
refused "a stop" DELETE /runstate/boot '{"force":2}'
is "it is listed as one" "$(host_get virt3 /vms | jq "[.items[] | select(.uuid == \"$dirty\")] | length")" 1
api DELETE "/vms/$dirty/runstate/migrate"
is "abort" "$status" 204
ok "it ends" wait_for 30 has_ended virt1
is "as cancelled" "$(operation_at virt1 | cut -d' ' -f1)" cancelled
ok "it runs where it was" wait_for 20 runs_once "$dirty" virt1
like "its log" "$(migrate_log virt1 "$dirty")" "^failed live migration from $(uuid_of virt1) to $(uuid_of virt3)\."
like "its state" "$(migrate_state virt2 "$dirty")" '^(3|9)$'
api DELETE "/vms/$dirty/runstate/migrate"
is "it cannot be aborted again" "$status" 424
all_is_well "after one that was aborted"

ok "it moves again" migrate "$dirty" virt3 1
like "the state is not that of the one before" "$(migrate_state virt2 "$dirty")" '^(1|4)$'
ok "but of this one" wait_for 20 active
virsh_on virt1 migrate-setspeed "$dirty" 1000
ok "fast enough it ends" wait_for 60 has_ended virt1
is "well" "$(operation_at virt1)" "completed  "
ok "on virt3" wait_for 20 runs_once "$dirty" virt3
is "its log" "$(migrate_log virt3 "$dirty")" "completed live migration from $(uuid_of virt1) to $(uuid_of virt3). Migrated."
all_is_well "at the end"
tap_done
