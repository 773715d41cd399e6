# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Hosts that share one storage: each has namespaces of its own (mounts with a private /run and private
# libvirt folders, host name, network), a sanlock daemon, a libvirtd with its plugin, and a virtxd.
# Source after lib.sh and libvirtd.sh, also in a function. Names of hosts are words: virt1, virt2.
declare -gA host_pid sanlock_pid host_libvirtd_pid host_virtlogd_pid virtxd_pid host_server
vms=$work/vms
space=__VIRTX__DISKS__

# Runs a command in a host's namespaces; use `&` and $! as usual.
in_host() { # host command...
	local host=$1
	shift
	exec nsenter -t "${host_pid[$host]}" -m -u -n --wd="$PWD" -- "$@"
}
run_on() { # host command...
	(in_host "$@")
}

host_make() { # host
	local dir=$work/$1
	libvirtd_configure "$dir"
	mkdir -p "$vms"
	: >"$dir/empty.conf"
	echo 'lock_manager = "sanlock"' >>"$dir/etc/qemu.conf"
	printf '%s\n' 'auto_disk_leases = 0' 'require_lease_for_disks = 0' 'user = "root"' 'group = "root"' \
		>"$dir/etc/qemu-sanlock.conf"
	host_namespaces "$1"
}

# The namespaces alone: a host that was there before is switched on again. All hosts see their own state
# directory at one path, $work/state, and their own names of hosts, as real ones do.
host_namespaces() { # host
	local dir=$work/$1
	rm -f "$dir/namespace"
	mkdir -p "$dir/state" "$work/state"
	[ -e "$work/names" ] || echo '127.0.0.1 localhost' >"$work/names"
	[ -e "$work/memlock.so" ] || ${CC:-cc} -D_GNU_SOURCE -shared -fPIC -o "$work/memlock.so" tests/tools/memlock.c || return 1
	unshare -m -u -n --propagation private bash -c '
		mkdir -p /etc/libvirt /var/lib/libvirt /var/log/libvirt
		hostname "$1" && ip link set lo up && mount -t tmpfs run /run && mkdir -p /run/libvirt /run/sanlock &&
		chown sanlock:sanlock /run/sanlock &&
		mount --bind "$2/run" /run/libvirt && mount --bind "$2/etc" /etc/libvirt &&
		mount --bind "$2/lib" /var/lib/libvirt && mount --bind "$2/log" /var/log/libvirt &&
		mount --bind "$2/state" "$3/state" && mount --bind "$3/names" /etc/hosts || exit 1
		: >"$2/namespace"
		exec sleep infinity
	' host "$1" "$dir" "$work" >"$dir/host.out" 2>&1 &
	host_pid[$1]=$!
	wait_for 30 test -e "$dir/namespace"
}

sanlock_start() { # host
	# shellcheck disable=SC2094
	in_host "$1" env LD_PRELOAD="$work/memlock.so" sanlock daemon -D -w 0 -h 0 -l 0 -U sanlock -G sanlock -e "$1" \
		>>"$work/$1/sanlock.log" 2>&1 &
	sanlock_pid[$1]=$!
	wait_for 30 sanlock_answers "$1"
}
sanlock_answers() { run_on "$1" sanlock client status >/dev/null 2>&1; }
sanlock_kill() { # host
	kill -9 "${sanlock_pid[$1]}"
	wait "${sanlock_pid[$1]}" 2>/dev/null
	sanlock_pid[$1]=
}

host_uri() { echo "qemu+unix:///system?socket=$work/$1/sock/libvirt-sock"; }
# With virtlogd, unless that runs still. Further options of libvirtd.
libvirtd_on() { # host [option...]
	if [ -z "${host_virtlogd_pid[$1]:-}" ]; then
		in_host "$1" virtlogd -p "$work/$1/virtlogd.pid" >>"$work/$1/virtlogd.out" 2>&1 &
		host_virtlogd_pid[$1]=$!
	fi
	in_host "$1" libvirtd -f /etc/libvirt/libvirtd.conf -p "$work/$1/libvirtd.pid" "${@:2}" >>"$work/$1/libvirtd.out" 2>&1 &
	host_libvirtd_pid[$1]=$!
	wait_for 30 virsh -q -c "$(host_uri "$1")" uri
}

# Starts virtxd; further options. Does not wait.
virtxd_run() { # host
	local host=$1 dir=$work/$1
	shift
	in_host "$host" env PATH="$work/bin:$PATH" "$VIRTX" virtxd --config "$dir/empty.conf" --libvirt-uri "$(host_uri "$host")" \
		--vms-dir "$vms" --state-dir "$dir/state" --lock-manager sanlock --sanlock-io-timeout 1 \
		--virt-type qemu --listen 127.0.0.1:0 "$@" >>"$dir/daemon.log" 2>&1 &
	virtxd_pid[$host]=$!
}

# The host that requests go to; curl reaches it in its network.
on() {
	host_now=$1
	server=${host_server[$1]}
}
curl() { nsenter -t "${host_pid[$host_now]}" -n -- curl "$@"; }

virtxd_is_ready() { # host
	host_server[$1]=$(sed -n 's/.*ready.* address=\([0-9.:]*\).*/\1/p' "$work/$1/daemon.log" | tail -n 1)
	[ -n "${host_server[$1]}" ] && on "$1" && curl -sf -o "$work/readyz" "http://${host_server[$1]}/readyz"
}
virtxd_wait() { # host
	wait_for 60 virtxd_is_ready "$1" && return
	curl -s "http://$server/readyz" | sed 's/^/# /'
	tail -n 40 "$work/$1/daemon.log" | sed 's/^/# /'
	return 1
}
virtxd_stop() { # host signal
	kill "-$2" "${virtxd_pid[$1]}"
	wait "${virtxd_pid[$1]}" 2>/dev/null
	daemon_status=$?
	virtxd_pid[$1]=
	mv "$work/$1/daemon.log" "$work/$1/daemon.$(date +%s%N).log"
}
not_ready() { # host
	on "$1"
	[ "$(curl -s -o /dev/null -w '%{http_code}' "http://$server/readyz")" = 503 ]
}

virsh_on() { # host command...
	run_on "$1" virsh -q -c "$(host_uri "$1")" "${@:2}"
}

# What `virtx fsck` says of this host.
fsck_on() { # host options...
	local host=$1
	shift
	run_on "$host" "$VIRTX" fsck --config "$work/$host/empty.conf" --libvirt-uri "$(host_uri "$host")" \
		--vms-dir "$vms" --state-dir "$work/$host/state" --lock-manager sanlock "$@"
}

uuid_of() { sed -n 's/^host_uuid = "\(.*\)"/\1/p' "$work/$1/etc/libvirtd.conf"; }

hosts_cleanup() {
	local host
	for host in "${!host_pid[@]}"; do
		[ -z "${virtxd_pid[$host]:-}" ] || kill "${virtxd_pid[$host]}" 2>/dev/null
		[ -z "${host_libvirtd_pid[$host]:-}" ] || kill "${host_libvirtd_pid[$host]}" 2>/dev/null
		[ -z "${host_virtlogd_pid[$host]:-}" ] || kill "${host_virtlogd_pid[$host]}" 2>/dev/null
		[ -z "${sanlock_pid[$host]:-}" ] || sanlock_kill "$host"
		kill "${host_pid[$host]}" 2>/dev/null
		if [ "$tap_failed" -ne 0 ]; then
			cat "$work/$host"/daemon*.log 2>/dev/null | tail -n 60 | sed "s/^/# $host: /"
		fi
	done
	for host in "${!host_pid[@]}"; do
		[ -z "${virtxd_pid[$host]:-}" ] || wait "${virtxd_pid[$host]}" 2>/dev/null
	done
}
cleanup_hooks+=(hosts_cleanup)
