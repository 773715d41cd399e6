#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Migration between three real hosts: live with a heartbeat that must not stop, paused, cold, to the host that
# fits best. migrate_abort.t has moves that are watched and aborted, migrate_refused.t what is refused,
# migrate_faults.t what goes wrong in the middle.
. tests/e2e/lib.sh
. tests/e2e/hosts.sh
[ "$(id -u)" -eq 0 ] || skip_all "needs root: namespaces and the system's libvirt"
need_guests

must "three hosts" hosts_up 3
must "a guest on virt1" vm_boot virt1 web guest-beat.iso
web=$vm
lease() { printf %s "$1" | md5sum | head -c 32; }
held_by() { # resource host
	[ "$(sanlock direct read_leader -r "$space:$1:$lock/$1/$1:0" | awk '$1 == "owner_id" {print $2}')" = \
		"$(cat "$vms/xml/$(uuid_of "$2")/lockid")" ]
}

# Whether it could.
api POST "/vms/$web/runstate/migrate?dry_run=true" '{"host":"virt2","migration_type":1}'
is "a dry run to one host" "$status $(field '"\(.host) \(.hosts | length) \(.hosts[0].host) \(.hosts[0].ok)"')" "200 virt2 1 virt2 true"
api POST "/vms/$web/runstate/migrate?dry_run=true" '{"host":"","migration_type":1}'
is "to all" "$status $(field '[.hosts[] | "\(.host) \(.ok)"] | sort | join(" ")')" "200 virt2 true virt3 true"
is "with figures" "$(field '[.hosts[] | .memoryavailable > 0, .vms == 0] | unique == [true]')" true
is "nothing was begun" "$(host_get virt1 /operations | jq '[.items[] | select(.kind == "migrate")] | length')" 0
is "and never has been" "$(host_get virt1 "/vms/$web/runstate/migrate" | jq -r .status)" 424

# Live, asked of a host that has nothing to do with it.
on virt3
beats_watch "$web"
since=$(date +%s%N)
migrate "$web" virt2 1
is "live to virt2" "$status $(field '"\(.host) \(.uuid)"')" "202 virt2 $(uuid_of virt2)"
like "where to look" "$headers" "^Location: /operations/$operation"
ok "it ends" wait_for 60 has_ended virt1
took=$((($(date +%s%N) - since) / 1000000))
is "well" "$(operation_at virt1)" "completed  "
ok "it runs on virt2 and nowhere else" wait_for 20 runs_once "$web" virt2
ok "as virt2 knows" wait_for 10 migrate_log virt2 "$web"
beats_watched
echo "# figures: live migration of a guest of 128 MiB: $took ms end to end, heartbeat every 50 ms pauses for $beats_pause ms"
is "no beat was lost" "$beats_missing" 0
tap_result $((beats_pause > 3000)) "and none late" "$beats_pause ms"
ok "its disk's lease went too" held_by "$(lease web/os.qcow2)" virt2
is "what its log says" "$(migrate_log virt2 "$web")" \
	"completed live migration from $(uuid_of virt1) to $(uuid_of virt2). Migrated."
is "the state of its migration" "$(migrate_state virt1 "$web")" 8
is "no intent stays" "$(find "$vms/xml" -name '*.intent')" ""
all_is_well "after a live migration"

# By the client, which waits.
client() { run_on virt1 env VIRTX_API_SERVER="$(host_api virt1)" "$VIRTX" "$@"; }
client migrate vm web --live --host virt3 --wait >"$work/client.out" 2>&1
is "the client waits for it" $? 0
ok "it runs on virt3" wait_for 20 runs_once "$web" virt3
like "the client shows how it went" "$(client get migrate vm web)" completed

# A paused guest arrives paused.
on virt1
api POST "/vms/$web/runstate/pause"
is "it is paused" "$status" 204
ok "and moves" migrate_and_wait virt3 "$web" virt1 1
ok "to where it is paused" is_alone "$web" virt1 paused
api DELETE "/vms/$web/runstate/pause"
is "it goes on" "$status" 204
ok "there" wait_for 20 runs_once "$web" virt1

# Cold, and to the best: virt2 has less memory left, as it has a VM.
must "a VM on virt2" vm_create virt2 other
on virt1
api DELETE "/vms/$web/runstate/boot" '{"force":2}'
is "it is stopped" "$status" 204
api POST "/vms/$web/runstate/migrate?dry_run=true" '{"migration_type":0}'
is "the best is the one with less on it" "$(field .host)" virt3
migrate "$web" "" 0
is "cold, to the best" "$status $(field .host)" "202 virt3"
ok "it ends" wait_for 60 has_ended virt1
is "well" "$(operation_at virt1)" "completed  "
ok "it is off on virt3" wait_for 10 is_off_once "$web" virt3
is "and its lease free" "$(holder "$web")" free
is "its log" "$(migrate_log virt3 "$web")" "completed offline migration from $(uuid_of virt1) to $(uuid_of virt3). Migrated."
api POST "/vms/$web/runstate/boot"
is "it boots there" "$status" 204
ok "and beats" wait_for 60 beats_on virt3 "$web"
api DELETE "/vms/$web/runstate/boot" '{"force":2}'
is "it is stopped" "$status" 204
all_is_well "after a cold one"
tap_done
