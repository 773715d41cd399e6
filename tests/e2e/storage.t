#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Disks through the REST API: whose they are, what an update does to them, what is swapped below the
# datastore, seeds, and what lies in the register that should not.
. tests/e2e/lib.sh
must "the daemon becomes ready" daemon_start
ds=$state/vms/ds
host=$(curl -s "http://$server/hosts" | jq -r '.items[0].uuid')
register=$state/vms/xml/$host

# All that is stored, with contents: what a refused request must not change.
stored() { (cd "$state/vms" && find . -type f -size -64k -exec md5sum {} + -o -printf '%p %y %i\n' | sort); }
refused() { # what status regex
	is "$1: $2" "$status" "$2"
	like "$1: why" "$(field .detail)" "$3"
}
create() { # name osdisk [disks]
	create_vm < <(definition "$1" 32 "$2" "${3:-[]}")
}
update() { # vm filter [deletestorage]
	api GET "/vms/$1"
	api PUT "/vms/$1" "$(jq -c --argjson remove "${3:-false}" ".def | $2 | {vmdef: ., deletestorage: \$remove}" <<<"$body")"
}
owner_is() { # path vm
	"$VIRTX" check-lvb "$state/vms/lock/$(lease_of "$1")/$(lease_of "$1")" "$2"
}
lease_of() { printf %s "$1" | md5sum | cut -c1-32; }
has_lease() { test -e "$state/vms/lock/$(lease_of "$1")"; }

# Two VMs; folders come and go with the images in them.
must "create web" create web "$(disk web/disks/os.qcow2 0 0 1 1 16)"
web=$vm
must "create db" create db "$(disk db.raw 0 0 1 1 16)"
db=$vm
create again "$(disk web/disks/os.qcow2 0 0 1 0 0)"
refused "an image of another VM" 507 "os.qcow2 belongs to VM web \($web\)"
create again "$(disk web/disks/os.qcow2 0 0 1 1 16)"
refused "an image that exists" 409 'exists already'

# The second of two new disks fails: the first does not stay.
printf 'no image' >"$ds/bad.qcow2"
before=$(stored)
update "$web" ".disks += [$(disk web/new/a.raw 0 0 1 2 1), $(disk bad.qcow2 0 0 1 0 0)]"
refused "an update with a bad disk" 507 'not a qcow2 image'
is "nothing has changed" "$(stored)" "$before"
create half "$(disk half/os.raw 0 0 1 2 1)" "[$(disk half/b.raw 0 0 1 1 2147483647)]"
is "a create whose second image cannot be made" "$((status / 100))" 5
is "leaves nothing" "$(stored)" "$before"

# Management of a path that stays.
update "$web" '.osdisk.man = 0'
is "given out of management" "$status" 204
not_ok "its lease is gone" has_lease web/disks/os.qcow2
ok "its image is there" test -f "$ds/web/disks/os.qcow2"
update "$web" '.osdisk.man = 1'
is "taken into management" "$status" 204
ok "its lease is there, and its owner's" owner_is web/disks/os.qcow2 "$web"
update "$web" ".disks += [$(disk db.raw 0 0 0 0 0)]"
is "another VM's image, unmanaged" "$status" 204
update "$web" '(.disks[] | select(.path | endswith("db.raw"))).man = 1'
refused "managed" 507 "db.raw belongs to VM db \($db\)"
update "$web" '.disks = []' true
is "given up again" "$status" 204
ok "it is the other's still" owner_is db.raw "$db"
ok "and there" test -f "$ds/db.raw"

# Disks that change places, and that are replaced.
update "$web" ".disks = [$(disk web/data.raw 0 0 1 1 8)]"
is "a second disk" "$status" 204
inodes() { (cd "$ds" && stat -c '%n %i' web/disks/os.qcow2 web/data.raw); }
before=$(inodes)
update "$web" '. as $d | .osdisk = $d.disks[0] | .disks = [$d.osdisk]' true
is "they swap" "$status" 204
is "the images are the same" "$(inodes)" "$before"
api GET "/vms/$web"
is "the other is first now" "$(field '.def.osdisk.path' | sed 's#.*/##')" data.raw
update "$web" ".osdisk = $(disk web/next/os.raw 0 0 1 1 4) | .disks = []" true
is "both are replaced" "$status" 204
is "old images and folders are gone, the new one is there" "$(cd "$ds/web" && find . -mindepth 1 | sort | xargs)" "./next ./next/os.raw"
not_ok "the old lease too" has_lease web/data.raw

# Twenty disks; a cdrom that is swapped; an .iso that two VMs read.
head -c 70000 /dev/zero >"$ds/one.iso"
head -c 90000 /dev/zero >"$ds/two.iso"
many=$(for i in $(seq 18); do disk "web/many/$i.raw" 0 1 1 1 1; done | jq -sc .)
update "$web" ".disks = $many + [$(disk one.iso 1 1 0 0 0)]"
is "twenty disks" "$status" 204
is "twenty images with leases" "$(for i in $(seq 18); do owner_is "web/many/$i.raw" "$web" && echo "$i"; done | wc -l)" 18
update "$db" ".disks = [$(disk one.iso 1 1 0 0 0)]"
is "an .iso for two" "$status" 204
update "$web" '(.disks[] | select(.path | endswith(".iso"))).path = "two.iso"' true
is "the cdrom is swapped" "$status" 204
ok "the .iso of others stays" test -f "$ds/one.iso"
update "$web" '.disks = []' true
is "eighteen disks go" "$status" 204
not_ok "with their folder" test -e "$ds/web/many"

# What is swapped after it was checked.
boot() { api POST "/vms/$1/runstate/boot" "${2-}"; }
image=$ds/web/next/os.raw
mv "$image" "$image.aside"
ln -s /dev/null "$image"
boot "$web"
refused "a link in place of an image" 424 'symbolic link'
api DELETE "/vms/$web" '{"deletestorage":true}'
is "is not deleted either" "$status" 200
like "and that is said" "$headers" '299 VirtX "some resources could not be deleted"'
ok "the link is there" test -L "$image"
ok "and its lease" owner_is web/next/os.raw "$web"
ok "the intent waits" test -f "$register/$web.intent"
rm "$image"
mv "$image.aside" "$image"
api DELETE "/vms/$web" '{"deletestorage":true}'
is "the delete is repeated" "$status" 204
not_ok "now all is gone" test -e "$ds/web"
not_ok "the intent too" test -e "$register/$web.intent"
api DELETE "/vms/$web" '{"deletestorage":true}'
is "once more it is unknown" "$status" 404

# Seeds.
ci='{"cloud_init":[{"name":"ci-userdata","value":"#cloud-config\n"}]}'
seed=$ds/ci/$db/seed.iso
boot "$db" '{"cloud_init":[{"name":"ci-metadata","value":"x"}]}'
refused "only metadata" 424 'at least one'
boot "$db" '{"cloud_init":[{"name":"ci-vendordata","value":"x"}]}'
refused "an unknown option" 424 'ci-vendordata'
not_ok "no seed was made" test -e "$ds/ci/$db"
for round in 1 2; do
	boot "$db" "$ci"
	is "boot with a seed, $round" "$status" 204
	is "its mode, $round" "$(stat -c %a "$seed" "$(dirname "$seed")" | xargs)" '640 750'
	api GET "/vms/$db"
	is "it is not in the definition, $round" "$(field '[.def.disks[].path] | tostring | test("seed")')" false
	api DELETE "/vms/$db/runstate/boot" '{"force":2}'
done
boot "$db"
is "boot without" "$status" 204
not_ok "no intent is left" test -e "$register/$db.intent"
api DELETE "/vms/$db/runstate/boot" '{"force":2}'

# A register entry that should not be there is refused, whatever it is.
ghost=aaaaaaaa-1111-4111-8111-aaaaaaaaaaaa
entry=$register/$ghost.xml
hostile() { # what regex
	api PUT "/vms/$ghost/register" '{}'
	refused "register $1" 424 "$2"
	rm -rf "$entry"
}
hostile nothing 'not in the register'
ln -s /etc/passwd "$entry"
hostile "a link" 'not a regular file'
mkfifo "$entry"
hostile "a FIFO" 'not a regular file'
mkdir "$entry"
hostile "a folder" 'not a regular file'
head -c 2097152 /dev/zero >"$entry"
hostile "2 MiB" 'over 1048576 bytes'
head -c 1000 "$register/$db.xml" >"$entry"
hostile "half an entry" 'XML'
cp "$register/$db.xml" "$entry"
hostile "another VM's entry" "another VM: $db"
sed "s/$db/$ghost/g; s#</domain>#<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><qemu:arg value='-S'/></qemu:commandline></domain>#" \
	"$register/$db.xml" >"$entry"
hostile "a command line" 'commandline'
sed "s/$db/$ghost/g" "$register/$db.xml" >"$entry"
hostile "another VM's disk" "belongs to VM db \($db\)"
ok "the daemon is there" curl -sf "http://$server/healthz" -o /dev/null

api DELETE "/vms/$db" '{"deletestorage":true}'
is "delete" "$status" 204
not_ok "the seed went with it" test -e "$ds/ci/$db"
is "nothing is left but what was put there" "$(cd "$ds" && find . -type f -o -type d -empty | grep -v '^./ci$' | sort | xargs)" \
	'./bad.qcow2 ./one.iso ./two.iso'
is "no leases" "$(find "$state/vms/lock" -type f | wc -l)" 0
is "no entries" "$(find "$register" -type f ! -name .lock | wc -l)" 0
daemon_stop
is "it ends in order" "$daemon_status" 0
tap_done
