#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A host with libvirtd: the same API, and libvirtd killed and started again beneath it.
. tests/e2e/lib.sh
. tests/e2e/libvirtd.sh
need_guests
vms=$work/vms
mkdir -p "$vms"
: >"$work/empty.conf"
must "libvirtd starts" libvirtd_start

start_here() {
	"$VIRTX" virtxd --config "$work/empty.conf" --libvirt-uri "$(libvirtd_uri)" --vms-dir "$vms" --state-dir "$state" \
		--lock-manager local --virt-type qemu --listen 127.0.0.1:0 "$@" >>"$work/daemon.log" 2>&1 &
	daemon_pid=$!
}

refused() {
	start_here
	wait "$daemon_pid"
	[ $? -eq 1 ]
}
ok "an empty /vms without marker is refused" refused
daemon_pid=
like "and says what to do" "$(cat "$work/daemon.log")" 'init-cluster'
is "nothing was made in it" "$(ls -A "$vms")" ""
ok "a cluster is made on purpose" "$VIRTX" virtxd --config "$work/empty.conf" --vms-dir "$vms" --init-cluster
ok "twice does no harm" "$VIRTX" virtxd --config "$work/empty.conf" --vms-dir "$vms" --init-cluster
ok "the marker is there" test -s "$vms/.virtx-cluster"
rm "$work/daemon.log"
start_here
must "the daemon becomes ready" daemon_wait_ready
cp "$GUEST_CACHE/guest.iso" "$vms/ds/guest.iso"
uri=$(libvirtd_uri)

create() {
	create_vm < <(definition served 128 "$(disk served/os.qcow2 0 0 1 1 64)" "[$(disk guest.iso 1 2 0 0 0)]")
}
must "create" create
like "virsh sees it" "$(virsh -q -c "$uri" list --all --title)" "$vm .*served"
is "GET xml is what libvirt has" "$(curl -s "http://$server/vms/$vm/xml" | head -c 7)" "<domain"
api POST "/vms/$vm/runstate/boot"
is "boot" "$status" 204
ok "the guest runs" wait_for 60 console_has "$vm" 'virtx-guest: ready'

# Behind our back.
virsh -q -c "$uri" suspend "$vm" >/dev/null
ok "a pause by virsh is seen through events" wait_for 5 runstate_is "$vm" 5
virsh -q -c "$uri" resume "$vm" >/dev/null
ok "so is the resume" wait_for 5 runstate_is "$vm" 4
cat >"$work/foreign.xml" <<-'EOF'
	<domain type="qemu"><name>foreign</name><memory unit="MiB">16</memory><vcpu>1</vcpu>
	<os><type arch="x86_64">hvm</type></os></domain>
EOF
virsh -q -c "$uri" define "$work/foreign.xml" >/dev/null
foreign_listed() {
	api GET '/vms?name=foreign'
	[ "$(field '.items | length')" = 1 ]
}
ok "a foreign domain is listed" wait_for 10 foreign_listed
foreign=$(field '.items[0].uuid')
api GET "/vms/$foreign"
is "and marked" "$(field .foreign)" true
api DELETE "/vms/$foreign" '{"deletestorage":true}'
is "and safe from us" "$status" 422
ok "still there" virsh -q -c "$uri" domuuid foreign

# libvirtd dies.
libvirtd_kill KILL
not_ready() { [ "$(curl -s -o /dev/null -w '%{http_code}' "http://$server/readyz")" = 503 ]; }
ok "readyz says so" wait_for 30 not_ready
api GET /healthz
is "the daemon is healthy all the same" "$status" 200
api GET '/vms?name=served'
is "the list is still there" "$(field '.items | length')" 1
api POST "/vms/$vm/runstate/pause"
is "an operation is refused for now" "$status" 503
like "with the reason" "$(field .detail)" 'libvirt'
ok "libvirtd comes back" libvirtd_run
is_ready() { [ "$(curl -s -o /dev/null -w '%{http_code}' "http://$server/readyz")" = 200 ]; }
ok "the daemon finds it by itself" wait_for 20 is_ready
api POST "/vms/$vm/runstate/pause"
is "and works on" "$status" 204
api DELETE "/vms/$vm/runstate/boot" '{"force":2}'
is "stop" "$status" 204

# The register brings back what libvirt lost.
virsh -q -c "$uri" undefine "$vm" >/dev/null
gone() {
	api GET "/vms/$vm"
	[ "$status" = 404 ]
}
ok "a VM undefined behind our back is gone" wait_for 10 gone
api PUT "/vms/$vm/register" '{"host":""}'
is "register defines it again" "$status" 201
api PUT "/vms/$vm/register" '{"host":""}'
is "register of a known VM" "$status" 200
api GET "/vms/$vm"
is "its definition is whole" "$(field '.def | .name + " " + (.osdisk.size|tostring)')" "served 64"
api DELETE "/vms/$vm" '{"deletestorage":true}'
is "delete" "$status" 204
daemon_stop TERM
is "SIGTERM ends it with 0" "$daemon_status" 0
tap_done
