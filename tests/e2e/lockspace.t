#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Host ids in the lockspace: what a host does whose note of its id (lockid) is gone, empty, garbage or
# another host's, and two hosts that want the same id at the same moment. Without VMs, so libvirt's test
# driver will do.
. tests/e2e/lib.sh
. tests/e2e/libvirtd.sh
. tests/e2e/sanlock.sh
[ "$(id -u)" -eq 0 ] || skip_all "needs root: mount namespaces"

first_id() { echo $((0x$(printf %s "$1" | md5sum | head -c 8) % 2000 + 1)); }
# Two UUIDs whose hosts want the same id.
declare -A uuid seen
while [ -z "${uuid[virt2]:-}" ]; do
	next=$(cat /proc/sys/kernel/random/uuid)
	id=$(first_id "$next")
	if [ -n "${seen[$id]:-}" ] && [ "$id" -lt 2000 ]; then
		uuid[virt1]=${seen[$id]}
		uuid[virt2]=$next
	fi
	seen[$id]=$next
done
wanted=$id
uuid_of() { echo "${uuid[$1]}"; }
run() { virtxd_run "$1" --libvirt-uri test:///default --host-uuid "${uuid[$1]}"; }
for host in virt1 virt2; do
	must "namespaces of $host" host_make "$host"
	must "sanlock on $host" sanlock_start "$host"
done
ok "a cluster is made" "$VIRTX" virtxd --config "$work/virt1/empty.conf" --vms-dir "$vms" --init-cluster
note() { echo "$vms/xml/${uuid[$1]}/lockid"; }
joined_as() { run_on "$1" sanlock client status | sed -n "s/^s $space:\([0-9]*\):.*/\1/p"; }
lockid() {
	on "$1"
	api GET "/hosts/${uuid[$1]}"
	field .lockid
}
lockid_is() { [ "$(lockid "$1")" = "$2" ]; }

# At the same moment, for the same id: one of them takes the next one, at once when it sees the other's
# mark, and otherwise once sanlock knows that it is busy (8 x io_timeout and a minute).
run virt1
run virt2
must "virt1 is ready" wait_for 80 virtxd_is_ready virt1
must "virt2 is ready" wait_for 80 virtxd_is_ready virt2
ids=$(sort -n "$(note virt1)" "$(note virt2)" | xargs)
is "one has the id that both wanted, the other the next" "$ids" "$wanted $((wanted + 1))"
for host in virt1 virt2; do
	is "sanlock of $host says the same" "$(joined_as "$host")" "$(cat "$(note "$host")")"
	ok "GET /hosts of $host too" wait_for 20 lockid_is "$host" "$(cat "$(note "$host")")"
done
own=$(joined_as virt1)
other=$(joined_as virt2)

# While the host is in the lockspace its note does not matter.
for what in gone empty nonsense; do
	case $what in
	gone) rm "$(note virt1)" ;;
	empty) : >"$(note virt1)" ;;
	nonsense) echo -e '\x01\xff' >"$(note virt1)" ;;
	esac
	virtxd_stop virt1 TERM
	is "in the lockspace, lockid is $what: it ends" "$daemon_status" 0
	run virt1
	ok "in the lockspace, lockid is $what: it is ready again" virtxd_wait virt1
	ok "with the id that sanlock has" wait_for 20 lockid_is virt1 "$own"
	is "which stays" "$(joined_as virt1)" "$own"
done

# While it is not: another place is taken, and the bad note is kept aside and named.
rejoin() { # what was done to lockid by the arguments
	sanlock_kill virt1
	wait_for 15 not_ready virt1
	rm -rf "$(note virt1)" "$(note virt1).bad"
	"$@"
	since=$(date +%s)
	sanlock_start virt1
}
aside() { grep -c 'lockid cannot be understood and is put aside' "$work/virt1/daemon.log"; }
make_empty() { : >"$(note virt1)"; }
make_garbage() { head -c 4096 /dev/urandom >"$(note virt1)"; }
make_number() { echo 2001 >"$(note virt1)"; }
make_much() { yes 7 | head -c 1000000 >"$(note virt1)"; }
make_fifo() { mkfifo "$(note virt1)"; }
make_link() { ln -s /etc/passwd "$(note virt1)"; }
make_folder() { mkdir "$(note virt1)"; }
for what in empty garbage number much fifo link folder; do
	before=$(aside)
	ok "out of the lockspace, lockid is $what" rejoin "make_$what"
	ok "the host joins" wait_for 30 virtxd_is_ready virt1
	tap_result "$([ $(($(date +%s) - since)) -le 15 ]; echo $?)" "within 15 s" "$(($(date +%s) - since)) s"
	is "it is named in the log" "$(($(aside) - before))" 1
	ok "and kept aside" test -e "$(note virt1).bad" -o -L "$(note virt1).bad"
	is "the new note is what sanlock has" "$(cat "$(note virt1)")" "$(joined_as virt1)"
	tap_result "$([ "$(joined_as virt1)" != "$other" ]; echo $?)" "nobody else's"
done
ok "out of the lockspace, lockid is gone" rejoin true
ok "the host joins" wait_for 30 virtxd_is_ready virt1
is "the new note is what sanlock has" "$(cat "$(note virt1)")" "$(joined_as virt1)"

# The id of a host that lives, as after copying a machine: that id and no other is tried, and it says so.
take_others() { echo "$other" >"$(note virt1)"; }
ok "lockid is another host's" rejoin take_others
why() { curl -s "http://$server/readyz" | grep -q "host id $other is in use by virt2"; }
on virt1
ok "it is told whose that is" wait_for 90 why
is "the other host is in its place" "$(joined_as virt2)" "$other"
on virt2
is "and does not notice" "$(curl -s -o "$work/readyz" -w '%{http_code}' "http://$server/readyz")" 200
rm "$(note virt1)"
ok "without the note the host joins" wait_for 100 virtxd_is_ready virt1
tap_result "$([ "$(joined_as virt1)" != "$other" ]; echo $?)" "in a place of its own"
for host in virt1 virt2; do
	virtxd_stop "$host" TERM
	is "$host ends with 0" "$daemon_status" 0
done
tap_done
