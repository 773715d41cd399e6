#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The tour of README.md, command by command as it is written there, as an ordinary user
# in a network of its own, where port 8080 is free.
# shellcheck disable=SC2016
if [ "${IN_NAMESPACE:-}" != yes ]; then
	if [ "$(id -u)" -eq 0 ]; then
		exec unshare -n env IN_NAMESPACE=yes "$0"
	fi
	exec unshare -rn env IN_NAMESPACE=yes "$0"
fi
. tests/e2e/lib.sh
need_guests
ip link set lo up
unset VIRTX_API_SERVER VISUAL XDG_STATE_HOME
as_user=()
export HOME=$work/home
mkdir -p "$work/tour/build/guest" "$HOME"
cp "$VIRTX" "$work/tour/build/virtx"
ln -s virtx "$work/tour/build/virtxd"
cp "$GUEST_CACHE/guest.iso" "$work/tour/build/guest/"
cp -r examples "$work/tour/"
printf '%s\n' '#!/bin/sh' 'sed -i /value/s/demo/tour/ "$1"' >"$work/editor"
chmod 755 "$work/editor"
export EDITOR=$work/editor
if grep -qx ' *0 *0 *4294967295' /proc/self/uid_map; then
	chown -R nobody:nogroup "$work/tour" "$HOME"
	as_user=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
fi

# The commands: what is indented, without its comment.
mapfile -t commands < <(sed -n '/^## Five minutes/,/^## /p' README.md | sed '/^A definition says/,$d' |
	sed -nE 's/^    //p' | sed -E 's/  +#.*//')
is "the tour begins with the daemon" "${commands[0]}" "build/virtxd --standalone"
cd "$work/tour" || exit 1
daemon_log=$work/daemon.log
: >"$daemon_log" && chmod 666 "$daemon_log"
"${as_user[@]}" bash -c "exec ${commands[0]}" >>"$daemon_log" 2>&1 &
daemon_pid=$!
must "it becomes ready" daemon_wait_ready
is "where the tour says" "$server" 127.0.0.1:8080
unset VIRTX_API_SERVER

# An HTTP error is an error.
failing_curl() { curl() { command curl -sS -f "$@"; }; }
# Whoever reads along goes on when the guest is up.
follows() { # command
	timeout 120 "${as_user[@]}" bash -c "exec $1" >"$work/console" &
	local follower=$!
	ok "$1" wait_for 90 grep -aq 'virtx-guest: heartbeat' "$work/console"
	kill "$follower"
	wait "$follower"
}
ended=0
for command in "${commands[@]:1}"; do
	case $command in
	export*) eval "$command" ;;
	*--follow) follows "$command" ;;
	*--wait) ok "$command" timeout 90 "${as_user[@]}" bash -c "$command" ;;
	*) ok "$command" "${as_user[@]}" bash -c "$(declare -f failing_curl); failing_curl; $command" ;;
	esac
	ended=$((ended + 1))
done
ok "there were some" test "$ended" -gt 15
like "the guest spoke" "$(cat "$work/console")" 'virtx-guest: heartbeat'
is "nothing is left" "$(virtx list vm --no-headers)" ""
is "not an image" "$(find "$HOME/.local/state/virtx/vms/ds" -type f -printf '%P ')" "guest.iso "
for line in "virtx help" "virtx help create vm" ". <(virtx completion bash)"; do
	ok "README.md has it: $line" grep -qF "\`$line\`" "$OLDPWD/README.md"
	ok "$line" bash -c "$line"
done
cd "$OLDPWD" || exit 1
tap_done
