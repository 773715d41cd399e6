#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# virtx fsck on two hosts that share one storage, with real sanlock daemons and libvirtd: what it finds
# beside VMs that run, which leases it may touch, and what it says when libvirtd is away.
. tests/e2e/lib.sh
. tests/e2e/libvirtd.sh
. tests/e2e/sanlock.sh
[ "$(id -u)" -eq 0 ] || skip_all "needs root: mount namespaces and the system's libvirt"
lock=$vms/lock
words() { awk '$1 ~ /^(ERROR|WARN)$/ {print $2}' | sort -u | xargs; }
found() { fsck_on "$@" | words; }
lease_of() { printf %s "$1" | md5sum | cut -c1-32; }

for host in virt1 virt2; do
	must "namespaces of $host" host_make "$host"
	must "sanlock on $host" sanlock_start "$host"
	must "libvirtd on $host" libvirtd_on "$host"
done
ok "a cluster is made" "$VIRTX" virtxd --config "$work/virt1/empty.conf" --vms-dir "$vms" --init-cluster
virtxd_run virt1
must "virt1 is ready" virtxd_wait virt1
virtxd_run virt2
must "virt2 is ready" virtxd_wait virt2

on virt1
must "create web" create_vm < <(definition web 32 "$(disk web.qcow2 0 0 1 1 4)" "[$(disk data.raw 0 0 1 2 1)]")
web=$vm
on virt2
must "create db" create_vm < <(definition db 32 "$(disk db.raw 0 0 1 1 4)")
db=$vm
on virt1
api POST "/vms/$web/runstate/boot" '{"cloud_init":[{"name":"ci-userdata","value":"#cloud-config\n"}]}'
is "boot with a seed" "$status" 204
ok "its lease is there" test -d "$lock/$(lease_of "ci/$web/seed.iso")"
for host in virt1 virt2; do
	fsck_on "$host" >"$work/out"
	is "clean beside a guest that runs, on $host" $? 0
	like "what the other has is not seen, on $host" "$(cat "$work/out")" '^INFO  other-hosts +xml: 1 other hosts'
done
ok "nobody has been kept out" run_on virt1 virsh -q -c "$(host_uri virt1)" domstate "$web"

# A lease that a guest holds is not touched, whatever the definitions say.
virtxd_stop virt1 TERM
cp -a "$vms/xml" "$work/xml"
rm "$vms/xml/$(uuid_of virt1)/$web.xml"
is "its entry is gone" "$(found virt2)" 'orphan-image orphan-lease orphan-seed'
fsck_on virt2 --repair --yes >"$work/out"
is "what can be repaired of that" $? 1
is "leases of a guest that runs stay" "$(grep -c 'not repaired: .* is in use on virt1' "$work/out")" 4
ok "and its seed" test -e "$vms/ds/ci/$web/seed.iso"
ok "the lease of its disk is there" test -d "$lock/$(lease_of web.qcow2)"
is "on its host it is seen what is wrong" "$(found virt1)" not-registered
fsck_on virt1 --repair --yes >"$work/out"
is "and can be repaired" "$? $(found virt1)" '0 '

# It is stopped while no virtxd sees it: the lease of its seed stays.
run_on virt1 virsh -q -c "$(host_uri virt1)" destroy "$web" >/dev/null
rm -rf "$vms/ds/ci/$web"
is "the lease of a seed" "$(found virt1)" seed-lease
is "is none of the other host's business" "$(found virt2)" ''
rm -r "${lock:?}/$(lease_of data.raw)"
is "a lease is missing" "$(found virt1)" 'no-lease seed-lease'
fsck_on virt1 --repair --yes >"$work/out"
is "both are repaired" "$? $(found virt1)" '0 '
like "sanlock knows the new one" "$(sanlock direct read_leader -r "$space:$(lease_of data.raw):$lock/$(lease_of data.raw)/$(lease_of data.raw):0")" \
	"space_name $space"

# What sanlock must be able to read.
file=$lock/$(lease_of data.raw)/$(lease_of data.raw)
head -c 512 /dev/zero | dd of="$file" conv=notrunc status=none
is "a lease that sanlock did not format" "$(found virt1)" bad-lease
rm -r "${lock:?}/$(lease_of data.raw)"
fsck_on virt1 --repair --yes >"$work/out"
is "made anew" "$? $(found virt1)" '0 '
chgrp root "$lock/$space"
is "the group of the lockspace" "$(found virt1)" mode
fsck_on virt1 --repair --yes >"$work/out"
is "is set" "$? $(stat -c '%a %G' "$lock/$space")" '0 660 sanlock'

# A domain on the wrong host.
run_on virt1 virsh -q -c "$(host_uri virt1)" dumpxml --inactive "$web" >"$work/web.xml"
run_on virt2 virsh -q -c "$(host_uri virt2)" define "$work/web.xml" >/dev/null
is "defined on two hosts" "$(found virt2)" registered-elsewhere
run_on virt2 virsh -q -c "$(host_uri virt2)" undefine "$web" >/dev/null

# libvirtd hangs, then is away.
kill -STOP "${host_libvirtd_pid[virt1]}"
start=$SECONDS
fsck_on virt1 >"$work/out"
is "beside a libvirtd that hangs" $? 2
ok "it does not wait for ever" test $((SECONDS - start)) -le 15
kill -CONT "${host_libvirtd_pid[virt1]}"
kill "${host_libvirtd_pid[virt1]}"
wait "${host_libvirtd_pid[virt1]}" 2>/dev/null
host_libvirtd_pid[virt1]=
rm -rf "$vms/xml/$(uuid_of virt1)/$web.xml"
fsck_on virt1 --repair --yes >"$work/out"
is "without libvirtd" $? 1
is "nothing is removed for a VM that may be there" "$(grep -c 'not repaired: not everything could be looked at' "$work/out")" 3
cp -a "$work/xml/$(uuid_of virt1)/$web.xml" "$vms/xml/$(uuid_of virt1)"
fsck_on virt1 >"$work/out"
is "what is not seen is not clean" $? 2
like "and it says so" "$(cat "$work/out")" 'NOT everything could be checked'
tap_done
