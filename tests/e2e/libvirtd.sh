# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A libvirtd of one's own, in a mount namespace with private /run, /etc/libvirt,
# /var/lib/libvirt and logs; its socket lies in $work. Source after lib.sh.
libvirtd_pid=
virtlogd_pid=
libvirtd_uri() { echo "qemu+unix:///system?socket=$work/libvirtd/sock/libvirt-sock"; }

# Its folders and configuration below $1.
libvirtd_configure() { # dir
	local dir=$1
	mkdir -p "$dir/sock" "$dir/etc/qemu" "$dir/lib" "$dir/log" "$dir/run"
	cat >"$dir/etc/libvirtd.conf" <<-EOF
		unix_sock_dir = "$dir/sock"
		unix_sock_group = "root"
		auth_unix_rw = "none"
		host_uuid = "$(cat /proc/sys/kernel/random/uuid)"
	EOF
	cat >"$dir/etc/qemu.conf" <<-'EOF'
		user = "root"
		group = "root"
		dynamic_ownership = 0
		security_driver = "none"
		cgroup_controllers = []
		namespaces = []
		stdio_handler = "logd"
	EOF
	: >"$dir/etc/virtlogd.conf"
}

libvirtd_start() {
	libvirtd_configure "$work/libvirtd"
	libvirtd_run
}

# Starts it (again) on the same folders.
libvirtd_run() {
	local dir=$work/libvirtd
	unshare -m --propagation private bash -c '
		dir=$1
		mkdir -p /run/libvirt /etc/libvirt /var/lib/libvirt /var/log/libvirt
		mount --bind "$dir/run" /run/libvirt &&
		mount --bind "$dir/etc" /etc/libvirt &&
		mount --bind "$dir/lib" /var/lib/libvirt &&
		mount --bind "$dir/log" /var/log/libvirt || exit 1
		if [ -z "$2" ]; then
			virtlogd -p "$dir/virtlogd.pid" -d || exit 1
		fi
		exec libvirtd -f /etc/libvirt/libvirtd.conf -p "$dir/libvirtd.pid"
	' libvirtd "$dir" "$virtlogd_pid" >"$work/libvirtd.out" 2>&1 &
	libvirtd_pid=$!
	wait_for 30 virsh -q -c "$(libvirtd_uri)" uri || {
		sed 's/^/# /' "$work/libvirtd.out"
		return 1
	}
	virtlogd_pid=$(cat "$dir/virtlogd.pid")
}

libvirtd_kill() {
	kill "-${1:-TERM}" "$libvirtd_pid" 2>/dev/null
	wait "$libvirtd_pid" 2>/dev/null
	rm -f "$work/libvirtd/sock/libvirt-sock"
	libvirtd_pid=
}

libvirtd_cleanup() {
	[ -z "$libvirtd_pid" ] || libvirtd_kill
	[ -z "$virtlogd_pid" ] || kill "$virtlogd_pid" 2>/dev/null
}
cleanup_hooks+=(libvirtd_cleanup)
