#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A sanlock that runs but does not answer (SIGSTOP), in the middle of everything that asks it: reads are
# answered, changes end with the reason, and all goes on by itself once it does.
. tests/e2e/lib.sh
. tests/e2e/libvirtd.sh
. tests/e2e/sanlock.sh
[ "$(id -u)" -eq 0 ] || skip_all "needs root: mount namespaces and the system's libvirt"
need_guests
bound=40 # s, for every change; a start that libvirt waits for: two minutes more

slow_qemu_img

must "namespaces" host_make virt1
must "sanlock" sanlock_start virt1
# For later: libvirt's hook stops sanlock when a guest starts while the file stop is there.
mkdir -p "$work/virt1/etc/hooks"
cat >"$work/virt1/etc/hooks/qemu" <<EOF
#!/bin/bash
[ "\$2" != start ] || [ ! -e $work/stop ] || kill -STOP ${sanlock_pid[virt1]}
exit 0
EOF
chmod 755 "$work/virt1/etc/hooks/qemu"
must "libvirtd" libvirtd_on virt1
ok "a cluster is made" "$VIRTX" virtxd --config "$work/virt1/empty.conf" --vms-dir "$vms" --init-cluster
lock=$vms/lock
hang() { kill -STOP "${sanlock_pid[virt1]}"; }
go_on() { kill -CONT "${sanlock_pid[virt1]}"; }
cleanup_hooks=(go_on "${cleanup_hooks[@]}")
says() { grep -Eq -- "$1" "$work/virt1/daemon.log"; }
ends() { ! kill -0 "${virtxd_pid[virt1]}" 2>/dev/null; }

# At the start.
hang
virtxd_run virt1
ok "the start waits for sanlock and says so" wait_for 30 says 'waiting.*lockspace.*sanlock does not answer'
since=$(date +%s)
virtxd_stop virt1 TERM
is "SIGTERM ends it with 0" "$daemon_status" 0
tap_result "$([ $(($(date +%s) - since)) -le 10 ]; echo $?)" "soon"
virtxd_run virt1
ok "it waits again" wait_for 30 says 'waiting.*lockspace.*sanlock does not answer'
go_on
must "once sanlock goes on it is ready" virtxd_wait virt1
on virt1
host=$(uuid_of virt1)
lockid=$(cat "$vms/xml/$host/lockid")

cp "$GUEST_CACHE/guest.iso" "$vms/ds/guest.iso"
define() { definition "$1" 128 "$(disk "$1/os.qcow2" 0 0 1 1 16)" "[$(disk guest.iso 1 2 0 0 0)]"; }
create() { create_vm < <(define "$1"); }
must "create" create web
web=$vm

# Every read within a second; what only libvirt knows may be unavailable.
reads() {
	local path took code slow=
	for path in /vms "/vms/$web" "/vms/$web/runstate" "/vms/$web/xml" /hosts "/hosts/$host" /operations /healthz /readyz /version; do
		read -r code took < <(curl -s -m 20 -o "$work/read" -w '%{http_code} %{time_total}\n' "http://$server$path")
		awk -v took="$took" 'BEGIN {exit took < 1}' && slow+="$path took $took s; "
		[[ $code = 200 || $code$path =~ ^503.*(/readyz|/xml)$ ]] || slow+="$path: $code $(cat "$work/read")"
	done
	is "reads $1: within 1 s" "$slow" ""
}
# A request in the background: its status, then its seconds, in $work/NAME.
ask() { # name method path json
	curl -s -m 300 -o "$work/$1.body" -w '%{http_code} %{time_total}' -X "$2" -H 'Content-Type: application/json' \
		--data-binary "$4" "http://$server$3" >"$work/$1" &
	asked[$1]=$!
}
declare -A asked
# What became of it: a clear failure in time.
failed_in() { # name what seconds regex
	wait "${asked[$1]}"
	local code took
	read -r code took <"$work/$1"
	tap_result "$([ "$code" -ge 400 ]; echo $?)" "$2 ends with an error" "$code $(cat "$work/$1.body")"
	tap_result "$(awk -v took="$took" -v most="$3" 'BEGIN {exit !(took < most)}'; echo $?)" "$2: within $3 s" "$took s"
	like "$2: why" "$(jq -r .detail "$work/$1.body")" "$4"
}
body_of() { define "$1" | jq -c '{vmdef: ., host: ""}'; }
nothing_left() { # of name
	[ -z "$(find "$vms/xml" -name '*.intent')$(ls -d "$vms/ds/$1" 2>/dev/null)$(find "$lock" -name '*-tmp*')" ] &&
		[ "$(find "$lock" -type f | wc -l)" = 3 ]
}
lockid_is() {
	api GET "/hosts/$host"
	[ "$(field .lockid)" = "$1" ]
}

# At rest: create, boot, delete and update reach a sanlock that has just stopped to answer.
ok "lockid" wait_for 20 lockid_is "$lockid"
hang
ask create POST /vms "$(body_of lost)"
ask boot POST "/vms/$web/runstate/boot" '{}'
reads "at once"
ok "readyz says so" wait_for 15 not_ready virt1
like "why" "$(curl -s "http://$server/readyz")" 'lockspace: .*sanlock does not answer'
reads "meanwhile"
failed_in create "a create" $bound 'sanlock does not answer'
failed_in boot "a boot" $bound 'sanlock does not answer'
ok "lockid is 0 now" wait_for 20 lockid_is 0
for call in "POST /vms $(body_of lost)" "POST /vms/$web/runstate/boot {}" "DELETE /vms/$web {\"deletestorage\":true}"; do
	read -r method path json <<<"$call"
	ask again "$method" "$path" "$json"
	failed_in again "$method $path" 2 'sanlock does not answer'
done
is "no work is left" "$(pgrep -P "${virtxd_pid[virt1]}" -a | grep -c lease-run)" 0
go_on
ok "sanlock goes on: ready within 20 s" wait_for 20 virtxd_is_ready virt1
ok "lockid is back" wait_for 20 lockid_is "$lockid"
ok "what was cut is cleared away" wait_for 20 nothing_left lost
ok "the VM is as it was" runstate_is "$web" 2

# In the middle of a provisioning that is cancelled then.
touch "$work/slow"
ask provision POST /vms "$(body_of slow)"
ok "a long provisioning" wait_for 30 test -e "$work/slow.started"
hang
ok "readyz" wait_for 15 not_ready virt1
reads "during it"
api GET /operations
operation=$(field '.items[] | select(.state == "running").id')
api DELETE "/operations/$operation"
rm -f "$work/slow"
failed_in provision "the cancelled create" $bound 'cancelled'
is "its work has ended" "$(pgrep -P "${virtxd_pid[virt1]}" -a | grep -c lease-run)" 0
go_on
ok "ready again" wait_for 20 virtxd_is_ready virt1
ok "what it made is cleared away" wait_for 20 nothing_left slow

# Inside libvirt, which takes the leases when the guest is to run.
touch "$work/stop"
ask boot POST "/vms/$web/runstate/boot" '{}'
ok "sanlock hangs in a boot" wait_for 20 not_ready virt1
rm "$work/stop"
reads "during a boot that hangs"
failed_in boot "that boot" $((bound + 120)) 'no answer within|sanlock'
reads "after it"
go_on
ok "ready again" wait_for 60 virtxd_is_ready virt1
# sanlock may find that it was away for too long, and take everything back.
settled() {
	local state
	state=$(virsh -q -c "$(host_uri virt1)" domstate "$web")
	{ [ "$state" = running ] && runstate_is "$web" 4; } || { [ "$state" = "shut off" ] && runstate_is "$web" 2; }
}
boots() {
	api POST "/vms/$web/runstate/boot"
	[ "$status" = 204 ] || runstate_is "$web" 4
}
ok "the VM is shown as it is" wait_for 60 settled
ok "and boots, unless it has" wait_for 60 boots
api DELETE "/vms/$web/runstate/boot" '{"force":2}'
is "it can be stopped" "$status" 204

# The daemon ends while a change waits for it.
hang
ask create POST /vms "$(body_of lost)"
reads "once more"
since=$(date +%s)
virtxd_stop virt1 TERM
is "SIGTERM ends it with 0" "$daemon_status" 0
tap_result "$([ $(($(date +%s) - since)) -le 30 ]; echo $?)" "within 30 s" "$(($(date +%s) - since)) s"
wait "${asked[create]}"
go_on
virtxd_run virt1
must "it comes back" virtxd_wait virt1
ok "nothing is left" wait_for 20 nothing_left lost
# sanlock, which has just noticed that it was away, may lose the lockspace in the middle of this: then the
# rest is removed when it is back.
api DELETE "/vms/$web" '{"deletestorage":true}'
like "delete" "$status" '^20[04]$'
deleted() { [ -z "$(ls -d "$vms/ds/web" 2>/dev/null)$(find "$vms/xml" -name '*.intent')" ] && [ "$(find "$lock" -type f | wc -l)" = 1 ]; }
ok "all of it is gone" wait_for 100 deleted
virtxd_stop virt1 TERM
is "it ends with 0" "$daemon_status" 0
tap_done
