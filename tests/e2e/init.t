#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Which folder is a cluster's storage: made on purpose, once, by one of several; never by accident; and what
# a daemon does whose storage becomes another's.
. tests/e2e/lib.sh
vms=$work/vms
: >"$work/empty.conf"
mounted=()
unmount_all() {
	local folder
	for folder in "${mounted[@]}"; do umount "$folder" 2>/dev/null; done
}
cleanup_hooks+=(unmount_all)

init() { timeout 20 "$VIRTX" virtxd --config "$work/empty.conf" --vms-dir "${1:-$vms}" --init-cluster; }
daemon=("$VIRTX" virtxd --config "$work/empty.conf" --vms-dir "$vms" --libvirt-uri test:///default
	--lock-manager local --listen 127.0.0.1:0 --host-uuid 5c5c5c5c-0000-4000-8000-000000000001)
refused() { # what regex
	timeout 20 "${daemon[@]}" --state-dir "$work/s" 2>"$work/refused"
	is "$1: the start is refused" "$?" 1
	like "$1: why" "$(cat "$work/refused")" "$2"
	like "$1: what to do" "$(cat "$work/refused")" "--init-cluster|mount the shared storage"
}
start() {
	: >"$work/daemon.log"
	"${daemon[@]}" --state-dir "$state" >>"$work/daemon.log" 2>&1 &
	daemon_pid=$!
	daemon_wait_ready
}
everything() { (cd "$1" && find . -printf '%p %y %m %s\n' | sort); }

refused "no folder" "$vms"
not_ok "none was made" test -e "$vms"
mkdir "$vms"
refused "an empty folder" 'neither a marker .* nor a register'
is "nothing was made in it" "$(ls -A "$vms")" ""

# On purpose, by eight at the same moment.
pids=()
for i in 1 2 3 4 5 6 7 8; do
	init >"$work/init.$i" 2>&1 &
	pids+=($!)
done
failed=0
for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
is "eight at once make a cluster" "$failed" 0
is "one" "$(sort -u "$work"/init.? | wc -l)" 1
cluster=$(jq -r .cluster "$vms/.virtx-cluster")
like "of that id" "$(cat "$work/init.1")" "$cluster"
is "nothing half made stays" "$(find "$vms" -name '*new*' -o -name '*tmp*')" ""
before=$(everything "$vms")
ok "once more" init
is "changes nothing" "$(everything "$vms") $(jq -r .cluster "$vms/.virtx-cluster")" "$before $cluster"

# A folder with other things in it keeps them.
mkdir -p "$work/full/ds"
echo mine >"$work/full/notes.txt"
echo image >"$work/full/ds/old.raw"
ok "a folder with other things in it" init "$work/full"
is "keeps them" "$(cat "$work/full/notes.txt" "$work/full/ds/old.raw" | xargs)" "mine image"
ok "and is a cluster's" test -e "$work/full/.virtx-cluster"

# What others made is taken over.
host=5c5c5c5c-0000-4000-8000-000000000002
rm "$vms/.virtx-cluster"
mkdir "$vms/xml/$host"
echo 17 >"$vms/xml/$host/lockid"
must "a storage with a register and without a marker is served" start
ok "with a marker" test -e "$vms/.virtx-cluster"
is "the register is as it was" "$(cat "$vms/xml/$host/lockid")" 17
cluster=$(jq -r .cluster "$vms/.virtx-cluster")

# It becomes another cluster's, and back.
is_ready() { api GET /readyz && [ "$status" = "$1" ]; }
cp "$vms/.virtx-cluster" "$work/marker"
echo '{"cluster": "99999999-0000-4000-8000-000000000009"}' >"$vms/.virtx-cluster"
ok "with the marker of another cluster it is not ready" wait_for 20 is_ready 503
like "and says so" "$(field .detail)" "now that of cluster 99999999-.*it was $cluster"
api POST /vms '{"vmdef":{"name":"x"}}'
is "nothing is made" "$status" 503
api GET /vms
is "reads are answered" "$status" 200
cp "$work/marker" "$vms/.virtx-cluster"
ok "with its own it is ready again" wait_for 20 is_ready 200

if [ "$(id -u)" -eq 0 ]; then
	# Something else is mounted there.
	mounted+=("$vms")
	mount -t tmpfs other "$vms"
	ok "with something else mounted over it, it is not ready" wait_for 20 is_ready 503
	like "and says so" "$(field .detail)" 'not the folder that it was'
	is "nothing is made there" "$(ls -A "$vms")" ""
	umount "$vms"
	ok "without that it is ready again" wait_for 20 is_ready 200
	# A read-only one.
	mkdir "$work/ro"
	mounted+=("$work/ro")
	mount -t tmpfs -o ro readonly "$work/ro"
	not_ok "a read-only storage is not made a cluster's" init "$work/ro"
	like "for that reason" "$(init "$work/ro" 2>&1)" 'Read-only file system'
else
	tap_result 0 "mounts # SKIP needs root"
fi
daemon_stop TERM
is "it ends with 0" "$daemon_status" 0
tap_done
