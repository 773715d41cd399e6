#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# virtx fsck: for each of its rules one violation is planted in the storage of a real daemon, which it
# must find, without finding others, and repair where it says that it can.
. tests/e2e/lib.sh
base=$work/base
ghost=aaaaaaaa-1111-4111-8111-aaaaaaaaaaaa
other=bbbbbbbb-2222-4222-8222-bbbbbbbbbbbb

fsck() { "$VIRTX" fsck --standalone --state-dir "$state" "$@"; }
# What a check prints, as words: damage, or with -v all.
words() { awk -v all="$1" '$1 ~ /^(ERROR|WARN)$/ || (all && $1 == "INFO") {print $2}' | sort -u | xargs; }
fsck_words() { fsck "$@" | words "$1"; } # [-v]

# A daemon's own: VMs with disks of each kind, a seed, an .iso.
must "the daemon becomes ready" daemon_start
mkdir -p "$state/vms/ds"
head -c 70000 /dev/zero >"$state/vms/ds/tools.iso"
must "create web" create_vm < <(definition web 32 "$(disk web/os.qcow2 0 0 1 1 16)" \
	"[$(disk web/data.raw 0 0 1 2 1), $(disk tools.iso 1 1 0 0 0)]")
web=$vm
must "create db" create_vm < <(definition db 32 "$(disk db.raw 0 0 1 1 4)")
db=$vm
api POST "/vms/$db/runstate/boot" '{"cloud_init":[{"name":"ci-userdata","value":"#cloud-config\n"}]}'
is "boot with a seed" "$status" 204
is "clean while a guest runs" "$(fsck -v)" "$(fsck)"
api DELETE "/vms/$db/runstate/boot" '{"force":2}'
api GET "/vms/$web"
web_def=$(field .def)

# Beside a daemon that works: what it is in the middle of is no damage.
busy() {
	local i
	for i in 1 2 3 4; do
		create_vm < <(definition "busy$i" 16 "$(disk "busy/$i.qcow2" 0 0 1 1 8)" "[$(disk "busy/$i.raw" 0 0 1 2 4)]") || return 1
		api PUT "/vms/$vm" "$(jq -n --argjson vmdef "$(curl -s "http://$server/vms/$vm" | jq '.def | .disks = []')" '{vmdef: $vmdef, deletestorage: true}')"
		api DELETE "/vms/$vm" '{"deletestorage":true}'
	done
	: >"$work/not-busy"
}
busy &
looks=0 dirty=0
until [ -e "$work/not-busy" ] || [ "$looks" -gt 2000 ]; do
	fsck >"$work/look" || {
		dirty=$((dirty + 1))
		sed 's/^/# /' "$work/look"
	}
	looks=$((looks + 1))
done
wait $!
echo "# $looks looks at a daemon that works"
is "nothing is found beside a daemon that works" "$dirty" 0
ok "and it was looked at often" test "$looks" -ge 10
daemon_stop
is "it ends in order" "$daemon_status" 0

ok "clean" fsck
is "not a word but the summary" "$(fsck)" "checked 2 VMs of 1 host, 5 leases, 4 images (0.0 GiB): 0 errors, 0 warnings, 0 remarks"
is "the same as data" "$(fsck -o json | jq -c '[.errors, .warnings, .findings, .unseen, .checked.vms]')" '[0,0,[],[],2]'
hash_of() { (cd "$state" && find . -type f -printf '%p %i %T@ %m\n' | sort | md5sum); }
before=$(hash_of)
fsck >/dev/null
is "it changes nothing" "$(hash_of)" "$before"
cp -a --sparse=always "$state" "$base"

# Where things are, relative to the storage.
fresh() {
	rm -rf "$state"
	cp -a --sparse=always "$base" "$state"
}
host=$(ls "$state/vms/xml")
entries=xml/$host
lease_of() { printf %s "$1" | md5sum | cut -c1-32; }
domain_of() { echo "$state/qemu/etc/qemu/$1.xml"; }
# Makes a lease: NAME OWNER
plant_lease() {
	mkdir -m 2771 "lock/$1" && truncate -s 1M "lock/$1/$1" && chmod 660 "lock/$1/$1"
	own_lease "$1" "$2"
}
own_lease() { printf %s "$2" | dd of="lock/$1/$1" bs=512 seek=2002 conv=notrunc status=none; }
plant_host() { mkdir -m 750 "xml/$other"; }
# In entry and definition: VM SED
change_both() { sed -i "$2" "$entries/$1.xml" "$(domain_of "$1")"; }
intent() { # vm
	jq -n --arg vm "$1" --argjson vmdef "$web_def" '{op: "delete", vm: $vm, remove: true, forward: false, def: $vmdef, made: []}' \
		>"$entries/$1.intent"
}

# Runs one case: RULE PLANT [WORDS], in the storage of a fresh copy. The rule must be found, and
# nothing else but WORDS; when it can be repaired only what "left" says may remain.
declare -A planted severity repairs
"$VIRTX" fsck --list-rules -o json >"$work/rules.json"
while IFS=$'\t' read -r rule word does; do
	severity[$rule]=$word
	repairs[$rule]=$does
done < <(jq -r '.[] | [.rule, .severity, .repair] | @tsv' "$work/rules.json")
left=
case_of() {
	local rule=$1 all='' status
	planted[$rule]=1
	fresh
	(cd "$state/vms" && eval "$2") >"$work/plant.out" 2>&1 || {
		tap_result 1 "$rule: planted" "$(cat "$work/plant.out")"
		return
	}
	[ "${severity[$rule]}" != INFO ] || all=-v
	# shellcheck disable=SC2086
	fsck $all >"$work/found.out"
	status=$?
	is "$rule: found ($2)" "$(words $all <"$work/found.out")" "$(tr ' ' '\n' <<<"$rule ${3:-}" | sort -u | xargs)"
	is "$rule: exit status" "$status" "$([ "$all" ] && echo 0 || echo 1)"
	[ -n "${repairs[$rule]}" ] || return
	fsck --repair --yes >"$work/repair.out"
	is "$rule: repaired" "$(fsck_words)" "$left" || sed 's/^/# /' "$work/repair.out"
}

case_of marker 'rm .virtx-cluster'
case_of marker 'echo "{}" >.virtx-cluster'
case_of cluster-key 'head -c 32 /dev/urandom | od -An -tx1 | tr -d " \\n" >.virtx-key; chmod 640 .virtx-key'
case_of cluster-key 'echo 1234 >.virtx-key; chmod 600 .virtx-key'
case_of missing-folder 'rm -r ds' 'missing-image missing-unmanaged'
case_of missing-folder 'rm -r xml; ln -s /tmp xml' 'not-registered unseen'
for way in ': >$e' 'truncate -s 100 $e' 'head -c 3000 /dev/urandom >$e' 'truncate -s 2M $e' 'rm $e; ln -s /etc/passwd $e' \
	'rm $e; mkdir -m 640 $e' 'echo "<domain/>" >$e'; do
	case $way in
	*mkdir*) left=bad-entry ;; # a folder is not replaced
	esac
	case_of bad-entry "e=$entries/$web.xml; $way"
	left=
done
case_of entry-uuid "cp $entries/$db.xml $entries/$web.xml"
case_of conflict "plant_host; cp -p $entries/$web.xml xml/$other"
case_of not-defined "rm $(domain_of "$web")"
case_of not-registered "rm $entries/$web.xml"
case_of registered-elsewhere "plant_host; mv $entries/$web.xml xml/$other"
case_of bad-domain "truncate -s 300 $(domain_of "$web")"
case_of entry-differs "sed -i s/ua-M_/ua-U_/ $entries/$web.xml"
case_of entry-differs "sed -i s#web/data.raw#web/date.raw# $entries/$web.xml" 'no-lease missing-image'
vanish() { rm -r "$entries/$db.xml" "$(domain_of "$db")" ds/db.raw "ds/ci/$db" "lock/$(lease_of db.raw)"; }
case_of lost-vm "vanish; rm -r lock/vm-$db"
case_of lost-vm "vanish; plant_host" orphan-lease
fresh
(cd "$state/vms" && vanish && rm -r "lock/vm-$db" && plant_host)
is "with other hosts, one of which nothing is left may have been taken over and deleted there" "$(fsck_words)" ''
case_of undeleted-vm "jq '.items |= [(.[] | select(.vm == \"$web\") | .kind = \"delete\")] + .' $state/operations.json >x; mv x $state/operations.json"
remember() { # how many records
	fresh
	jq --arg vm "$ghost" --argjson n "$1" '(.items[0] | .kind = "create" | .vm = $vm | .state = "completed" | .error = null |
		.key = "k" | .fingerprint = "f") as $keyed | .items = [range($n) as $i | .items[0]] + .items + [$keyed]' \
		"$base/operations.json" >"$state/operations.json"
}
remember 0
is "a VM whose create is remembered must be there" "$(fsck_words)" lost-vm
remember 1000
is "unless its delete may have been forgotten" "$(fsck_words)" ""
case_of bad-lockid "head -c 20 /dev/urandom >$entries/lockid; chmod 640 $entries/lockid"
case_of bad-lockid "printf 2001 >$entries/lockid; chmod 640 $entries/lockid"
case_of same-lockid "plant_host; echo 7 | tee $entries/lockid >xml/$other/lockid; chmod 640 xml/*/lockid"
l=$(lease_of web/os.qcow2)
for way in ': >$f' 'truncate -s 2002b $f' 'own_lease $l NOT-A-UUID-BUT-THIRTY-SIX-BYTES-LONG' 'own_lease $l ${web^^}' \
	'own_lease $l "${web}x"' 'rm $f' 'rm $f; mkfifo $f' 'rm $f; ln -s /dev/zero $f'; do
	case_of bad-lease "f=lock/$l/$l; ${way//2002b/1025024}"
done
case_of bad-lease 'echo x >lock/note'
case_of orphan-lease "plant_lease vm-$ghost $ghost"
case_of orphan-lease "plant_lease scsi-36001405 $ghost"
case_of orphan-image "plant_lease $(lease_of old/os.raw) $ghost; mkdir ds/old; truncate -s 1M ds/old/os.raw"
ok "the image stays" test -f "$state/vms/ds/old/os.raw"
case_of unused-lease "plant_lease $(lease_of gone.raw) $web"
case_of no-lease "rm -r lock/$l"
ok "the lease that was made is the VM's" "$VIRTX" check-lvb "$state/vms/lock/$l/$l" "$web"
case_of wrong-owner "own_lease $l $db"
case_of wrong-owner "own_lease $l $ghost"
case_of wrong-owner "own_lease vm-$web $db"
case_of shared-disk "change_both $db s#/db.raw#/web/data.raw#" 'unused-lease wrong-owner'
case_of same-storage 'ln -f ds/db.raw ds/web/data.raw'
case_of missing-image 'rm ds/web/data.raw'
case_of bad-image 'mv ds/web/data.raw x; ln -s ../../x ds/web/data.raw'
case_of bad-image 'mv ds/web x; ln -s ../x ds/web'
case_of bad-image 'rm ds/tools.iso; mkfifo ds/tools.iso'
case_of missing-unmanaged 'rm ds/tools.iso'
case_of orphan-seed "mkdir -m 750 ds/ci/$ghost; echo x >ds/ci/$ghost/seed.iso; chmod 640 ds/ci/$ghost/seed.iso"
not_ok "nothing of it stays" test -e "$state/vms/ds/ci/$ghost"
case_of seed-readable "chmod 644 ds/ci/$db/seed.iso"
case_of seed-readable "chmod 755 ds/ci/$db"
is "its modes are right" "$(stat -c %a "$state/vms/ds/ci/$db/seed.iso" "$state/vms/ds/ci/$db" | xargs)" '640 750'
case_of seed-defined "sed -i 's#</devices>#<disk type=\"file\" device=\"cdrom\"><source file=\"$state/vms/ds/ci/$db/seed.iso\"/><target dev=\"sda\" bus=\"scsi\"/></disk></devices>#' $(domain_of "$db")"
for way in "750 777 $entries" "2771 755 lock" "2771 700 lock/vm-$web" "660 666 lock/vm-$web/vm-$web" "640 644 $entries/$web.xml" '750 777 ds'; do
	read -r right wrong path <<<"$way"
	case_of mode "chmod $wrong $path"
	is "$path has its mode" "$(stat -c %a "$state/vms/$path")" "$right"
done
case_of seed-lease "plant_lease $(lease_of "ci/$db/seed.iso") $db"
for path in "lock/$l-tmp1234567890" "lock/$l-tmp$ghost-aBc123" lock-tmpabc; do
	case_of lease-temporary "mkdir $path; echo x >$path/__VIRTX__DISKS__"
done
case_of image-temporary "echo x >ds/web/.virtx-$web-aBc123.tmp"
case_of image-temporary "mkdir -m 700 ds/ci/$db/.virtx-$db-aBc123.tmp; echo x >ds/ci/$db/.virtx-$db-aBc123.tmp/user-data"
for path in "$entries/$web.tmp-aBc123" "$entries/lockid.tmp-aBc123" .virtx-cluster.new-aBc123.tmp-aBc123 .virtx-key.new-aBc123; do
	case_of register-temporary "echo x >$path"
done
case_of interrupted "intent $web"
case_of interrupted "intent $web; rm -r lock/$l ds/web $entries/$web.xml"
case_of bad-intent "echo '{' >$entries/$web.intent"
case_of set-aside "echo '{' >$entries/$web.intent.bad"
case_of set-aside "echo x >$entries/lockid.bad; chmod 640 $entries/lockid.bad"
case_of other-hosts plant_host
case_of no-vm-lease "rm -r lock/vm-$web"
case_of unreferenced 'echo x >ds/more.iso'

# With a virtxd (its lock): what it works on is in progress; what it could be using stays.
served() { # command...
	flock -x "$state/vms/$entries/.lock" "$@"
}
fresh
(cd "$state/vms" && intent "$web" && rm -r "lock/$l" && mkdir "lock/$l-tmp$web-aBc123")
planted[in-progress]=1
is "in-progress: found" "$(served "$VIRTX" fsck --standalone --state-dir "$state" | awk '{print $1, $2}')" $'INFO in-progress\nchecked 2'
ok "in-progress: is no damage" served "$VIRTX" fsck --standalone --state-dir "$state"
fresh
(cd "$state/vms" && rm -r "lock/$l" && mkdir lock/x-tmp1 lock/y-tmp2 && touch -d '1 hour ago' lock/y-tmp2)
served "$VIRTX" fsck --standalone --state-dir "$state" --repair --yes >"$work/out"
is "exit status of half a repair" $? 1
is "what is young stays, what is old goes" "$(cd "$state/vms/lock" && echo ./*-tmp*)" ./x-tmp1
like "and it says why" "$(cat "$work/out")" 'not repaired: a virtxd runs'
is "the lease waits for the virtxd" "$(fsck_words)" 'lease-temporary no-lease'

# Asking.
ask() { tests/e2e/terminal.py 20 '<make the lease\? .y/N. ' ">$1\\r" -- "$VIRTX" fsck --standalone --state-dir "$state" --repair; }
rm -r "$state/vms/lock/x-tmp1"
ask n >"$work/out"
is "no is no" "$(fsck_words)" no-lease
ask y >"$work/out"
is "yes is yes" "$(fsck_words)" ''

# More folders below each other than anybody makes are not followed for ever.
fresh
(cd "$state/vms/ds" && for i in $(seq 70); do mkdir d && cd d || exit; done)
fsck >"$work/out"
is "endless folders: exit status" $? 2
like "endless folders: why" "$(cat "$work/out")" '^WARN  unseen .*more than 64 folders deep'
fresh

# Hostile names reach a terminal as text.
printf x >"$state/vms/ds/"$'a\e[2Jb\n'
like "names are escaped" "$(fsck -v)" 'ds/a.x1b\[2Jb.n: no VM has it'

# In a cluster: sanlock's files, and libvirt asked where it is.
cluster=$work/cluster
"$VIRTX" virtxd --init-cluster --vms-dir "$cluster" >/dev/null
mkdir -m 750 "$cluster/xml/$host"
check_cluster() { # libvirt-uri options...
	"$VIRTX" fsck --vms-dir "$cluster" --state-dir "$work" --host-uuid "$host" --libvirt-uri "$@"
}
cluster_words() { check_cluster "$@" | words "$2"; } # libvirt-uri [-v]
ok "a cluster that is new is clean" check_cluster test:///default
planted[no-lockid]=1
is "no-lockid: found" "$(cluster_words test:///default -v)" no-lockid
planted[lockspace]=1
echo 7 >"$cluster/xml/$host/lockid"
chmod 640 "$cluster/xml/$host/lockid"
mkdir -m 2771 "$cluster/lock"
chgrp sanlock "$cluster/lock" 2>/dev/null
ok "an empty folder of leases is made a lockspace" check_cluster test:///default
head -c 4096 /dev/urandom >"$cluster/lock/__VIRTX__DISKS__"
is "lockspace: found" "$(cluster_words test:///default)" lockspace
: >"$cluster/lock/__VIRTX__DISKS__"
is "lockspace: found when it is empty" "$(cluster_words test:///default)" lockspace
rm "$cluster/lock/__VIRTX__DISKS__"
away="qemu+unix:///system?socket=$work/nothing"
check_cluster "$away" >"$work/out"
is "libvirtd is down: not everything was checked" $? 2
like "and it is said" "$(cat "$work/out")" '^WARN  unseen +the VMs that libvirt has here: .*NOT everything could be checked|^WARN  unseen .*nothing'
like "in the summary too" "$(cat "$work/out")" 'NOT everything could be checked$'
mkdir -m 750 "$cluster/ds/ci" "$cluster/ds/ci/$ghost"
check_cluster "$away" --repair --yes >"$work/out"
is "found without libvirtd" $? 1
ok "and left, as the VM may be there" test -d "$cluster/ds/ci/$ghost"
check_cluster test:///default --repair --yes >"$work/out"
is "with it: repaired" $? 0

# What is no storage, and what it does not understand.
refused() { # what regex options...
	local what=$1 regex=$2
	shift 2
	"$VIRTX" fsck "$@" >"$work/out" 2>&1 </dev/null
	is "$what: exit status" $? 2
	like "$what: why" "$(cat "$work/out")" "$regex"
}
refused "no storage" "cannot open the storage" --standalone --state-dir "$state" --vms-dir "$work/nothing"
refused "no identity" 'which host this is' --vms-dir "$cluster" --state-dir "$work/nothing"
refused "a bad setting" 'lock_manager' --lock-manager none
refused "nobody to ask" '--yes' --standalone --state-dir "$state" --repair
refused "repairs as data" 'text only' --standalone --state-dir "$state" --repair --yes -o json
refused "an operand" 'no operands' --standalone web

is "every rule has its case" "$(printf '%s\n' "${!planted[@]}" | sort)" "$(jq -r '.[].rule' "$work/rules.json" | sort)"
is "the table is what is printed" "$(fsck --list-rules --no-headers | wc -l)" "$(jq length "$work/rules.json")"
fresh
start=$(date +%s%N)
for _ in 1 2 3 4 5 6 7 8 9 10; do fsck >/dev/null; done
echo "# one check takes $((($(date +%s%N) - start) / 10000000)) ms"
must "the daemon starts on what was checked" daemon_start
ok "and all is clean" fsck
tap_done
