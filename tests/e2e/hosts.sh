# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A cluster of real hosts virt1 ... virtN at 10.99.0.N: sanlock.sh's, each also with a network interface in one
# bridge, names for all, a libvirtd that others reach, and a serf agent. Guests migrate between them.
# Whatever listens does so in those networks only. Source after lib.sh, as root.
#
#   hosts_up N [virtxd option...]   hosts 1 to N, a cluster, a virtxd on each, ready and listing each other
#   host_up HOST [option...]        one more; or one that was killed is switched on again
#   host_kill HOST                  power loss: all that runs there is gone at once, QEMU too
#   host_cut HOST, host_join HOST   its cable; nothing is told, packets just vanish
#   virtxd_restart HOST [SIGNAL]    virtxd_stop and virtxd_run of sanlock.sh, with this file's options
#   on HOST                         where `api` and `curl` go
#   run_on HOST, virsh_on HOST, fsck_on HOST
#   vm_create HOST [ISO] [filter]   a guest from guest.iso, guest-beat.iso or guest-dirty.iso with a disk; sets $vm
#   beats HOST VM, beats_on HOST VM a guest's last heartbeat there; whether it goes on
#   runs_once VM HOST               it runs there, and nowhere else is a QEMU of it; registered there only
#   hosts_agree                     every node lists what every libvirt has, and fsck finds nothing
. tests/e2e/libvirtd.sh
. tests/e2e/sanlock.sh
. tests/e2e/serf.sh
hosts=()
hosts_bridge=vx$$
hosts_options=()
lock=$vms/lock

host_address() { echo "10.99.0.${1#virt}"; }
host_api() { echo "$(host_address "$1"):8080"; }
host_port() { echo "vx$$-${1#virt}"; } # its end of the cable in the bridge

# The cable, and a /sys that shows the host's own network. 10.99.0.N is known in the hosts only, so suites may run side by side.
host_plug() { # host
	run_on "$1" mount -t sysfs sysfs /sys &&
		ip link add "$(host_port "$1")" type veth peer name eth0 netns "${host_pid[$1]}" &&
		ip link set "$(host_port "$1")" master "$hosts_bridge" up &&
		run_on "$1" ip address add "$(host_address "$1")/24" dev eth0 && run_on "$1" ip link set eth0 up
}
host_cut() { ip link set "$(host_port "$1")" nomaster; }
host_join() { ip link set "$(host_port "$1")" master "$hosts_bridge"; }

# Its agent asks the first hosts to let it join.
host_serf() { # host
	in_host "$1" tests/e2e/serf.sh "$1" "$(host_address "$1")" -retry-join=10.99.0.1 -retry-join=10.99.0.2 \
		>>"$work/$1/serf.log" 2>&1 &
	serf_pid[$1]=$!
	wait_for 15 host_serf_answers "$1"
}
host_serf_answers() { run_on "$1" serf info -rpc-addr="$(host_address "$1"):7373" >/dev/null; }

# Starts virtxd without waiting; options of all hosts are in hosts_options.
host_virtxd() { # host [virtxd option...]
	virtxd_run "$1" --state-dir "$work/state" --listen "$(host_api "$1")" --insecure yes \
		--serf-rpc "$(host_address "$1"):7373" --host-name "$1" --migrate-unsafe yes \
		"${hosts_options[@]}" "${@:2}"
}
virtxd_restart() { # host [signal]
	virtxd_stop "$1" "${2:-TERM}"
	host_virtxd "$1"
}

# A host's files; once.
host_configure() { # host
	host_make "$1" || return 1
	printf '%s\n' 'listen_tcp = 1' 'listen_tls = 0' 'auth_tcp = "none"' "listen_addr = \"$(host_address "$1")\"" \
		>>"$work/$1/etc/libvirtd.conf"
}

# All but virtxd.
host_base_up() { # host
	if [ -d "$work/$1" ]; then
		rm -rf "$work/$1/run" && mkdir "$work/$1/run" && rm -f "$work/$1"/*.pid "$work/$1"/sock/* &&
			host_namespaces "$1" || return 1
	else
		host_configure "$1" || return 1
	fi
	host_plug "$1" && sanlock_start "$1" && libvirtd_on "$1" --listen && host_serf "$1"
}
host_up() { # host [virtxd option...]
	host_base_up "$1" && host_virtxd "$@" && virtxd_wait "$1"
}

hosts_up() { # count [virtxd option...]
	local n count=$1 host
	shift
	hosts_options=("$@")
	ip link add "$hosts_bridge" type bridge && ip link set "$hosts_bridge" up || return 1
	{
		echo '127.0.0.1 localhost'
		for n in 1 2 3 4 5 6 7 8 9; do echo "10.99.0.$n virt$n"; done
	} >"$work/names"
	for ((n = 1; n <= count; n++)); do
		hosts+=("virt$n")
		host_base_up "virt$n" || return 1
	done
	"$VIRTX" virtxd --config "$work/virt1/empty.conf" --vms-dir "$vms" --init-cluster >/dev/null || return 1
	cp "$GUEST_CACHE"/guest*.iso "$vms/ds/"
	for host in "${hosts[@]}"; do host_virtxd "$host"; done
	for host in "${hosts[@]}"; do virtxd_wait "$host" || return 1; done
	on virt1
	wait_for 60 hosts_see_each_other
}
# Each lists all as active, proven to it and not only by gossip: their figures can be read there.
hosts_see_each_other() {
	local from to
	for from in "${hosts[@]}"; do
		for to in "${hosts[@]}"; do
			[ "$(host_get "$from" "/hosts/$to" | jq -r .def.name)" = "$to" ] || return 1
		done
	done
}

# GET, as that host answers; not `on` it.
host_get() { # host path
	nsenter -t "${host_pid[$1]}" -n -- curl -s -m 20 "http://$(host_api "$1")$2"
}

# Processes in a host's network are those that run there.
host_network() { readlink "/proc/${host_pid[$1]}/ns/net"; }
processes_in() { # network
	local process
	for process in /proc/[0-9]*; do
		[ "$(readlink "$process/ns/net" 2>/dev/null)" != "$1" ] || echo "${process#/proc/}"
	done
}
network_is_empty() { [ -z "$(processes_in "$1")" ]; }
host_stop_all() { # host
	local network pids
	network=$(host_network "$1")
	# bash would tell of each of its own that was killed.
	disown "${host_pid[$1]}" ${virtxd_pid[$1]:-} ${serf_pid[$1]:-} ${sanlock_pid[$1]:-} \
		${host_libvirtd_pid[$1]:-} ${host_virtlogd_pid[$1]:-} 2>/dev/null
	# Twice: what was just forking.
	for _ in 1 2; do
		mapfile -t pids < <(processes_in "$network")
		[ ${#pids[@]} -eq 0 ] || kill -9 "${pids[@]}" 2>/dev/null
	done
	wait_for 10 network_is_empty "$network"
}
host_kill() { # host
	host_stop_all "$1"
	ip link delete "$(host_port "$1")" 2>/dev/null
	unset "host_pid[$1]" "virtxd_pid[$1]" "serf_pid[$1]" "sanlock_pid[$1]" "host_libvirtd_pid[$1]" "host_virtlogd_pid[$1]"
	mv "$work/$1/daemon.log" "$work/$1/daemon.$(date +%s%N).log"
}
host_is_on() { [ -n "${host_pid[$1]:-}" ]; }

# Kills a libvirtd alone, and starts it again.
host_libvirtd_kill() { # host
	kill -9 "${host_libvirtd_pid[$1]}"
	wait "${host_libvirtd_pid[$1]}" 2>/dev/null
	host_libvirtd_pid[$1]=
}

# Guests.

vm_definition() { # name iso [jq filter]
	definition "$1" 128 "$(disk "$1/os.qcow2" 0 0 1 1 16)" "[$(disk "$2" 1 2 0 0 0)]" "${3:-.}"
}
vm_create() { # host name [iso] [jq filter]
	on "$1"
	create_vm < <(vm_definition "$2" "${3:-guest.iso}" "${4:-.}")
}
vm_boot() { # host name [iso] [jq filter]: and its heart beats
	vm_create "$@" || return 1
	api POST "/vms/$vm/runstate/boot"
	[ "$status" = 204 ] && wait_for 240 beats_on "$1" "$vm"
}

# What QEMU wrote on that host: it is another file on each.
beats() { # host vm
	tr -d '\0' <"$work/$1/state/console/$2.log" 2>/dev/null | grep -ao 'heartbeat [0-9]*' | tail -n 1 | cut -d' ' -f2
}
beats_on() { # host vm
	local last
	last=$(beats "$1" "$2")
	[ -n "$last" ] && wait_for 30 beat_is_after "$last" "$1" "$2"
}
beat_is_after() { [ "$(beats "$2" "$3")" -gt "$1" ]; }

# Watches the heartbeat through a move: beats_watch VM, beats_watched; then $beats_pause in ms, $beats_missing.
beats_watch() { # vm
	local host logs=()
	for host in "${hosts[@]}"; do logs+=("$work/$host/state/console/$1.log"); done
	tests/e2e/beats.py "${logs[@]}" >"$work/beats" &
	beats_pid=$!
	wait_for 10 test -s "$work/beats"
}
beats_watched() {
	kill "$beats_pid"
	wait "$beats_pid"
	beats_seen=$(tail -n 1 "$work/beats" | jq .beats)
	beats_pause=$(tail -n 1 "$work/beats" | jq .pause)
	beats_missing=$(tail -n 1 "$work/beats" | jq .missing)
}

# Hosts that have a QEMU of a VM, each as often as it has.
copies() { # vm
	local host pid
	for host in "${!host_pid[@]}"; do
		for pid in $(processes_in "$(host_network "$host")"); do
			[ "$(readlink "/proc/$pid/exe" 2>/dev/null | grep -c qemu-system)" = 1 ] &&
				tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qFx -- "$1" && echo "$host"
		done
	done | sort | xargs
}
# Hosts whose register has it.
registered() { # vm
	local host
	for host in "${hosts[@]}"; do
		[ ! -e "$vms/xml/$(uuid_of "$host")/$1.xml" ] || echo "$host"
	done | xargs
}
# Hosts whose libvirt knows it, with its state there.
defined() { # vm
	local host state
	for host in "${hosts[@]}"; do
		host_is_on "$host" && state=$(virsh_on "$host" domstate "$1" 2>/dev/null) && echo "$host:$state"
	done | xargs
}
# Whose sanlock holds its lease. What a host held that lost power stays in its name until somebody takes it.
holder() { # vm
	local id host
	id=$(sanlock direct read_leader -r "$space:vm-$1:$lock/vm-$1/vm-$1:0" |
		awk '$1 == "owner_id" {id = $2} $1 == "timestamp" {time = $2} END {print time == 0 ? "free" : id}')
	[ "$id" != free ] || { echo free && return; }
	for host in "${hosts[@]}"; do
		[ "$(cat "$vms/xml/$(uuid_of "$host")/lockid")" != "$id" ] || echo "$host"
	done
}
is_alone() { # vm host state: the whole truth about a VM in one look
	[ "$(copies "$1")|$(defined "$1")|$(registered "$1")" = "$2|$2:$3|$2" ]
}
runs_once() { is_alone "$1" "$2" running && [ "$(holder "$1")" = "$2" ] && beats_on "$2" "$1"; }
is_off_once() { # vm host
	[ "$(copies "$1")|$(defined "$1")|$(registered "$1")" = "|$2:shut off|$2" ]
}
where() { # vm: to show what is wrong
	echo "copies: $(copies "$1") defined: $(defined "$1") registered: $(registered "$1") lease: $(holder "$1")"
}

# Moves.

migrate() { # vm host|"" 0|1: cold or live; asked where `on` says. Sets $operation.
	api POST "/vms/$1/runstate/migrate" "$(jq -nc --arg host "$2" --argjson type "$3" '{host: $host, migration_type: $type}')"
	operation=$(field '.operation? // empty' 2>/dev/null)
	[ "$status" = 202 ]
}
# The operation of a host that began it, whichever `on` is: STATE CODE DETAIL.
operation_at() { # host
	host_get "$1" "/operations/$operation" | jq -r '"\(.state) \(.error.code // "") \(.error.detail // "")"'
}
has_ended() { # host
	case $(operation_at "$1") in running* | null* | '') return 1 ;; esac
}
migrate_and_wait() { # from vm to 0|1 [seconds]
	migrate "$2" "$3" "$4" && wait_for "${5:-60}" has_ended "$1"
}
# What the operation log of a VM says of its last migration, at a host: STATUS MESSAGE.
migrate_log() { # host vm
	host_get "$1" "/vms/$2" | jq -r '.stats.oplog.items[] | select(.op == "VmMigrate") | "\(.status) \(.msg)"'
}
migrate_state() { # host vm
	host_get "$1" "/vms/$2/runstate/migrate" | jq .state
}
# In the middle of it: QEMU sends memory.
migrates() { # host vm
	[ "$(virsh_on "$1" domjobinfo "$2" | sed -n 's/^Memory processed: *\([0-9]*\).*/\1/p')" -gt 1 ]
}
# A guest that no move ends with at 2 MiB/s; migrate-setspeed changes that at any time.
vm_dirty() { # host name
	vm_boot "$1" "$2" guest-dirty.iso && virsh_on "$1" migrate-setspeed "$vm" 2
}

# Every list against every libvirt.

listed_on() { # host: what it says of all
	host_get "$1" "/vms" | jq -r '.items[] | "\(.uuid) \(.fields.host) \(.fields.runstate)"' | sort
}
defined_everywhere() { # what is true of hosts that are on
	local host vm state
	for host in "${hosts[@]}"; do
		host_is_on "$host" || continue
		for vm in $(virsh_on "$host" list --all --uuid); do
			case $(virsh_on "$host" domstate --reason "$vm") in
			running*) state=4 ;;
			paused*) state=5 ;;
			'shut off (crashed)') state=9 ;;
			'shut off'*) state=2 ;;
			*) state=other ;;
			esac
			echo "$vm $(uuid_of "$host") $state"
		done
	done | sort
}
lists_agree() {
	local host truth off=none
	truth=$(defined_everywhere)
	for host in "${hosts[@]}"; do host_is_on "$host" || off=$off\|$(uuid_of "$host"); done
	for host in "${hosts[@]}"; do
		host_is_on "$host" || continue
		[ "$(listed_on "$host" | grep -Ev "($off)")" = "$truth" ] || {
			diff <(echo "$truth") <(listed_on "$host") | sed "s/^/$host: /"
			return 1
		}
	done
}
fsck_is_clean() {
	local host
	for host in "${hosts[@]}"; do
		host_is_on "$host" || continue
		fsck_on "$host" >"$work/fsck.out" 2>&1 || {
			sed "s/^/$host: /" "$work/fsck.out"
			return 1
		}
	done
}
hosts_agree() {
	wait_for 30 lists_agree || lists_agree || return 1
	wait_for 20 fsck_is_clean || fsck_is_clean
}
# Closes a case.
all_is_well() { ok "$1: lists, libvirts and fsck agree" hosts_agree; }

hosts_down() {
	local host
	for host in "${hosts[@]}"; do
		if [ "$tap_failed" -ne 0 ]; then
			tail -qn 60 "$work/$host"/daemon*.log | sed "s/^/# $host: /"
			grep 'error : qemu' "$work/$host/libvirtd.out" | tail -n 15 | sed "s/^/# $host: /"
		fi
		! host_is_on "$host" || host_kill "$host"
	done
	ip link delete "$hosts_bridge" 2>/dev/null
}
cleanup_hooks=(hosts_down "${cleanup_hooks[@]}")
