#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Migrations that are refused before anything begins: each condition is made real on one of three hosts, the
# answer says why and which host, and the VM can go once it is gone.
. tests/e2e/lib.sh
. tests/e2e/hosts.sh
[ "$(id -u)" -eq 0 ] || skip_all "needs root: namespaces and the system's libvirt"
need_guests

must "three hosts" hosts_up 3
must "a guest on virt1" vm_boot virt1 web
web=$vm
must "a VM that is off" vm_create virt1 off
off=$vm

refused() { # what vm target type status code words
	on virt1
	migrate "$2" "$3" "$4"
	is "$1: refused" "$status $(field .code)" "$5 $6"
	like "$1: it says why" "$(field '.detail + " " + .hint')" "$7"
	[[ $status != 202 ]] || wait_for 60 has_ended virt1
}
# The same by a dry run to all: what is wrong with virt3, while virt2 could have it.
dry_refused() { # what vm type code words
	api POST "/vms/$2/runstate/migrate?dry_run=true" "{\"migration_type\":$3}"
	is "$1: a dry run finds it" "$status $(field '.hosts[] | select(.host == "virt3") | "\(.ok) \(.code)"')" "200 false $4"
	like "$1: and why" "$(field '.hosts[] | select(.host == "virt3") | .detail')" "$5"
	is "$1: virt2 fits" "$(field '"\(.host) \(.hosts[] | select(.host == "virt2") | .ok)"')" "virt2 true"
}
could() { # vm type
	on virt1
	api POST "/vms/$1/runstate/migrate?dry_run=true" "{\"host\":\"virt3\",\"migration_type\":$2}"
	[ "$status $(field '.hosts[0].ok')" = "200 true" ]
}

# What virt1 knows by itself.
refused "an unknown VM" nobody virt2 1 404 not-found nobody
refused "an unknown host" "$web" virt9 1 500 internal virt9
refused "the same host" "$web" virt1 1 422 wrong-state 'virt1'
refused "the same by its UUID" "$web" "$(uuid_of virt1)" 1 422 wrong-state 'already'
refused "live, but off" "$off" virt2 1 422 wrong-state 'off.*poweroff.*running or paused'
refused "cold, but running" "$web" virt2 0 422 wrong-state 'web.*running.*poweroff'
refused "an unknown kind" "$web" virt2 7 400 invalid migration_type

# A bridge.
for host in virt1 virt2; do run_on "$host" ip link add br-guest type bridge; done
net='.nets = [{name: "br-guest", nettype: 1, model: 0, mac: "52:54:00:12:34:56"}]'
must "a VM at a bridge" vm_create virt1 bridged guest.iso "$net"
bridged=$vm
refused "no such bridge there" "$bridged" virt3 0 422 unsupported 'br-guest.*virt3|virt3.*br-guest'
dry_refused "no such bridge there" "$bridged" 0 unsupported 'br-guest'
run_on virt3 ip link add br-guest type bridge
ok "with the bridge it could go" could "$bridged" 0
# Its MAC.
must "a VM on virt3 with the same MAC" vm_create virt3 twin guest.iso "$net"
refused "its MAC is another's there" "$bridged" virt3 0 409 exists '52:54:00:12:34:56'
on virt3
api DELETE "/vms/$vm" '{"deletestorage":true}'
ok "without that it could go" wait_for 20 could "$bridged" 0
# A libvirt network.
virsh_on virt1 net-define <(echo '<network><name>lan</name><bridge name="br-lan"/></network>') >/dev/null
virsh_on virt1 net-start lan >/dev/null
must "a VM in a network" vm_create virt1 netted guest.iso '.nets = [{name: "lan", nettype: 0, model: 0, mac: ""}]'
refused "no such network there" "$vm" virt3 0 422 unsupported 'lan'
virsh_on virt3 net-define <(echo '<network><name>lan</name><bridge name="br-lan"/></network>') >/dev/null
refused "a network that is off there" "$vm" virt3 0 422 unsupported 'lan'
virsh_on virt3 net-start lan >/dev/null
ok "with the network it could go" could "$vm" 0

# An image that virt3 does not see.
mkdir "$vms/ds/hidden"
must "a VM with an image in a folder" vm_create virt1 hidden guest.iso '.osdisk.path = "hidden/os.qcow2"'
hidden=$vm
run_on virt3 mount -t tmpfs tmpfs "$vms/ds/hidden"
refused "no such image there" "$hidden" virt3 0 507 storage 'hidden/os.qcow2'
dry_refused "no such image there" "$hidden" 0 storage 'hidden/os.qcow2'
run_on virt3 umount "$vms/ds/hidden"
ok "with it it could go" could "$hidden" 0

# Memory. Other suites need some too, so a GiB more or less must not matter.
must "a VM that needs 3 GiB" vm_create virt1 big guest.iso '.memory.total = 3072'
big=$vm
api POST "/vms/$big/runstate/migrate?dry_run=true" '{"host":"virt3","migration_type":0}'
free=$(field '.hosts[0].memoryavailable')
must "a VM that takes nearly all of virt3" vm_create virt3 fat guest.iso ".memory.total = $((free - 1536))"
fat=$vm
refused "no memory there" "$big" virt3 0 422 capacity 'MiB'
dry_refused "no memory there" "$big" 0 capacity 'MiB'
on virt3
api DELETE "/vms/$fat" '{"deletestorage":true}'
ok "with it it could go" wait_for 20 could "$big" 0
on virt1
api DELETE "/vms/$big" '{"deletestorage":true}'
is "it is deleted" "$status" 204

# It is there already, by somebody's doing.
virsh_on virt1 dumpxml --inactive "$off" >"$work/off.xml"
ok "somebody defines it there" virsh_on virt3 define "$work/off.xml"
on virt1
api POST "/vms/$off/runstate/migrate?dry_run=true" '{"host":"virt3","migration_type":0}'
is "it is there already" "$status $(field '.hosts[0] | "\(.ok) \(.code)"')" "200 false exists"
virsh_on virt3 undefine "$off" >/dev/null 2>&1 # its owner's check may have been faster
ok "when it is not it could go" wait_for 20 could "$off" 0

# Parts of virt3 are away.
drained() { host_get virt1 /hosts/virt3 | jq -e .drained; }
on virt1
api POST /hosts/virt3/drain
ok "virt3 is drained" wait_for 20 drained
refused "a drained host" "$web" virt3 1 503 drained 'virt3'
migrate "$web" "$(uuid_of virt3)" 1
isnt() { tap_result "$([ "$2" != "$3" ]; echo $?)" "$1" "got: $2"; }
isnt "though named by UUID" "$status" 202
api DELETE /hosts/virt3/drain
ok "when it is not it could go" wait_for 20 could "$web" 1

host_libvirtd_kill virt3
ok "libvirtd of virt3 is away" wait_for 20 not_ready virt3
refused "no libvirt there" "$web" virt3 1 503 unavailable 'virt3.*libvirt|libvirt.*virt3'
dry_refused "no libvirt there" "$web" 1 unavailable 'libvirt'
ok "libvirtd starts again" libvirtd_on virt3 --listen
ok "with it it could go" wait_for 30 could "$web" 1

sanlock_kill virt3
ok "sanlock of virt3 is away" wait_for 20 not_ready virt3
refused "no lockspace there" "$web" virt3 1 503 unavailable 'sanlock|lockspace'
ok "sanlock starts again" sanlock_start virt3
ok "with it it could go" wait_for 60 could "$web" 1

virtxd_stop virt3 KILL
refused "no virtxd there" "$web" virt3 1 502 forward 'virt3'
dry_refused "no virtxd there" "$web" 1 forward 'refused|reach'
host_virtxd virt3
ok "virtxd is back" virtxd_wait virt3
ok "with it it could go" wait_for 30 could "$web" 1

host_kill virt3
has_failed() { [ "$(host_get virt1 "/hosts?name=virt3" | jq .items[0].fields.cstate)" = 3 ]; }
ok "virt3 is dead" wait_for 30 has_failed
refused "a dead host" "$web" virt3 1 503 unavailable 'virt3.*failed'

# Nobody fits.
on virt1
api POST /hosts/virt2/drain
drained() { host_get virt1 /hosts/virt2 | jq -e .drained; }
ok "virt2 is drained" wait_for 20 drained
migrate "$web" "" 1
like "no host fits" "$status $(field .code)" '^(422|503) '
like "and it says so" "$(field '.detail + .hint')" 'host'
api POST "/vms/$web/runstate/migrate?dry_run=true" '{"migration_type":1}'
is "a dry run too" "$status $(field .host)" "200 "
api DELETE /hosts/virt2/drain

is "nothing was begun" "$(host_get virt1 /operations | jq '[.items[] | select(.kind == "migrate" and .state == "running")] | length')" 0
is "no intent stays" "$(find "$vms/xml" -name '*.intent')" ""
ok "the guest has not noticed" runs_once "$web" virt1
all_is_well "at the end"
tap_done
