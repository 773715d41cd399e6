# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# LUNs: loop devices with names below a /dev/disk/by-id of the test's own. Source after lib.sh, as
# root in a mount namespace of its own: see lun.t.

# A /dev with the nodes of the true one, and a by-id in it.
make_dev() {
	mkdir "$work/dev" && mount --rbind /dev "$work/dev" && mount -t tmpfs none /dev || return 1
	local node
	for node in "$work"/dev/*; do
		if [ -d "$node" ] && [ ! -L "$node" ]; then
			mkdir "/dev/${node##*/}" && mount --rbind "$node" "/dev/${node##*/}" || return 1
		else
			cp -a "$node" /dev/ || return 1
		fi
	done
	rm -rf /dev/disk
	mkdir -p /dev/disk/by-id
}

by=/dev/disk/by-id
declare -A loop_of
# A LUN of that many MiB, full of what a tenant wrote: its file $work/NAME, its loop ${loop_of[NAME]}.
lun_make() { # name MiB
	truncate -s "${2}M" "$work/$1"
	write_data "$1"
	local node attempt
	for attempt in 1 2 3 4 5; do
		node=$(losetup -f) && { [ -b "$node" ] || mknod "$node" b 7 "${node#/dev/loop}"; } &&
			losetup --direct-io=on "$node" "$work/$1" && break
	done
	loop_of[$1]=$node
}
write_data() { # name: at its beginning, in the middle and at its end
	local bytes part
	bytes=$(stat -c %s "$work/$1")
	for part in 0 $((bytes / 2)) $((bytes - 1048576)); do
		yes "secret of a tenant" | head -c 1048576 | dd of="$work/$1" bs=64K seek="$part" oflag=seek_bytes conv=notrunc status=none
	done
	[ -z "${loop_of[$1]:-}" ] || blockdev --flushbufs "${loop_of[$1]}"
}
name() { ln -s "../../${loop_of[$1]##*/}" "$by/$2"; } # lun name
luns_cleanup() {
	local node
	! mountpoint -q "$work/mnt" || umount "$work/mnt"
	for node in "${loop_of[@]}"; do losetup -d "$node"; done
	umount -R -l /dev
	umount -R -l "$work/dev"
}
cleanup_hooks+=(luns_cleanup)
is_clear() { cmp -n "$(stat -c %s "$work/$1")" "$work/$1" /dev/zero; }
is_hole() { [ "$(stat -c %b "$work/$1")" -le 64 ]; } # reads as zeros, and takes no time to read
has_data() { # lun
	[ "$(grep -ac 'secret of a tenant' "$work/$1")" -ge 150000 ]
}
refused() { # what status regex
	is "$1: $2" "$status" "$2"
	like "$1: why" "$(field .detail)" "$3"
}
lun() { disk "$by/$1" 2 1 "${2:-1}" "${3:-1}" "${4:-0}"; } # name man prov size

# The operation of a kind that runs: $operation.
running() { # kind
	api GET /operations
	operation=$(field "[.items[] | select(.state == \"running\" and .kind == \"$1\")][0].id // empty")
	[ -n "$operation" ]
}
is_under_way() { # kind
	running "$1" && api GET "/operations/$operation" && [ "$(field .progress)" -ge 1 ]
}
api_async() { # method target json
	curl_options=(-H 'Prefer: respond-async')
	api "$@"
	curl_options=()
}
create_async() { api_async POST /vms "$(definition "$1" 32 "$2" | jq -c '{vmdef: ., host: ""}')"; }
