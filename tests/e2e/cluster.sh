# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A cluster of light hosts: each a serf agent and a virtxd on a loopback address of its own, with libvirt's
# test driver and a few domains, a host UUID of its own, one storage for all. Source it after lib.sh.
. tests/e2e/serf.sh
declare -A host_pid host_server host_uuid

# Suites run side by side, so the addresses come from the process's id.
cluster_net=127.$((130 + $$ / 256 % 100)).$(($$ % 256))
cluster_vms=$work/vms
: >"$work/empty.conf"

cluster_uuid() { printf '%08d-0000-4000-8000-%012d' "$1" "$2"; } # of VM number $2 of host number $1

# Domains 1 to COUNT of a host; odd ones run.
cluster_domains() { # host count
	local i
	echo '<node>'
	for ((i = 1; i <= $2; i++)); do
		cat <<-EOF
			<domain type="test" xmlns:test="http://libvirt.org/schemas/domain/test/1.0">
			<name>vm$1-$i</name><uuid>$(cluster_uuid "$1" "$i")</uuid><title>vm$1-$i</title>
			<memory>65536</memory><vcpu>1</vcpu><os><type>hvm</type></os>
			<test:runstate>$((i % 2 ? 1 : 5))</test:runstate></domain>
		EOF
	done
	echo '</node>'
}

# A VM of VirtX's own, which can be paused, besides a host's first COUNT domains. Its definition stays in NAME.json.
cluster_own() { # host count number name
	definition "$4" 64 "$(disk /vms/ds/x.raw 0 0 0 0 0)" >"$work/$4.json"
	{
		cluster_domains "$1" "$2" | sed '$d'
		"$VIRTX" create vm "$work/$4.json" --print-xml --uuid "$(cluster_uuid "$1" "$3")" |
			sed 's|<domain type="kvm"|<domain type="test"|; s| firmware="bios"||; s|/vms/ds|'"$cluster_vms"'/ds|'
		echo '</node>'
	} >"$work/virt$1.xml"
}

# Starts agent and daemon number N (1 is whom the others join).
cluster_host_start() { # number [virtxd option...]
	local n=$1 name=virt$1
	shift
	host_uuid[$name]=$(cluster_uuid "$n" 0)
	[ -e "$work/$name.xml" ] || cluster_domains "$n" "${cluster_vms_per_host:-3}" >"$work/$name.xml"
	[ -n "${serf_pid[$name]:-}" ] || serf_start "$name" "$cluster_net.$n" "-retry-join=$cluster_net.1"
	cluster_daemon_start "$n" "$@"
}

cluster_daemon_start() { # number [virtxd option...]
	local n=$1 name=virt$1
	shift
	"$VIRTX" virtxd --config "$work/empty.conf" --vms-dir "$cluster_vms" --state-dir "$work/$name.state" \
		--libvirt-uri "test://$work/$name.xml" --lock-manager local --virt-type qemu \
		--host-uuid "${host_uuid[$name]}" --host-name "$name" --listen "$cluster_net.$n:0" \
		--serf-rpc "$cluster_net.$n:7373" --collect-interval 2 "$@" >>"$work/$name.log" 2>&1 &
	host_pid[$name]=$!
}

# Waits until it answers; sets host_server[NAME].
cluster_host_ready() { # number
	wait_for 30 cluster_host_answers "virt$1"
}
cluster_host_answers() {
	host_server[$1]=$(sed -n 's/.*ready.* address=\([0-9.:]*\).*/\1/p' "$work/$1.log" | tail -n 1)
	[ -n "${host_server[$1]}" ] && curl -sf -o /dev/null "http://${host_server[$1]}/readyz"
}

cluster_up() { # hosts [virtxd option...]
	local n hosts=$1
	shift
	"$VIRTX" virtxd --config "$work/empty.conf" --vms-dir "$cluster_vms" --init-cluster >/dev/null || return 1
	for ((n = 1; n <= hosts; n++)); do cluster_host_start "$n" "$@"; done
	for ((n = 1; n <= hosts; n++)); do cluster_host_ready "$n" || return 1; done
}

cluster_daemon_end() { # number [signal]
	kill "-${2:-TERM}" "${host_pid[virt$1]}" 2>/dev/null
	wait "${host_pid[virt$1]}" 2>/dev/null
	unset "host_pid[virt$1]"
}

cluster_down() {
	local name
	for name in "${!host_pid[@]}"; do kill -9 "${host_pid[$name]}" 2>/dev/null; done
	for name in "${!host_pid[@]}"; do wait "${host_pid[$name]}" 2>/dev/null; done
	serf_end_all
	[ "$tap_failed" -eq 0 ] || tail -n 40 "$work"/virt*.log | sed 's/^/# /'
}
cleanup_hooks+=(cluster_down)

# The following requests go to that host.
on() { server=${host_server[virt$1]}; }

# UUIDs of hosts or VMs that a host lists, in order.
listed() { # number hosts|vms
	curl -s "http://${host_server[virt$1]}/$2" | jq -r '.items[].uuid' | sort | tr '\n' ' '
}
# Whether the first three hosts are listed, and so many VMs.
cluster_lists() { # number VMs
	[ "$(listed "$1" hosts)" = "$(for h in 1 2 3; do cluster_uuid $h 0 && echo; done | sort | tr '\n' ' ')" ] &&
		[ "$(listed "$1" vms | wc -w)" = "$2" ]
}
