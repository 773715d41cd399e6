#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What goes wrong in the middle of a live migration: daemons, libvirts, guests and whole hosts are killed, the
# cable is cut, the register refuses. The guest writes faster than its memory is sent, so that the middle lasts
# as long as it is needed. Within 60 s of everything being back there is one copy and one register entry.
. tests/e2e/lib.sh
. tests/e2e/hosts.sh
[ "$(id -u)" -eq 0 ] || skip_all "needs root: namespaces and the system's libvirt"
need_guests
only=${1:-} # cases, as an extended regular expression; else all

must "two hosts" hosts_up 2
must "a guest that writes" vm_dirty virt1 dirty
dirty=$vm
from=virt1
to=virt2
figures=()

no_intents() { [ -z "$(find "$vms/xml" -name '*.intent')" ]; }
settled_on() { # host
	no_intents && runs_once "$dirty" "$1"
}
off_on() { # host
	no_intents && is_off_once "$dirty" "$1"
}
operations_done() { [ "$(host_get "$1" /operations | jq '[.items[] | select(.state == "running")] | length')" = 0 ]; }
fast() { virsh_on "$from" migrate-setspeed "$dirty" 2000; }

# The middle of a move. What the case does comes next, then closes.
begin() {
	on "$from"
	wait_for 60 hosts_see_each_other || return 1
	virsh_on "$from" migrate-setspeed "$dirty" 2
	migrate "$dirty" "$to" 1 && wait_for 30 migrates "$from" "$dirty"
}
# It is all right again, with a guest that runs (or is off) on a host, since `back` was said.
back() { since=$(date +%s%N); }
closes() { # condition host
	wait_for 60 "$@"
	local result=$?
	figures+=("$((($(date +%s%N) - since) / 100000000))")
	tap_result $result "$name: within 60 s $1 $2" "$(where "$dirty"), intents: $(find "$vms/xml" -name '*.intent')"
	for host in virt1 virt2; do ok "$name: no operation goes on at $host" wait_for 10 operations_done "$host"; done
	all_is_well "$name"
	like "$name: its log" "$(migrate_log "$2" "$dirty")" "$3"
	# What is left of a fault is none of the next case's.
	must "$name: a guest that runs" runs_again "$2"
	from=$2
	[ "$from" = virt1 ] && to=virt2 || to=virt1
}
runs_again() { # host
	on "$1"
	! is_off_once "$dirty" "$1" || wait_for 120 boots || return 1
	wait_for 240 runs_once "$dirty" "$1"
}
boots() { api POST "/vms/$dirty/runstate/boot" && [ "$status" = 204 ]; }
gone_from() { [[ "$(defined "$dirty")" != *"$1:"* ]]; }
came_to() { [ "$(virsh_on "$1" domstate "$dirty")" = running ]; }
failed="^failed live migration from"
moved='^completed live migration from .*Migrated\.$'

case_source_daemon() {
	virtxd_stop "$from" KILL
	host_virtxd "$from"
	ok "$name: back" virtxd_wait "$from"
	goes_on() { [ "$(virsh_on "$from" domstate "$dirty") $(migrate_state "$from" "$dirty")" = "running 4" ]; }
	ok "$name: it goes on" wait_for 10 goes_on
	ok "$name: as an operation" not_done "$from"
	fast
	back
	closes settled_on "$to" "$moved"
}
not_done() { ! operations_done "$1"; }

case_source_daemon_ends() { # as for an update of the package
	virtxd_stop "$from" TERM
	is "$name: it ends well" "$daemon_status" 0
	is "$name: the guest moves on" "$(virsh_on "$from" domjobinfo "$dirty" | grep -c 'Unbounded')" 1
	host_virtxd "$from"
	ok "$name: back" virtxd_wait "$from"
	on "$from"
	api DELETE "/vms/$dirty/runstate/migrate"
	is "$name: it can be aborted" "$status" 204
	back
	closes settled_on "$from" "$failed"
}

case_target_daemon() {
	virtxd_stop "$to" KILL
	fast
	ok "$name: it moves all the same" wait_for 60 came_to "$to"
	host_virtxd "$to"
	ok "$name: back" virtxd_wait "$to"
	back
	closes settled_on "$to" "$moved"
}

case_both_daemons_middle() {
	virtxd_stop "$from" KILL
	virtxd_stop "$to" KILL
	for host in virt1 virt2; do host_virtxd "$host"; done
	for host in virt1 virt2; do ok "$name: $host is back" virtxd_wait "$host"; done
	fast
	back
	closes settled_on "$to" "$moved"
}

case_both_daemons_end() { # it ends while nobody looks
	virtxd_stop "$from" KILL
	virtxd_stop "$to" KILL
	fast
	ok "$name: it ends" wait_for 60 gone_from "$from"
	for host in virt1 virt2; do host_virtxd "$host"; done
	for host in virt1 virt2; do ok "$name: $host is back" virtxd_wait "$host"; done
	back
	closes settled_on "$to" "$moved"
}

case_source_daemon_later() { # the other host takes over what is its own meanwhile
	virtxd_stop "$from" KILL
	fast
	ok "$name: it ends" wait_for 60 gone_from "$from"
	registered_there() { [ "$(registered "$dirty")" = "$to" ]; }
	ok "$name: $to has it in its register" wait_for 60 registered_there
	host_virtxd "$from"
	ok "$name: back" virtxd_wait "$from"
	back
	closes settled_on "$to" "$moved"
}

guest_dies() { # host
	for pid in $(processes_in "$(host_network "$1")"); do
		[[ "$(readlink "/proc/$pid/exe")" != *qemu-system* ]] || kill -9 "$pid"
	done
	back
}
case_target_guest() {
	guest_dies "$to"
	closes settled_on "$from" "$failed"
}
case_source_guest() {
	guest_dies "$from"
	closes off_on "$from" "$failed"
}

libvirt_dies() { # host
	host_libvirtd_kill "$1"
	ok "$name: it starts again" libvirtd_on "$1" --listen
	back
	closes settled_on "$from" "$failed"
}
case_target_libvirt() { libvirt_dies "$to"; }
case_source_libvirt() { libvirt_dies "$from"; }

case_cable() {
	host_cut "$to"
	cut=$SECONDS
	ok "$name: the move fails" wait_for 90 has_ended "$from"
	echo "# figures: a move through a cable that was cut ends after $((SECONDS - cut)) s"
	like "$name: as it should" "$(operation_at "$from")" '^failed '
	host_join "$to"
	back
	closes settled_on "$from" "$failed"
}

case_cable_short() { # TCP repairs what is lost for 10 s
	host_cut "$to"
	cut=$SECONDS
	ok "$name: for ten seconds" wait_for 15 eval "[ $((SECONDS + 10)) -le \$SECONDS ]"
	host_join "$to"
	fast
	back
	closes settled_on "$to" "$moved"
}

case_register() { # somebody's folder is where the entry belongs
	mkdir "$vms/xml/$(uuid_of "$to")/$dirty.xml"
	fast
	ok "$name: it moves" wait_for 60 gone_from "$from"
	ok "$name: it runs there" wait_for 10 came_to "$to"
	on "$to"
	api POST "/vms/$dirty/runstate/pause"
	api DELETE "/vms/$dirty/runstate/pause"
	ok "$name: and beats" beats_on "$to" "$dirty"
	rmdir "$vms/xml/$(uuid_of "$to")/$dirty.xml"
	back
	closes settled_on "$to" '^completed live migration from .*Migrated\.$'
}

case_target_host() {
	host_kill "$to"
	ok "$name: the move fails" wait_for 90 has_ended "$from"
	ok "$name: the guest runs on" beats_on "$from" "$dirty"
	ok "$name: power is back" host_up "$to"
	back
	closes settled_on "$from" "$failed"
}

case_source_host() {
	host_kill "$from"
	ok "$name: what had come is gone" wait_for 60 eval "[ -z \"\$(copies $dirty)\" ]"
	ok "$name: power is back" host_up "$from"
	back
	closes off_on "$from" "$failed"
}

case_source_host_late() { # when the guest runs over there
	fast
	wait_for 60 came_to "$to"
	host_kill "$from"
	ok "$name: it runs" beats_on "$to" "$dirty"
	ok "$name: power is back" host_up "$from"
	back
	closes settled_on "$to" '^(completed|started) live migration'
}

case_target_host_late() {
	fast
	wait_for 60 gone_from "$from"
	host_kill "$to"
	ok "$name: power is back" host_up "$to"
	back
	closes off_on "$to" '^(completed|started) live migration'
}

for name in $(declare -F | sed -n 's/^declare -f case_//p' | grep -xE "${only:-.*}"); do
	must "$name: in the middle of a move" begin
	"case_$name"
done
echo "# figures: tenths of a second until everything is right again: ${figures[*]}"
tap_done
