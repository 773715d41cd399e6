#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every definition of examples/ as it is, on a real daemon.
. tests/e2e/lib.sh
need_guests
must "the daemon becomes ready" daemon_start --overcommit
cp "$GUEST_CACHE/guest.iso" "$state/vms/ds/"
mkdir "$state/vms/ds/cloud"
qemu-img create -q -f qcow2 "$state/vms/ds/cloud/os.qcow2" 64M # as if it were a downloaded one
virtx() { "$VIRTX" "$@"; }
needs_br0() { jq -e '.nets // [] | any(.name == "br0")' "$1"; }

for file in examples/*.json; do
	name=$(basename "$file" .json)
	is "$file has its file's name" "$(jq -r .name "$file")" "$name"
	ok "$file becomes domain XML" virtx create vm "$file" --print-xml
	if needs_br0 "$file" >/dev/null && ! ip link show br0 >/dev/null 2>&1; then
		not_ok "$file needs a bridge" virtx create vm "$file"
		like "and the refusal says which, and how to make one" "$(tr '\n' ' ' <"$tap_out")" \
			'no bridge br0 hint: .*ip link add br0 type bridge'
		ok "without it $name is created" virtx create vm - < <(jq '.nets = []' "$file")
	else
		ok "$file is created" virtx create vm "$file"
	fi
	like "$name is off" "$(virtx get runstate vm "$name" --no-headers)" '^poweroff '
	is "$name has the disks of its file" "$(virtx get vm "$name" -k --no-headers | wc -l)" \
		"$(jq '1 + (.disks // [] | length)' "$file")"
	ok "$name boots" virtx boot vm "$name" --wait
	[ "$name" = demo ] || ok "$name stops" virtx shutdown vm "$name" -ff --wait
done

says() { virtx console vm demo | grep -aq -- "$1"; }
ok "the demo's guest speaks" wait_for 90 says 'virtx-guest: ready'
ok "and listens" wait_for 30 says 'shutdown button armed'
ok "it shuts down when asked" virtx shutdown vm demo --wait --timeout 60s
ok "a cloud image boots with user-data" virtx boot vm cloud --ci-userdata examples/user-data.yaml --wait
uuid=$(virtx list vm -n cloud -o json | jq -r '.items[0].uuid')
ok "which is what it finds" cmp examples/user-data.yaml \
	<(xorriso -osirrox on -indev "$state/vms/ds/ci/$uuid/seed.iso" -concat overwrite - /user-data -- 2>/dev/null)
ok "user-data is YAML" /usr/bin/python3 -c 'import sys, yaml; yaml.safe_load(sys.stdin)["users"]' <examples/user-data.yaml
ok "it stops" virtx shutdown vm cloud -ff --wait
mapfile -t vms < <(virtx list vm -o name)
ok "all are deleted" virtx delete vm "${vms[@]}" --storage --yes
is "with their images" "$(find "$state/vms/ds" -type f -printf '%P ')" "guest.iso "
tap_done
