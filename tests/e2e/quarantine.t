#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What should not lie on the storage or in the state directory: the daemon starts, names it and what to do,
# leaves the VM concerned alone, and serves everything else. Nothing is read without bound, nothing waited for.
. tests/e2e/lib.sh
must "the daemon becomes ready" daemon_start
ds=$state/vms/ds
lock=$state/vms/lock
host=$(curl -s "http://$server/hosts" | jq -r '.items[0].uuid')
register=$state/vms/xml/$host
create() { create_vm < <(definition "$1" 32 "$(disk "$1/os.qcow2" 0 0 1 1 8)"); }
must "create web" create web
web=$vm
must "create db" create db
db=$vm
key() { printf %s "$1" | md5sum | head -c 32; }
disk_lease=$lock/$(key web/os.qcow2)/$(key web/os.qcow2)
vm_lease=$lock/vm-$web/vm-$web
entry=$register/$web.xml
intent=$register/$web.intent
keep=$work/keep

restart() {
	daemon_stop TERM
	is "$1: it ends in order" "$daemon_status" 0
	since=$(date +%s%N)
	ok "$1: the daemon starts" daemon_start
	tap_result "$([ $((($(date +%s%N) - since) / 1000000000)) -lt 20 ]; echo $?)" "$1: soon"
	tap_result "$([ "$(awk '/^VmHWM/ {print $2}' "/proc/$daemon_pid/status")" -lt 200000 ]; echo $?)" "$1: little memory"
}
# Everything else goes on: the other VM can be changed and started, a third made.
others_work() {
	api GET "/vms/$db"
	api PUT "/vms/$db" "$(jq -c --arg title "$1" '.def | .custom = [{name: "case", value: ($title | gsub("[^A-Za-z0-9]"; "_"))}] | {vmdef: ., deletestorage: false}' <<<"$body")"
	is "$1: another VM can be changed" "$status $(field .detail 2>/dev/null)" "204 "
	ok "$1: another VM can be made" create other
	api DELETE "/vms/$vm" '{"deletestorage":true}'
	is "$1: and deleted" "$status" 204
	api GET /vms
	is "$1: all are listed" "$(field '[.items[].fields.name] | sort | join(" ")')" "db web"
}
left_alone() { # what regex
	api POST "/vms/$web/runstate/boot"
	tap_result "$([ "$status" -ge 400 ]; echo $?)" "$1: the VM is not started" "$status"
	like "$1: why" "$(field .detail)" "$2"
	ok "$1: it is off" runstate_is "$web" 2
	api GET "/vms/$web"
	api PUT "/vms/$web" "$(jq -c '.def | .memory.total = 48 | {vmdef: ., deletestorage: false}' <<<"$body")"
	tap_result "$([ "$status" -ge 400 ]; echo $?)" "$1: nor changed" "$status"
	like "$1: why" "$(field .detail)" "$2"
}
is_named() { like "$1: it is named in the log, with what to do" "$(grep "$web" "$work/daemon.log" | head -n 3)" "$2"; }
fsck_finds() { # what
	local status
	"$VIRTX" fsck --standalone --state-dir "$state" >"$work/fsck.out" 2>&1
	status=$?
	tap_result "$([ "$status" -ne 0 ]; echo $?)" "$1: virtx fsck finds it" "$(cat "$work/fsck.out")"
}

# Puts one of these in place of a file.
put() { # kind file
	rm -rf "$2"
	case $1 in
	empty) : >"$2" ;;
	truncated) head -c 700 "$keep" >"$2" ;;
	garbage) echo 'Lorem ipsum dolor' >"$2" ;;
	binary) head -c 5000 /dev/urandom >"$2" ;;
	huge) head -c 10485760 /dev/zero >"$2" ;;
	endless) truncate -s 1T "$2" ;;
	fifo) mkfifo "$2" ;;
	link) ln -s /dev/zero "$2" ;;
	folder) mkdir "$2" ;;
	esac
}

# Register entries.
cp "$entry" "$keep"
for kind in empty truncated garbage binary huge endless fifo link folder other; do
	what="entry: $kind"
	if [ "$kind" = other ]; then cp "$register/$db.xml" "$entry"; else put "$kind" "$entry"; fi
	restart "$what"
	is_named "$what" "register entry of VM $web.*hint=.*PUT /vms/$web/register"
	left_alone "$what" "register entry of VM $web"
	others_work "$what"
	case $kind in huge | fifo | other) fsck_finds "$what" ;; esac
	[ "$kind" != folder ] || rmdir "$entry"
	api PUT "/vms/$web/register" '{"host":""}'
	like "$what: what was said helps" "$status $(field .detail 2>/dev/null)" '^20[01] '
	cmp -s "$entry" "$keep" || cp "$entry" "$keep"
done
api POST "/vms/$web/runstate/boot"
is "the VM can be started" "$status" 204
api DELETE "/vms/$web/runstate/boot" '{"force":2}'

# Leases: the owner's sector, and what is no lease.
lvb() { dd of="$1" bs=512 seek=2002 count=1 conv=notrunc,sync status=none; }
for lease in "$disk_lease" "$vm_lease"; do
	name=$([ "$lease" = "$vm_lease" ] && echo "own lease" || echo "disk's lease")
	cp "$lease" "$keep"
	for kind in empty truncated garbage binary fifo link folder other; do
		what="$name: $kind"
		case $kind in
		truncated) put truncated "$lease" ;;
		garbage) head -c 512 /dev/urandom | lvb "$lease" ;;
		other) printf %s "$db" | lvb "$lease" ;;
		*) put "$kind" "$lease" ;;
		esac
		restart "$what"
		is_named "$what" "reason=.*hint="
		left_alone "$what" 'lease|lock/|belongs to VM db'
		others_work "$what"
		case $kind in garbage | other) fsck_finds "$what" ;; esac
		rm -rf "$lease"
		cp "$keep" "$lease"
	done
done
api POST "/vms/$web/runstate/boot"
is "with its leases the VM can be started" "$status $(field .detail 2>/dev/null)" "204 "
api DELETE "/vms/$web/runstate/boot" '{"force":2}'

# Intents: put aside; the VM is as it was.
for kind in empty garbage binary huge fifo link folder; do
	what="intent: $kind"
	put "$kind" "$intent"
	restart "$what"
	is_named "$what" 'intent is set aside'
	ok "$what: it is kept" test -e "$intent.bad" -o -L "$intent.bad"
	not_ok "$what: but not in the way" test -e "$intent"
	api POST "/vms/$web/runstate/boot"
	is "$what: the VM can be started" "$status" 204
	api DELETE "/vms/$web/runstate/boot" '{"force":2}'
	others_work "$what"
	rm -rf "$intent.bad"
done

# The list of operations.
for kind in empty garbage binary huge fifo link folder; do
	what="operations: $kind"
	daemon_stop TERM
	put "$kind" "$state/operations.json"
	ok "$what: the daemon starts" daemon_start
	like "$what: it is named in the log" "$(cat "$work/daemon.log")" 'operation records cannot be read, set aside.*operations.json.bad'
	others_work "$what"
	rm -rf "$state/operations.json.bad"
done

# The marker says which storage this is: without it nothing is right.
marker=$state/vms/.virtx-cluster
cp "$marker" "$keep"
daemon_stop TERM
for kind in empty garbage binary huge fifo link folder; do
	put "$kind" "$marker"
	timeout 20 "$VIRTX" virtxd --standalone --state-dir "$state" --listen 127.0.0.1:0 --virt-type qemu 2>"$work/marker.log"
	is "marker: $kind: the start is refused" "$?" 1
	like "marker: $kind: why" "$(cat "$work/marker.log")" "storage|$state/vms"
done
rm -rf "$marker"
cp "$keep" "$marker"
ok "with its marker the daemon starts" daemon_start
is_ready() { api GET /readyz && [ "$status" = "$1" ]; }
for kind in empty huge fifo link folder; do
	put "$kind" "$marker"
	ok "while it runs, marker: $kind: not ready" wait_for 20 is_ready 503
	api GET /vms
	is "while it runs, marker: $kind: VMs are listed" "$status" 200
	api POST "/vms/$web/runstate/boot"
	is "while it runs, marker: $kind: none is started" "$status" 503
	rm -rf "$marker"
	cp "$keep" "$marker"
	ok "while it runs, marker: ready again" wait_for 20 is_ready 200
done
for vm in "$web" "$db"; do
	api DELETE "/vms/$vm" '{"deletestorage":true}'
	is "delete" "$status" 204
done
daemon_stop TERM
is "it ends in order" "$daemon_status" 0
tap_done
