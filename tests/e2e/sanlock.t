#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Two hosts that share one storage, with real sanlock daemons and libvirt's sanlock plugin: who may
# touch a disk, and what happens when sanlock is away.
. tests/e2e/lib.sh
. tests/e2e/libvirtd.sh
. tests/e2e/sanlock.sh
[ "$(id -u)" -eq 0 ] || skip_all "needs root: mount namespaces and the system's libvirt"
need_guests

# A qemu-img that never ends for images named slow*.
mkdir -p "$work/bin"
cat >"$work/bin/qemu-img" <<EOF
#!/bin/bash
[ ! -e $work/slow ] || { touch $work/slow.started; exec sleep 1000; }
exec $(command -v qemu-img) "\$@"
EOF
chmod 755 "$work/bin/qemu-img"

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
is "nothing half made stays" "$(ls -A "$vms")" "$(printf '%s\n' .virtx-cluster ds lock xml)"
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
ok "its guest holds the lease of the disk" wait_for 5 held "$key"
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
like "libvirt says why" "$(field .detail)" '[Ll]ease|[Ll]ock|acquire'
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
mv "$vms/xml/$(uuid_of virt2)/$web.xml" "$vms/xml/$(uuid_of virt1)/"
virsh -q -c "$(host_uri virt2)" undefine "$web" >/dev/null
api PUT "/vms/$web/register" '{"host":""}'
is "its entry is put right" "$status" 200
tap_done
