#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The daemon goes and comes back, in order and by force; the guest does not notice.
. tests/e2e/lib.sh
need_guests
must "the daemon becomes ready" daemon_start
mkdir -p "$state/vms/ds"
cp "$GUEST_CACHE/guest.iso" "$state/vms/ds/guest.iso"
create() {
	create_vm < <(definition survivor 128 "$(disk guest.iso 1 2 0 0 0)")
}
must "create" create
api POST "/vms/$vm/runstate/boot"
is "boot" "$status" 204
ok "the heart beats" wait_for 60 console_has "$vm" 'heartbeat 2'
beats() { grep -ac heartbeat "$state/console/$vm.log"; }
more_beats_than() { [ "$(beats)" -gt "$1" ]; }
qemu=$(cat "$state"/qemu/run/qemu/[0-9a-f]*-*.pid)

for signal in TERM KILL; do
	daemon_stop $signal
	before=$(beats)
	ok "after SIG$signal the heart beats on without a daemon" wait_for 30 more_beats_than $((before + 1))
	ok "the daemon comes back" daemon_start
	ok "and finds the VM running" runstate_is "$vm" 4
	is "the same QEMU" "$(cat "$state"/qemu/run/qemu/[0-9a-f]*-*.pid)" "$qemu"
	ok "its console goes on" console_has "$vm" "heartbeat $((before + 1))"
done

second() { # a second daemon on the same state
	timeout 20 "$VIRTX" virtxd --standalone --state-dir "$state" --listen 127.0.0.1:0 2>"$work/second.log"
	[ $? -eq 1 ]
}
ok "a second daemon on the same state is refused" second
like "and says who has it" "$(cat "$work/second.log")" "$daemon_pid"
used_port() {
	timeout 20 "$VIRTX" virtxd --standalone --state-dir "$work/other" --listen "$server" --virt-type qemu 2>"$work/port.log"
	[ $? -eq 1 ]
}
ok "a used port is an error" used_port
like "and says which" "$(cat "$work/port.log")" "$server.*[Aa]ddress already in use"

# The storage goes: what needs it is refused at once, all else goes on.
is_ready() { api GET /readyz && [ "$status" = "$1" ]; }
mv "$state/vms/.virtx-cluster" "$work/marker"
ok "without its storage the daemon is not ready" wait_for 15 is_ready 503
like "and says why" "$(field .detail)" "storage $state/vms"
api POST /vms "$(definition refused 32 "$(disk guest.iso 1 2 0 0 0)" | jq -c '{vmdef: .}')"
is "nothing is created" "$status $(field .code)" '503 unavailable'
api DELETE "/vms/$vm"
is "nothing is deleted" "$status" 503
api POST "/vms/$vm/runstate/pause"
is "a VM that runs can be paused" "$status" 204
api DELETE "/vms/$vm/runstate/pause"
is "and resumed" "$status" 204
api GET "/vms/$vm"
is "and is shown" "$status" 200
mv "$work/marker" "$state/vms/.virtx-cluster"
ok "with its storage it is ready again" wait_for 15 is_ready 200

# Gone while nobody looked, with a shutdown asked for: its log is ended at the next start.
create_asked() { create_vm < <(definition asked 32 "$(disk hello.raw 0 0 0 0 0)"); }
cp "$GUEST_CACHE/hello.raw" "$state/vms/ds/"
survivor=$vm
ok "another VM, which does not answer ACPI" create_asked
asked=$vm
vm=$survivor
api POST "/vms/$asked/runstate/boot"
api DELETE "/vms/$asked/runstate/boot" '{"force":0}'
is "a shutdown that it does not answer" "$status" 202
asked_qemu=$(cat "$state/qemu/run/qemu/$asked.pid")
daemon_stop KILL
kill -9 "$asked_qemu"
ok "the daemon comes back again" daemon_start
api GET "/vms/$asked"
is "the VM crashed" "$(field .runinfo.runstate)" 9
like "and its shutdown has ended" "$(field '.stats.oplog.items[] | select(.op == "VmShutdown") | "\(.te) \(.status) \(.msg)"')" \
	'^[0-9]{13} failed shutdown force=0\. crashed$'
api DELETE "/vms/$asked"
is "it can be deleted" "$status" 204

# SIGHUP: good and bad configuration.
api POST "/vms/$vm/runstate/pause"
is "the VM can be paused after all that" "$status" 204
api DELETE "/vms/$vm/runstate/boot" '{"force":2}'
is "and stopped" "$status" 204
api DELETE "/vms/$vm" '{"deletestorage":true}'
is "and deleted" "$status" 204
ok "an unmanaged image stays" test -f "$state/vms/ds/guest.iso"
daemon_stop INT
is "SIGINT ends it with 0" "$daemon_status" 0
tap_done
