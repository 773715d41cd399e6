#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Two hosts that share one storage, with real sanlock daemons and libvirt's sanlock plugin: who may
# touch a disk, and what happens when sanlock is away.
. tests/e2e/lib.sh
. tests/e2e/libvirtd.sh
. tests/e2e/sanlock.sh
[ "$(id -u)" -eq 0 ] || skip_all "needs root: mount namespaces and the system's libvirt"
need_guests

slow_qemu_img

for host in virt1 virt2; do
	must "namespaces of $host" host_make "$host"
	must "sanlock on $host" sanlock_start "$host"
	must "libvirtd on $host" libvirtd_on "$host"
done
ok "a cluster is made" "$VIRTX" virtxd --config "$work/virt1/empty.conf" --vms-dir "$vms" --init-cluster
lock=$vms/lock

# Both make the lockspace at the same moment.
virtxd_run virt1
virtxd_run virt2
must "virt1 is ready" virtxd_wait virt1
must "virt2 is ready" virtxd_wait virt2
is "one of them made the lockspace" "$(cat "$work"/virt?/daemon.log | grep -c 'lockspace made')" 1
is "nothing half made stays" "$(ls -A "$vms")" "$(printf '%s\n' .virtx-cluster .virtx-key ds lock xml)"
is "modes of the lockspace" "$(stat -c '%a %G' "$lock" "$lock/$space" | tr '\n' ' ')" "2771 sanlock 660 sanlock "
is "its size" "$(stat -c %s "$lock/$space")" 1048576
first_id() { echo $((0x$(printf %s "$1" | md5sum | head -c 8) % 2000 + 1)); }
for host in virt1 virt2; do
	on "$host"
	id=$(first_id "$(uuid_of "$host")")
	is "lockid of $host" "$(od -An -c "$vms/xml/$(uuid_of "$host")/lockid" | tr -d ' ')" "$(printf '%s\n' "$id" | od -An -c | tr -d ' ')"
	has_lockid() {
		api GET "/hosts/$(uuid_of "$host")"
		[ "$(field .lockid)" = "$id" ]
	}
	ok "GET /hosts has it" wait_for 30 has_lockid
	like "sanlock has it" "$(run_on "$host" sanlock client status)" "^s $space:$id:$lock/$space:0"
	like "and reads the same on disk" "$(sanlock direct read_leader -s "$space:$id:$lock/$space:0")" "resource_name $host"
done

# A VM on virt1.
on virt1
cp "$GUEST_CACHE/guest.iso" "$vms/ds/guest.iso"
define() { definition "$1" 128 "$(disk "$1/os.qcow2" 0 0 1 1 64)" "[$(disk guest.iso 1 2 0 0 0)]"; }
create() { create_vm < <(define web-01); }
must "create" create
web=$vm
path=$vms/ds/web-01/os.qcow2
key=$(printf %s web-01/os.qcow2 | md5sum | head -c 32)
leader() { sanlock direct read_leader -r "$space:$1:$lock/$1/$1:0"; }
value() { awk -v name="$2" '$1 == name {print $2}' <<<"$1"; }
for name in "$key" "vm-$web"; do
	text=$(leader "$name")
	is "lease $name for sanlock" "$(value "$text" space_name) $(value "$text" resource_name) $(value "$text" sector_size) $(value "$text" max_hosts)" \
		"$space $name 512 2000"
	like "sanlock direct dump shows it" "$(sanlock direct dump "$lock/$name/$name")" "00000000 +$space +$name 0000000000"
	is "its owner" "$(dd if="$lock/$name/$name" bs=512 skip=2002 count=1 2>/dev/null | tr -d '\0')" "$web"
	ok "virtx-check-lvb agrees" "$(dirname "$VIRTX")/virtx-check-lvb" "$lock/$name/$name" "$web"
	is "modes" "$(stat -c '%a %G' "$lock/$name" "$lock/$name/$name" | tr '\n' ' ')" "2771 sanlock 660 sanlock "
	is "size" "$(stat -c %s "$lock/$name/$name")" 1048576
done
api GET "/vms/$web/xml"
is "leases in the domain" "$(grep -o '<key>.*</key>' <<<"$body" | tr '\n' ' ')" "<key>vm-$web</key> <key>$key</key> "
api POST "/vms/$web/runstate/boot"
is "boot" "$status" 204
held() { [ "$(value "$(leader "$1")" timestamp)" != 0 ]; }
ok "its guest holds the lease of the disk" wait_for 30 held "$key"
ok "and its own" held "vm-$web"
like "for QEMU" "$(run_on virt1 sanlock client status)" "^r $space:$key:"

# From virt2.
on virt2
claim() { # prov
	api POST /vms "$(definition thief 128 "$(disk "web-01/os.qcow2" 0 0 1 "$1" "$2")" | jq -c '{vmdef: ., host: ""}')"
}
owner="disk $path belongs to VM web-01 \($web\), running on virt1"
claim 1 64
is "its image cannot be provisioned over" "$status" 409
like "the owner is named" "$(field .detail)" "$owner"
claim 0 0
isnt() { tap_result "$([ "$2" != "$3" ]; echo $?)" "$1" "got: $2"; }
isnt "nor claimed" "$status" 201
like "the owner is named" "$(field .detail)" "$owner"
is "nothing was made" "$(ls "$lock" | sort | tr '\n' ' ')" "$(printf '%s\n' "$key" "vm-$web" "$space" | sort | tr '\n' ' ')"
api PUT "/vms/$web/register" '{"host":""}'
isnt "it cannot be registered" "$status" 201
# Somebody moves its register entry.
mv "$vms/xml/$(uuid_of virt1)/$web.xml" "$vms/xml/$(uuid_of virt2)/"
sed -i "s|$work/virt1/state|$work/virt2/state|g" "$vms/xml/$(uuid_of virt2)/$web.xml"
api PUT "/vms/$web/register" '{"host":""}'
is "an entry moved by hand is defined" "$status $(field '.detail? // empty' 2>/dev/null)" "201 "
api POST "/vms/$web/runstate/boot"
isnt "it cannot be started" "$status" 204
like "for that reason" "$(field .detail)" "VM web-01 \($web\), running on virt1"
is "it is off here" "$(virsh -q -c "$(host_uri virt2)" domstate "$web")" "shut off"
api DELETE "/vms/$web" '{"deletestorage":true}'
isnt "it cannot be deleted" "$status" 204
like "with the reason" "$(field .detail)" "running on virt1"
ok "its image is there" test -s "$path"
ok "and its lease" held "$key"
api DELETE "/vms/$web" '{"deletestorage":false}'
isnt "nor released" "$status" 204
on virt1
ok "it runs on" runstate_is "$web" 4
# Unless virt1, where it runs, has taken it back by itself.
mv "$vms/xml/$(uuid_of virt2)/$web.xml" "$vms/xml/$(uuid_of virt1)/" 2>>"$work/mv.out"
virsh -q -c "$(host_uri virt2)" undefine "$web" >/dev/null
api PUT "/vms/$web/register" '{"host":""}'
is "its entry is put right" "$status" 200


# A VM without managed disks has its own lease, which libvirt takes for it.
iso() { definition iso 128 "$(disk guest.iso 1 2 0 0 0)"; }
ok "a VM without managed disks is created" create_vm < <(iso)
iso=$vm
api POST "/vms/$iso/runstate/boot"
is "boot" "$status" 204
virsh -q -c "$(host_uri virt1)" dumpxml --inactive "$iso" >"$work/iso.xml"
sed -i "s|$work/virt1|$work/virt2|g" "$work/iso.xml"
ok "a copy is defined on virt2" virsh -q -c "$(host_uri virt2)" define "$work/iso.xml"
run_on virt2 virsh -q -c "$(host_uri virt2)" start "$iso" >"$work/start.out" 2>&1
like "libvirt does not start it for want of its lease" "$(cat "$work/start.out")" '[Ll]ock|[Ll]ease|acquire'
is "it is off there" "$(virsh -q -c "$(host_uri virt2)" domstate "$iso")" "shut off"
virsh -q -c "$(host_uri virt2)" undefine "$iso" >/dev/null
api DELETE "/vms/$iso/runstate/boot" '{"force":2}'
api DELETE "/vms/$iso" '{"deletestorage":true}'
is "delete" "$status" 204

api DELETE "/vms/$web/runstate/boot" '{"force":2}'
is "stop" "$status" 204
released() { [ "$(value "$(leader "$1")" timestamp)" = 0 ]; }
ok "the leases are free again" wait_for 30 released "vm-$web"

# It moves to virt2 while it is off, and its leases with it.
move() { # from to
	virsh -q -c "$(host_uri "$1")" undefine "$web" >/dev/null
	mv "$vms/xml/$(uuid_of "$1")/$web.xml" "$vms/xml/$(uuid_of "$2")/"
	sed -i "s|$work/$1/state|$work/$2/state|g" "$vms/xml/$(uuid_of "$2")/$web.xml"
	on "$2"
	api PUT "/vms/$web/register" '{"host":""}'
	[ "$status" = 201 ]
}
ok "it moves to virt2" move virt1 virt2
api POST "/vms/$web/runstate/boot"
is "boot" "$status" 204
ok "the lease is held" wait_for 30 held "$key"
is "by virt2" "$(value "$(leader "$key")" owner_id)" "$(cat "$vms/xml/$(uuid_of virt2)/lockid")"
api DELETE "/vms/$web/runstate/boot" '{"force":2}'
ok "it is released" wait_for 30 released "vm-$web"
ok "it moves back" move virt2 virt1

# As another implementation makes it: without a lease of its own.
virsh -q -c "$(host_uri virt1)" dumpxml --inactive "$web" |
	perl -0pe 's/<lease>\s*<lockspace>[^<]*<\/lockspace>\s*<key>vm-.*?<\/lease>//s' >"$work/web.xml"
virsh -q -c "$(host_uri virt1)" define "$work/web.xml" >/dev/null
rm -r "$lock/vm-$web"
api POST "/vms/$web/runstate/boot"
is "its first boot" "$status" 204
ok "gives it its own lease" wait_for 30 held "vm-$web"
api GET "/vms/$web/xml"
is "which its domain lists" "$(grep -o '<key>.*</key>' <<<"$body" | tr '\n' ' ')" "<key>vm-$web</key> <key>$key</key> "
like "and the register" "$(cat "$vms/xml/$(uuid_of virt1)/$web.xml")" "vm-$web"
api DELETE "/vms/$web/runstate/boot" '{"force":2}'
ok "it is released" wait_for 30 released "vm-$web"

# A resource that sanlock's own tool made.
rm -r "$lock/${key:?}"
mkdir "$lock/$key"
: >"$lock/$key/$key"
chgrp sanlock "$lock/$key" "$lock/$key/$key" && chmod 2771 "$lock/$key" && chmod 660 "$lock/$key/$key"
run_on virt2 sanlock client init -r "$space:$key:$lock/$key/$key:0" -Z 512 -A 1M >/dev/null
printf %s "$web" | dd of="$lock/$key/$key" bs=512 seek=2002 conv=notrunc,fsync status=none
api POST "/vms/$web/runstate/boot"
is "it boots with a resource of sanlock's tool" "$status" 204
ok "and holds it" wait_for 30 held "$key"
api DELETE "/vms/$web/runstate/boot" '{"force":2}'
ok "it is released" wait_for 30 released "$key"

# More managed disks than a process may hold leases.
many() {
	local disks=() i
	for i in $(seq 19); do disks+=("$(disk "many/d$i.raw" 0 1 1 1 1)"); done
	definition many 128 "$(disk many/os.qcow2 0 0 1 1 64)" "[$(IFS=,; echo "${disks[*]}"),$(disk guest.iso 1 2 0 0 0)]"
}
create_many() { create_vm < <(many); }
ok "a VM with 20 managed disks is created" create_many
many=$vm
api GET "/vms/$many/xml"
is "six leases, and one place for a seed" "$(grep -c '<key>' <<<"$body")" 6
like "its own is the first" "$(grep -m 1 '<key>' <<<"$body")" "vm-$many"
is "all disks have their resource" "$(grep -l "$many" "$lock"/*/* | wc -l)" 21
api POST "/vms/$many/runstate/boot" "$(jq -nc '{cloud_init: [{name: "ci-userdata", value: "#cloud-config\n"}]}')"
is "it boots, with a seed" "$status $body" "204 "
seed=$(printf %s "ci/$many/seed.iso" | md5sum | head -c 32)
ok "the seed's lease is held" wait_for 30 held "$seed"
is "with its owner" "$(dd if="$lock/$seed/$seed" bs=512 skip=2002 count=1 2>/dev/null | tr -d '\0')" "$many"
is "seven in all, as many as libvirt's plugin takes" "$(run_on virt1 sanlock client status | grep -c "^r $space:")" 7
api DELETE "/vms/$many/runstate/boot" '{"force":2}'
is "stop" "$status" 204
ok "the seed's lease goes when the VM stops" wait_for 20 test ! -e "$lock/$seed"
ok "the seed stays" test -e "$vms/ds/ci/$many/seed.iso"
api POST "/vms/$many/runstate/boot"
is "it boots again, without" "$status" 204
api DELETE "/vms/$many/runstate/boot" '{"force":2}'
api DELETE "/vms/$many" '{"deletestorage":true}'
is "delete" "$status" 204
is "nothing of it is left" "$(grep -l "$many" "$lock"/*/* | wc -l) $(ls -d "$vms/ds/many" "$vms/ds/ci/$many" 2>/dev/null)" "0 "

# Two hosts make the same disk at the same moment.
race() { # host
	on "$1"
	curl -s -o "$work/$1.race" -w '%{http_code}' -X POST -H 'Content-Type: application/json' \
		--data-binary "$(definition "race-$1" 128 "$(disk race/os.qcow2 0 0 1 1 64)" | jq -c '{vmdef: ., host: ""}')" \
		"http://$server/vms" >"$work/$1.status"
}
race virt1 &
first=$!
race virt2
wait "$first"
like "one host of two gets a disk" "$(sort "$work"/virt?.status | tr '\n' ' ')$(cat "$work"/virt?.status)" '^(201 ?(409|424|507)|201(409|424|507))'
winner=$(jq -r 'select(type == "string")' "$work"/virt1.race "$work"/virt2.race)
is "and keeps it" "$(dd if="$lock/$(printf %s race/os.qcow2 | md5sum | head -c 32)/$(printf %s race/os.qcow2 | md5sum | head -c 32)" bs=512 skip=2002 count=1 2>/dev/null | tr -d '\0')" "$winner"
is "the other has left nothing" "$(find "$lock" -name 'vm-*' -type f | wc -l) $(find "$lock" -name '*tmp*' | wc -l) $(find "$vms/xml" -name '*.intent' | wc -l)" "2 0 0"
for host in virt1 virt2; do
	on "$host"
	api DELETE "/vms/$winner" '{"deletestorage":true}'
done
is "it is deleted" "$(ls -d "$vms/ds/race" 2>/dev/null)" ""

# The daemon ends and comes back: it never leaves the lockspace.
virtxd_stop virt1 TERM
is "virtxd ends with 0" "$daemon_status" 0
like "the host stays in the lockspace" "$(run_on virt1 sanlock client status)" "^s $space"
virtxd_run virt1
ok "virtxd is ready again" virtxd_wait virt1
on virt1

# sanlock dies in the middle of a long provisioning.
slow_create() {
	rm -f "$work/slow.started"
	touch "$work/slow"
	curl -s -m 100 -o "$work/slow.body" -w '%{http_code}' -X POST -H 'Content-Type: application/json' \
		--data-binary "$(definition slow 128 "$(disk slow/os.qcow2 0 0 1 2 64)" | jq -c '{vmdef: ., host: ""}')" \
		"http://$server/vms" >"$work/slow.status" &
	slow_pid=$!
	wait_for 30 test -e "$work/slow.started"
}
answered() { ! kill -0 "$slow_pid"; }
in_lockspace() { run_on "$1" sanlock client status | grep -q "^s $space"; }
clean() { [ -z "$(ls -d "$vms"/ds/slow 2>/dev/null)$(find "$vms/xml" -name '*.intent')$(find "$lock" -name "$slow_key*")" ]; }
slow_key=$(printf %s slow/os.qcow2 | md5sum | head -c 32)
ok "a long provisioning" slow_create
ok "holds its lease" held "$slow_key"
clients=$(run_on virt1 sanlock client status | sed -n 's/^p \([0-9]*\) .*/\1/p')
like "a child registered for it" "$(for pid in $clients; do tr '\0' ' ' <"/proc/$pid/cmdline"; done)" 'lease-run make sanlock'
not_ok "virtxd itself never does" grep -qx "${virtxd_pid[virt1]}" <<<"$clients"
sanlock_kill virt1
ok "sanlock is killed: the request ends" wait_for 30 answered
rm -f "$work/slow"
is "as unavailable" "$(cat "$work/slow.status")" 503
like "for that reason" "$(jq -r .detail "$work/slow.body")" 'sanlock has ended'
ok "readyz says so" wait_for 30 not_ready virt1
like "with the reason" "$(curl -s "http://$server/readyz")" 'sanlock does not answer'
api GET /vms
is "the API answers" "$status" 200
api POST /vms "$(define other | jq -c '{vmdef: ., host: ""}')"
is "a create is refused" "$status" 503
like "with the reason" "$(field .detail)" 'sanlock'
api POST "/vms/$web/runstate/boot"
is "a boot too" "$status" 503
api DELETE "/vms/$web" '{"deletestorage":true}'
is "and a delete" "$status" 503
since=$(date +%s)
ok "sanlock starts again" sanlock_start virt1
ok "the host joins by itself" wait_for 20 virtxd_is_ready virt1
tap_result "$([ $(($(date +%s) - since)) -le 10 ]; echo $?)" "within 10 s"
ok "with its id" in_lockspace virt1
ok "what was cut is cleared away" wait_for 30 clean
ok "and operations work" create_vm < <(define other)
other=$vm

# The host loses the lockspace in the middle of a long provisioning.
ok "a long provisioning" slow_create
id=$(run_on virt1 sanlock client status | sed -n "s/^s $space:\([0-9]*\):.*/\1/p")
run_on virt1 sanlock client rem_lockspace -s "$space:$id:$lock/$space:0" >/dev/null &
ok "the lockspace is lost: the request ends" wait_for 20 answered
rm -f "$work/slow"
wait "$slow_pid"
is "as unavailable" "$(cat "$work/slow.status")" 503
like "for that reason" "$(jq -r .detail "$work/slow.body")" 'lockspace'
ok "the host is back" wait_for 20 virtxd_is_ready virt1
ok "and what was cut is cleared away" wait_for 20 clean
# Or sanlock finds that somebody wrote over its place.
ok "a long provisioning" slow_create
dd if="$lock/$space" of="$work/place" bs=512 skip=$((id - 1)) count=1 status=none
dd if=/dev/zero of="$lock/$space" bs=512 seek=$((id - 1)) count=1 conv=notrunc,fsync status=none
ok "the request ends" wait_for 60 answered
rm -f "$work/slow"
wait "$slow_pid"
dd if="$work/place" of="$lock/$space" bs=512 seek=$((id - 1)) count=1 conv=notrunc,fsync status=none
is "as unavailable" "$(cat "$work/slow.status")" 503
like "for that reason" "$(jq -r .detail "$work/slow.body")" 'lockspace'
ok "the host is back" wait_for 120 virtxd_is_ready virt1
ok "and what was cut is cleared away" wait_for 60 clean
api DELETE "/vms/$other" '{"deletestorage":true}'
is "delete" "$status" 204

# Everything is killed in the middle of it, as when the host is reset.
ok "a long provisioning" slow_create
virtxd_stop virt1 KILL
sanlock_kill virt1
rm -f "$work/slow"
wait "$slow_pid"
ok "sanlock starts again" sanlock_start virt1
virtxd_run virt1
ok "virtxd is ready" virtxd_wait virt1
ok "what was cut is cleared away by then" clean
on virt1

# A lockid that nobody understands.
lockid=$vms/xml/$(uuid_of virt1)/lockid
before=$(cat "$lockid")
echo nonsense >"$lockid"
sanlock_kill virt1
ok "without sanlock" wait_for 30 not_ready virt1
ok "sanlock starts again" sanlock_start virt1
ok "the host joins" wait_for 30 virtxd_is_ready virt1
is "the bad lockid is put aside" "$(cat "$lockid.bad")" nonsense
isnt "another place is taken" "$(cat "$lockid")" "$before"
ok "the one that sanlock has" grep -q "^s $space:$(cat "$lockid"):" <<<"$(run_on virt1 sanlock client status)"
api DELETE "/vms/$web" '{"deletestorage":false}'
is "delete, without its image" "$status" 204
is "no lease is left" "$(ls "$lock")" "$space"
is "sanlock holds none" "$(run_on virt1 sanlock client status | grep -c '^r ')" 0
# The same names again, at once and from the other host: what was removed while it was held is forgotten.
claim_again() { create_vm < <(definition again 128 "$(disk web-01/os.qcow2 0 0 1 0 0)" "[$(disk guest.iso 1 2 0 0 0)]"); }
for host in virt1 virt2 virt1; do
	on "$host"
	ok "$host claims the image" wait_for 20 claim_again
	api POST "/vms/$vm/runstate/boot"
	is "$host boots it" "$status" 204
	ok "$host holds it" wait_for 30 held "$key"
	api DELETE "/vms/$vm/runstate/boot" '{"force":2}'
	is "$host stops it" "$status" 204
	api DELETE "/vms/$vm" '{"deletestorage":false}'
	is "$host gives it back" "$status $body" "204 "
done
is "no lease is left" "$(ls "$lock")" "$space"
tap_done
