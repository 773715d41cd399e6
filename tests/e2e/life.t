#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The whole life of a VM through the REST API, with a guest that proves that it ran.
. tests/e2e/lib.sh
need_guests
must "the daemon becomes ready" daemon_start
mkdir -p "$state/vms/ds"
cp "$GUEST_CACHE/guest.iso" "$state/vms/ds/guest.iso"
host=$(curl -s "http://$server/hosts" | jq -r '.items[0].uuid')
like "the host has a UUID" "$host" '^[0-9a-f-]{36}$'

# Create: complete in every list before the answer is there.
create() {
	create_vm < <(definition life 128 "$(disk life/os.qcow2 0 0 1 1 64)" "[$(disk guest.iso 1 2 0 0 0)]" \
		'.custom = [{name: "tier", value: "gold"}]')
}
must "create" create
like "the answer is the UUID" "$vm" '^[0-9a-f-]{36}$'
api GET "/vms/$vm"
is "get right after create" "$status" 200
is "its name" "$(field .def.name)" life
is "it is off" "$(field .runinfo.runstate)" 2
is "it is here" "$(field .runinfo.host)" "$host"
is "the path is absolute now" "$(field .def.osdisk.path)" "$state/vms/ds/life/os.qcow2"
is "the size is reported" "$(field .def.osdisk.size)" 64
is "all members of Vm" "$(field '[.uuid, .def, .runinfo, .stats, .ts] | map(. == null) | any')" false
is "all members of stats" "$(field '.stats | keys_unsorted | join(" ")')" \
	"cpu_utilization mhz_used memory_capacity memory_used disk_capacity disk_allocation disk_physical net_rx_bw net_tx_bw oplog"
api GET '/vms?name=lif'
is "listed by a part of its name" "$(field '.items[0].uuid')" "$vm"
is "with its custom field" "$(field '.items[0].fields.custom | .name + .value')" tiergold
api GET '/vms' '{"filter":{"custom":{"name":"tier","value":"silver"}}}'
is "a filter in the body" "$(field '.items | length')" 0
ok "the image was made" test -f "$state/vms/ds/life/os.qcow2"
ok "the register has an entry" test -f "$state/vms/xml/$host/$vm.xml"
not_ok "no intent is left" test -e "$state/vms/xml/$host/$vm.intent"
ok "the disk has a lease, and its LVB is the VM's" \
	"$VIRTX" check-lvb "$(ls "$state"/vms/lock/[0-9a-f]*/* | head -n 1)" "$vm"

# Boot: the guest itself says so.
api POST "/vms/$vm/runstate/boot"
is "boot" "$status" 204
api GET "/vms/life/runstate"
is "a name is an id" "$(field .runstate)" 4
ok "the guest runs" wait_for 60 console_has "$vm" 'virtx-guest: ready kernel'
ok "the guest sees its disk of 64 MiB" wait_for 30 console_has "$vm" 'virtx-guest: disk vda sectors 131072'
api POST "/vms/$vm/runstate/boot"
is "a second boot is refused" "$((status / 100))" 4
like "and says why" "$body" 'running'
api DELETE "/vms/$vm"
is "a running VM is not deleted" "$status" 422
api GET "/vms/$vm"
like "VNC address while running" "$(field .vnc)" ':59[0-9][0-9]$'

# Pause and resume: the heartbeat stops and goes on.
beats() { curl -s "http://$server/vms/$vm/console?offset=0" | grep -ac heartbeat; }
more_beats_than() { [ "$(beats)" -gt "$1" ]; }
ok "it has a heartbeat" wait_for 30 more_beats_than 1
api POST "/vms/$vm/runstate/pause"
is "pause" "$status" 204
ok "is paused" runstate_is "$vm" 5
before=$(beats)
not_ok "no heartbeat while paused" wait_for 3 more_beats_than $((before + 1))
api DELETE "/vms/$vm/runstate/pause"
is "resume" "$status" 204
ok "the heart beats again" wait_for 20 more_beats_than $((before + 1))

# Statistics arrive.
has_stats() {
	api GET "/vms/$vm"
	[ "$(field '.stats | .memory_used > 0 and .cpu_utilization > 0 and .memory_capacity == 128 and .disk_capacity == 64')" = true ]
}
ok "statistics arrive" wait_for 40 has_stats

# Reboot and shutdown, answered by the guest.
ok "the button is armed" wait_for 20 console_has "$vm" 'shutdown button armed'
api DELETE "/vms/$vm/runstate/boot" '{"force":0}'
is "shutdown without force is accepted" "$status" 202
ok "the guest answers it" wait_for 30 runstate_is "$vm" 2
ok "the guest says so" console_has "$vm" 'power button'
shutdown_logged() {
	api GET "/vms/$vm"
	[ "$(field '.stats.oplog.items[] | select(.op == "VmShutdown") | .status')" = completed ]
}
ok "the operation log knows" wait_for 30 shutdown_logged
like "with a graceful shutdown" "$(field '.stats.oplog.items[] | select(.op == "VmShutdown") | .msg')" 'graceful shutdown'
is "the log's order" "$(field '[.stats.oplog.items[].op] | join(" ")')" "VmBoot VmPause VmResume VmShutdown"

# Boot with cloud-init: the guest reads its seed.
api POST "/vms/$vm/runstate/boot" "$(jq -nc '{cloud_init: [{name: "ci-userdata", value: "#cloud-config\nhostname: seeded\n"}]}')"
is "boot with cloud-init" "$status" 204
ok "the guest reads its seed" wait_for 60 console_has "$vm" 'seed user-data: hostname: seeded'
ok "with the default meta-data" wait_for 30 console_has "$vm" "seed meta-data: instance-id: $vm"
is "the seed is not for everyone" "$(stat -c %a "$state/vms/ds/ci/$vm/seed.iso")" 640
api DELETE "/vms/$vm/runstate/boot" '{"force":2}'
is "shutdown by SIGKILL" "$status" 204
ok "is off" runstate_is "$vm" 2

# Update: name, a disk more.
api GET "/vms/$vm"
etag=$(sed -n 's/^[Ee][Tt]ag: //p' <<<"$headers")
like "a VM has an ETag" "$etag" '^"[0-9a-f]{16}"$'
new=$(field '.def' | jq -c --argjson disk "$(disk life/data.raw 0 1 1 1 16)" '.name = "life2" | .disks += [$disk]')
curl_options=(-H 'If-Match: "0000000000000000"')
api PUT "/vms/$vm" "{\"vmdef\":$new,\"deletestorage\":false}"
is "an update of something else is refused" "$status" 412
curl_options=(-H "If-Match: $etag")
api PUT "/vms/$vm" "{\"vmdef\":$new,\"deletestorage\":false}"
is "update" "$status" 204
curl_options=()
api GET /vms/life2
is "the new name" "$(field .uuid)" "$vm"
is "the new disk" "$(stat -c %s "$state/vms/ds/life/data.raw")" $((16 * 1048576))
is "the log outlives an update" "$(field '.stats.oplog.items | length')" 4
api PUT "/vms/$vm" "{\"vmdef\":$(jq -c 'del(.disks[-1])' <<<"$new"),\"deletestorage\":true}"
is "update that drops a disk" "$status" 204
not_ok "its image is gone" test -e "$state/vms/ds/life/data.raw"

# Delete: nothing is left.
api DELETE "/vms/$vm" '{"deletestorage":true}'
is "delete" "$status" 204
api GET "/vms/$vm"
is "it is gone" "$status" 404
is "nothing is left of it" "$(cd "$state/vms" && find ds lock xml -name "*$vm*" -o -path 'ds/life/*' -o -path 'lock/*' -mindepth 1)" ""
ok "what was not ours is still there" test -f "$state/vms/ds/guest.iso"
daemon_stop TERM
is "SIGTERM ends it with 0" "$daemon_status" 0
tap_done
