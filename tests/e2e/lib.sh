# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# End-to-end tests: a daemon of one's own on a free port, real libvirt, real QEMU.
# Source it from the repository's root. VIRTX names the program under test.
. tests/tools/tap.sh
export PATH=$PATH:/usr/sbin:/sbin
VIRTX=${VIRTX:-$PWD/build/virtx}
GUEST_CACHE=${GUEST_CACHE:-$PWD/build/guest}

work=$(mktemp -d "${TMPDIR:-/tmp}/virtx-e2e.XXXXXX")
chmod 755 "$work"
daemon_pid=
state=$work/state
cleanup_hooks=()

e2e_cleanup() {
	local hook
	[ -z "$daemon_pid" ] || kill "$daemon_pid" 2>/dev/null
	guests_end # first, as libvirt may wait for one that is stopped
	for hook in "${cleanup_hooks[@]}"; do "$hook"; done
	[ -z "$daemon_pid" ] || wait_for 30 daemon_gone || kill -9 "$daemon_pid"
	guests_end # and what was just being started
	if [ "$tap_failed" -ne 0 ]; then
		cat "$work"/daemon*.log 2>/dev/null | tail -n 60 | sed 's/^/# log: /'
	fi
	rm -rf "$work" "$tap_out"
}
trap e2e_cleanup EXIT

# Guests outlive daemons; those of this test name its folder.
guests_end() {
	local file pid
	for file in $(grep -lsF -- "$work/" /proc/[0-9]*/cmdline); do
		pid=${file//[^0-9]/}
		[[ "$(readlink "/proc/$pid/exe")" != */qemu-system* ]] || kill -9 "$pid" 2>/dev/null
	done
}

daemon_gone() { ! kill -0 "$daemon_pid" 2>/dev/null; }

# What libvirt found out about QEMU takes 8 s, so it is found out once for all suites: by the first, which
# has to wait as a user has. libvirt itself checks whether it still holds.
qemu_facts=$GUEST_CACHE/qemu-facts-$(id -u)
qemu_facts_give() { # state directory
	[ -d "$qemu_facts" ] && [ ! -d "$1/qemu" ] || return 0
	mkdir -p "$1/qemu/cache/qemu"
	cp -rp "$qemu_facts" "$1/qemu/cache/qemu/capabilities"
}
qemu_facts_keep() { # state directory
	[ ! -d "$qemu_facts" ] && [ -d "$1/qemu/cache/qemu/capabilities" ] || return 0
	mkdir -p "$GUEST_CACHE"
	cp -rp "$1/qemu/cache/qemu/capabilities" "$qemu_facts.$$"
	mv -T "$qemu_facts.$$" "$qemu_facts" 2>/dev/null || rm -r "$qemu_facts.$$" # another suite was first
}

# Starts virtxd --standalone on a free port, waits until it is ready; sets $server.
daemon_start() { # further options
	qemu_facts_give "$state"
	"$VIRTX" virtxd --standalone --state-dir "$state" --listen 127.0.0.1:0 --virt-type qemu "$@" \
		>>"$work/daemon.log" 2>&1 &
	daemon_pid=$!
	daemon_wait_ready
}

daemon_wait_ready() {
	wait_for 60 daemon_is_ready
	if ! kill -0 "$daemon_pid" || [ -z "$server" ]; then
		echo "# the daemon did not become ready"
		tail -n 40 "$work/daemon.log" | sed 's/^/# /'
		return 1
	fi
	export VIRTX_API_SERVER=$server
	qemu_facts_keep "$state"
}

daemon_is_ready() {
	kill -0 "$daemon_pid" || return 0 # died: no use waiting
	server=$(sed -n 's/.*ready.* address=\([0-9.:]*\).*/\1/p' "$work/daemon.log" | tail -n 1)
	[ -n "$server" ] && curl -sf -o "$work/readyz" "http://$server/readyz"
}

# Ends it as systemd would; the log's ready line is forgotten.
daemon_stop() { # signal
	kill "-${1:-TERM}" "$daemon_pid"
	wait "$daemon_pid" 2>/dev/null
	daemon_status=$?
	daemon_pid=
	mv "$work/daemon.log" "$work/daemon.$(date +%s%N).log"
}

# Runs a program that prints "ok WHAT" and "not ok WHAT<tab>WHY" lines, and counts them as ours.
tap_from() { # seconds command...
	local line limit=$1 finished=
	shift
	while IFS= read -r line; do
		case $line in
		'ok '*) tap_result 0 "${line#ok }" ;;
		'not ok '*) tap_result 1 "$(cut -f1 <<<"${line#not ok }")" "$(cut -sf2 <<<"$line")" ;;
		'#'*) echo "$line" ;;
		'finished '*) finished=${line#finished } ;;
		esac
	done < <(
		timeout "$limit" "$@" 2>"$work/tap_from.err"
		echo "finished $?"
	)
	is "$(basename "$1") ran to its end" "$finished $(tail -n 5 "$work/tap_from.err")" "0 "
}

# One request: sets $status, $body and $headers.
api() { # method target [json]
	local data=()
	[ $# -lt 3 ] || data=(-H 'Content-Type: application/json' --data-binary "$3")
	status=$(curl -s -m 120 -X "$1" -D "$work/headers" -o "$work/body" -w '%{http_code}' "${data[@]}" \
		"${curl_options[@]}" "http://$server$2")
	body=$(tr -d '\0' <"$work/body")
	headers=$(tr -d '\r' <"$work/headers")
	: >"$work/body"
}
curl_options=()

field() { # jq filter, of the last body
	jq -r "$1" <<<"$body"
}

runstate_is() { # vm number
	api GET "/vms/$1/runstate"
	[ "$(field .runstate)" = "$2" ]
}

console_has() { # vm regex
	curl -s "http://$server/vms/$1/console?offset=0" | grep -Eaq -- "$2"
}

# The guests: $GUEST_CACHE/guest.iso and hello.raw, made once.
need_guests() {
	mkdir -p "$GUEST_CACHE"
	flock "$GUEST_CACHE" tests/guest/make-guest "$GUEST_CACHE" || exit 1
}

# A qemu-img in $work/bin that does not end while the file slow is there; it makes slow.started.
slow_qemu_img() {
	mkdir -p "$work/bin"
	cat >"$work/bin/qemu-img" <<-EOF
		#!/bin/bash
		[ ! -e $work/slow ] || { touch $work/slow.started; exec sleep 1000; }
		exec $(command -v qemu-img) "\$@"
	EOF
	chmod 755 "$work/bin/qemu-img"
}

# A definition on standard output: NAME MEMORY OSDISK_JSON [DISKS_JSON] [jq filter for the rest]
definition() {
	jq -n --arg name "$1" --argjson memory "$2" --argjson osdisk "$3" --argjson disks "${4:-[]}" '{
		name: $name, cpudef: {model: "host-passthrough", sockets: 1, cores: 1, threads: 1},
		memory: {total: $memory}, osdisk: $osdisk, disks: $disks, nets: [], firmware: 0}' |
		jq "${5:-.}"
}

disk() { # path device bus man prov size
	jq -nc --arg path "$1" --argjson device "$2" --argjson bus "$3" --argjson man "$4" \
		--argjson prov "$5" --argjson size "$6" \
		'{path: $path, device: $device, bus: $bus, man: $man, prov: $prov, size: $size}'
}

# Nothing after this makes sense without it.
must() { # what command...
	local failed=$tap_failed
	ok "$@"
	# Without a plan the suite has failed. Not "Bail out!": that would end the other suites too.
	[ "$tap_failed" -eq "$failed" ] || exit 1
}

# Creates a VM of a definition on standard input; sets $vm.
create_vm() {
	local vmdef
	vmdef=$(cat)
	api POST /vms "$(jq -c '{vmdef: ., host: ""}' <<<"$vmdef")"
	vm=$(field . 2>/dev/null)
	[ "$status" = 201 ]
}
