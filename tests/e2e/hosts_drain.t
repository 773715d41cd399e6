#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Three real hosts; one is drained: a guest that runs moves with its heart beating, a VM that is off moves too, one that
# no other host can take stays and is named. The drain goes on over a kill of the daemon, and can be taken back.
. tests/e2e/lib.sh
. tests/e2e/hosts.sh
[ "$(id -u)" -eq 0 ] || skip_all "needs root: namespaces and the system's libvirt"
need_guests

must "three hosts" hosts_up 3
run_on virt1 ip link add br-here type bridge && run_on virt1 ip link set br-here up
must "a guest runs" vm_boot virt1 running
running=$vm
must "one is off" vm_create virt1 off
off=$vm
must "and one has a bridge that only virt1 has" vm_create virt1 stays guest.iso \
	'.nets = [{name: "br-here", nettype: 1, model: 0, mac: ""}]'
stays=$vm

host_of() { host_get "$1" "/vms/$2/runstate" | jq -r .host; }
cli() { # host argument...
	run_on "$1" "$VIRTX" -A "$(host_api "$1")" "${@:2}"
}

# A drained host is not where others go.
ok "virt3 has nothing to move" cli virt1 drain host virt3 --wait
is "its drain is complete" "$(host_get virt2 '/operations?all=true' | jq -r '.items[] | select(.kind == "drain") | .name + " " + .state')" "virt3 completed"
on virt1
not_ok "a move to it is refused" migrate "$off" virt3 0
is "for that reason" "$status $(field .code)" "503 drained"

on virt2
api POST '/hosts/virt1/drain?dry_run=true'
is "where each would go" "$(field '[.items[] | "\(.name):\(.host):\(.live)"] | sort | join(" ")')" \
	"off:virt2:false running:virt2:true stays::false"
like "and why one cannot" "$(field '.items[] | select(.name == "stays") | .detail')" 'br-here'
is "nothing was moved" "$(is_alone "$running" virt1 running && echo here)" here

beats_watch "$running"
cli virt2 drain host virt1 --wait --timeout 120s >"$work/out" 2>"$work/err"
is "not all can go" "$?" 1
beats_watched
like "the client says which and why" "$(cat "$work/err")" '^stays stays: .*br-here'
like "and how many" "$(cat "$work/err")" '1 of 3 VMs stay on host virt1: stays'
ok "the guest runs on virt2" wait_for 30 runs_once "$running" virt2
is "no beat of its heart is missing" "$beats_missing" 0
ok "what was off is there, off" wait_for 30 is_off_once "$off" virt2
ok "what stays is as it was" is_off_once "$stays" virt1
operation=$(host_get virt1 /operations | jq -r '[.items[] | select(.kind == "drain")][0].id')
is "the record, through a third host" "$(host_get virt3 "/operations/$operation" | jq -r '.state + " " + ([.left[].vm] | join(" "))')" "failed $stays"
on virt1
api POST "/vms/$stays/runstate/boot"
is "what stays can be booted" "$status" 204
api DELETE "/vms/$stays/runstate/boot" '{"force": 2}'
all_is_well "after a drain"

# Everybody may come back; what has moved does not do so by itself.
ok "undrain" cli virt3 undrain host virt1 virt3
is "virt2 still has both" "$(host_of virt1 "$running") $(host_of virt1 "$off")" "$(uuid_of virt2) $(uuid_of virt2)"

# A guest that would not come to an end: the daemon is killed in the middle of its move.
must "a guest that writes its memory all the time" vm_dirty virt2 dirty
dirty=$vm
on virt3
api POST /hosts/virt2/drain
is "a drain of virt2" "$status" 202
operation=$(field .id)
ok "is at it" wait_for 60 migrates virt2 "$dirty"
api POST /hosts/virt2/drain
is "asked for again it is the same" "$status $(field .id)" "202 $operation"
virtxd_restart virt2 KILL
ok "the daemon is back" virtxd_wait virt2
is "the mark is too" "$(host_get virt2 /hosts/virt2 | jq .drained)" true
is "the operation goes on under its id" "$(host_get virt2 "/operations/$operation" | jq -r .state)" running
virsh_on virt2 migrate-setspeed "$dirty" 1000
ok "and comes to its end" wait_for 180 has_ended virt2
is "with all gone" "$(operation_at virt2)" "completed  "
is "virt2 is empty" "$(virsh_on virt2 list --all --name | xargs)" ""
all_is_well "after a drain that was cut"

# Taken back in the middle.
from=$(defined "$dirty" | cut -d: -f1)
virsh_on "$from" migrate-setspeed "$dirty" 2
ok "virt2 may be used again" cli virt1 undrain host virt2
on virt1
api POST "/hosts/$from/drain"
operation=$(field .id)
ok "the next drain is at it" wait_for 60 migrates "$from" "$dirty"
api DELETE "/hosts/$from/drain"
is "undrain in the middle" "$status" 204
ok "ends it" wait_for 60 has_ended "$from"
is "as cancelled" "$(operation_at "$from" | cut -d' ' -f1,2)" "cancelled cancelled"
ok "the guest runs where it was" wait_for 30 runs_once "$dirty" "$from"
is "the host is not drained" "$(host_get virt1 "/hosts/$from" | jq .drained)" false
all_is_well "at the end"
tap_done
