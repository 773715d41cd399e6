#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SIGTERM in the middle of operations: nothing new begins, what can be cancelled is and leaves nothing, the
# rest ends, all within 30 s; what hangs is put right by the next start. VMs do not notice.
. tests/e2e/lib.sh
need_guests

# Programs that wait while a file is there: as long as it is, and no longer.
mkdir -p "$work/bin"
for program in qemu-img xorrisofs; do
	cat >"$work/bin/$program" <<-EOF
		#!/bin/bash
		if [ -e $work/$program.slow ]; then
			echo \$\$ >$work/$program.started
			while [ -e $work/$program.slow ]; do sleep 0.1; done
		fi
		exec $(command -v "$program") "\$@"
	EOF
	chmod 755 "$work/bin/$program"
done
export PATH=$work/bin:$PATH
slow() { rm -f "$work/$1.started" && touch "$work/$1.slow"; }
quick() { rm -f "$work/$1.slow"; }
started() { wait_for 20 test -s "$work/$1.started"; }

must "the daemon becomes ready" daemon_start
ds=$state/vms/ds
cp "$GUEST_CACHE/guest.iso" "$ds/guest.iso"
cp "$GUEST_CACHE/hello.raw" "$ds/hello.raw"
create_survivor() { create_vm < <(definition survivor 128 "$(disk guest.iso 1 2 0 0 0)"); }
create_web() { create_vm < <(definition web 32 "$(disk web/os.qcow2 0 0 1 1 8)"); }
create_cloud() { create_vm < <(definition cloud 32 "$(disk hello.raw 0 0 0 0 0)"); }
must "a VM that runs" create_survivor
survivor=$vm
api POST "/vms/$survivor/runstate/boot"
is "boot" "$status" 204
ok "its heart beats" wait_for 60 console_has "$survivor" 'heartbeat 1'
qemu=$(cat "$state"/qemu/run/qemu/[0-9a-f]*-*.pid)
must "a VM that is off" create_web
web=$vm
must "and one more" create_cloud
cloud=$vm

# All that is stored, with its contents.
stored() { (cd "$state/vms" && find . -type f -size -64k -exec md5sum {} + -o -printf '%p %y %i\n' | sort); }
before=$(stored)

ask() { # name method path json [header]
	curl -s -m 100 -o "$work/$1.body" -w '%{http_code}' -X "$2" -H 'Content-Type: application/json' ${5:+-H "$5"} \
		--data-binary "$4" "http://$server$3" >"$work/$1.status" &
	asked=$!
}
# SIGTERM now. Refuses at once; its end, status and duration.
ends_within() { # what seconds
	local since now
	since=$(date +%s%N)
	kill -TERM "$daemon_pid"
	refuses() { ! curl -s -m 2 -o "$work/refused" "http://$server/healthz"; }
	ok "$1: no more connections" wait_for 2 refuses
	wait "$daemon_pid"
	daemon_status=$?
	now=$((($(date +%s%N) - since) / 1000000))
	daemon_pid=
	mv "$work/daemon.log" "$work/daemon.$since.log"
	is "$1: it ends with 0" "$daemon_status" 0
	tap_result "$([ "$now" -le $(($2 * 1000)) ]; echo $?)" "$1: within $2 s" "$now ms"
}
nothing_runs() { is "$1: no work goes on" "$(pgrep -f "lease-run.*$state|$work/bin/" | wc -l)" 0; }
beats() { grep -ac heartbeat "$state/console/$survivor.log"; }
more_beats_than() { [ "$(beats)" -gt "$1" ]; }

vmdef() { jq -c '{vmdef: ., host: ""}' < <(definition new 32 "$(disk new/os.qcow2 0 0 1 2 8)" "[$(disk new/data.raw 0 0 1 1 4)]"); }
more() {
	api GET "/vms/$web"
	jq -c --argjson disk "$(disk web/more.qcow2 0 0 1 1 8)" '.def | .disks += [$disk] | {vmdef: ., deletestorage: false}' <<<"$body"
}
async='Prefer: respond-async'
for case in "create POST /vms" "update PUT /vms/$web"; do
	read -r kind method path <<<"$case"
	for how in waiting "$async"; do
		what="$kind (${how% *})"
		slow qemu-img
		json=$(if [ "$kind" = create ]; then vmdef; else more; fi)
		header=
		[ "$how" = waiting ] || header=$how
		ask long "$method" "$path" "$json" "$header"
		ok "$what: is at work" started qemu-img
		count=$(beats)
		ends_within "$what" 10
		wait "$asked"
		if [ "$how" = waiting ]; then
			is "$what: its client hears it" "$(cat "$work/long.status") $(jq -r .code "$work/long.body")" '503 cancelled'
		else
			is "$what: was accepted" "$(cat "$work/long.status")" 202
		fi
		is "$what: nothing is left, nothing is lost" "$(stored)" "$before"
		nothing_runs "$what"
		quick qemu-img
		is "$what: it is recorded" "$(jq -r '.items[0] | "\(.kind) \(.state)"' "$state/operations.json")" "$kind cancelled"
		ok "$what: the VM beats on" wait_for 30 more_beats_than "$count"
		must "$what: the daemon comes back" daemon_start
		is "$what: there is nothing to settle" "$(grep -c 'interrupted operation' "$work/daemon.log")" 0
		ok "$what: the VM runs" runstate_is "$survivor" 4
	done
done
is "it is the same QEMU" "$(cat "$state/qemu/run/qemu/$survivor.pid")" "$qemu"

# A program that is stopped is killed all the same.
slow qemu-img
ask long POST /vms "$(vmdef)"
ok "a create" started qemu-img
kill -STOP "$(cat "$work/qemu-img.started")"
ends_within "a stopped qemu-img" 10
is "nothing is left" "$(stored)" "$before"
nothing_runs "a stopped qemu-img"
quick qemu-img
must "the daemon comes back" daemon_start

# What cannot be cancelled ends: a boot whose seed is being built, a delete.
ci='{"cloud_init":[{"name":"ci-userdata","value":"#cloud-config\n"}]}'
slow xorrisofs
ask long POST "/vms/$cloud/runstate/boot" "$ci"
ok "a boot" started xorrisofs
(wait_for 2 false; quick xorrisofs) &
later=$!
ends_within "a boot" 30
wait "$asked" "$later"
is "it has booted" "$(cat "$work/long.status")" 204
is "no intent is left" "$(find "$state/vms/xml" -name '*.intent')" ""
must "the daemon comes back" daemon_start
ok "and finds it running" runstate_is "$cloud" 4
api DELETE "/vms/$cloud/runstate/boot" '{"force":2}'
is "stop" "$status" 204
rm -r "$ds/ci"
is "all is as it was" "$(stored)" "$before"

# What hangs, too: the daemon does not wait for ever, and the next start puts it right.
slow xorrisofs
ask long POST "/vms/$cloud/runstate/boot" "$ci"
ok "a boot that hangs" started xorrisofs
kill -STOP "$(cat "$work/xorrisofs.started")"
ends_within "a boot that hangs" 30
wait "$asked"
like "it says so" "$(cat "$work"/daemon.*.log)" 'stopped in the middle of operations.*operations=1'
nothing_runs "a boot that hangs"
quick xorrisofs
must "the daemon comes back" daemon_start
like "it says what it settled" "$(cat "$work/daemon.log")" "interrupted operation settled.*$cloud.*boot taken back"
ok "the VM is off" runstate_is "$cloud" 2
rmdir "$ds/ci" 2>/dev/null
is "all is as it was" "$(stored)" "$before"
ok "the other VM runs" runstate_is "$survivor" 4
is "in the same QEMU" "$(cat "$state/qemu/run/qemu/$survivor.pid")" "$qemu"

# A delete under way when the signal comes is completed, or was refused.
ask long DELETE "/vms/$web" '{"deletestorage":true}'
kill -TERM "$daemon_pid"
wait "$daemon_pid"
is "it ends with 0" "$?" 0
daemon_pid=
wait "$asked"
mv "$work/daemon.log" "$work/daemon.last.log"
must "the daemon comes back" daemon_start
api GET "/vms/$web"
if [ "$(cat "$work/long.status")" = 204 ]; then
	is "a delete that was answered is done" "$status $(ls -d "$ds/web" 2>/dev/null)" '404 '
else
	is "a delete that was refused has done nothing" "$status $(stored)" "200 $before"
fi
daemon_stop
is "it ends with 0" "$daemon_status" 0
tap_done
