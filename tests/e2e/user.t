#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Standalone as an ordinary user: the same life, with nothing of root's.
. tests/e2e/lib.sh
need_guests
if [ "$(id -u)" -eq 0 ]; then
	as_user() { exec setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME="$work/user" XDG_STATE_HOME="$work/user/state" "$@"; }
	mkdir -p "$work/user" "$work/bin"
	cp "$VIRTX" "$work/bin/virtx" # where nobody may read it
	chmod 755 "$work/bin"
	touch "$work/daemon.log"
	chown -R nobody:nogroup "$work/user" "$work/daemon.log"
else
	as_user() { exec env HOME="$work/user" XDG_STATE_HOME="$work/user/state" "$@"; }
	mkdir -p "$work/user" "$work/bin"
	cp "$VIRTX" "$work/bin/virtx"
fi
state=$work/user/state/virtx
# In the background only: it becomes the daemon. Without standard input, as from a cron job or CI.
as_user "$work/bin/virtx" virtxd --standalone --listen 127.0.0.1:0 --virt-type qemu >>"$work/daemon.log" 2>&1 <&- &
daemon_pid=$!
must "the daemon becomes ready" daemon_wait_ready
is "a standard input that is not there is /dev/null" "$(readlink "/proc/$daemon_pid/fd/0")" /dev/null
cp "$GUEST_CACHE/hello.raw" "$state/vms/ds/hello.raw"
chown --reference="$work/user" "$state/vms/ds/hello.raw"
create() {
	create_vm < <(definition mine 32 "$(disk mine/os.qcow2 0 0 1 1 16)" "[$(disk hello.raw 0 2 0 0 0)]")
}
must "create" create
is "the image is the user's" "$(stat -c %u "$state/vms/ds/mine/os.qcow2")" "$(stat -c %u "$work/user")"
api POST "/vms/$vm/runstate/boot"
is "boot" "$status" 204
like "the state says running" "$(api GET "/vms/$vm/runstate"; echo "$body")" '"runstate": ?4'
qemu_user() { pgrep -u "$(stat -c %u "$work/user")" -f "qemu.*$vm"; }
ok "QEMU is the user's" qemu_user
api DELETE "/vms/$vm/runstate/boot" '{"force":2}'
is "stop" "$status" 204
api DELETE "/vms/$vm" '{"deletestorage":true}'
is "delete" "$status" 204
daemon_stop TERM
is "SIGTERM ends it with 0" "$daemon_status" 0
tap_done
