#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# virtxd --check against real parts: a host with sanlock, libvirtd with its plugin, a serf agent and a
# mounted storage, and then one fault after the other, each of which it must name.
. tests/e2e/lib.sh
. tests/e2e/libvirtd.sh
. tests/e2e/sanlock.sh
[ "$(id -u)" -eq 0 ] || skip_all "needs root: mount namespaces"

serf_pid='' other_pid=''
agent_config=$work/agent.json
end_agent() {
	local pid
	for pid in $serf_pid $other_pid; do
		kill -9 "$pid"
		wait "$pid" 2>/dev/null
	done
	serf_pid='' other_pid=''
}
# Before the host's namespaces go.
cleanup_hooks=(end_agent "${cleanup_hooks[@]}")
agent_answers() { run_on virt1 serf info -rpc-addr=127.0.0.1:7373 -rpc-auth=secret >/dev/null; }
start_agent() {
	in_host virt1 tests/e2e/serf.sh virt1 127.0.0.1 -config-file="$agent_config" >>"$work/serf.log" 2>&1 &
	serf_pid=$!
	wait_for 30 agent_answers
}

options=()
# Sets $result and $found.
check() { # further options
	found=$(run_on virt1 timeout 60 "$VIRTX" virtxd --check --config "$work/virt1/empty.conf" \
		--libvirt-uri "$(host_uri virt1)" --vms-dir "$vms" --state-dir "$work/virt1/state" \
		--serf-key secret "${options[@]}" "$@" 2>&1)
	result=$?
}
line() { grep -E "^[a-zA-Z]+ +$1 " <<<"$found"; }
fails() { # what name regex [option...]
	local what=$1 name=$2 words=$3
	shift 3
	check "$@"
	is "$what: exit status" "$result" 1
	like "$what: what and what to do" "$(line "$name")" "^FAIL +$name +.*$words.*; "
}
everything() { find "$vms" -printf '%p %y %m %s %T@ %C@\n' | sort; }

must "namespaces" host_make virt1
must "names of the host" run_on virt1 bash -c 'sed "1i 127.0.0.1 virt1" /etc/hosts >"$1" && mount --bind "$1" /etc/hosts' x "$work/hosts"
must "a storage of its own" run_on virt1 mount -t tmpfs vms "$vms"
must "sanlock" sanlock_start virt1
must "libvirtd" libvirtd_on virt1
echo '{"rpc_auth": "secret", "user_event_size_limit": 1024}' >"$agent_config"
must "serf" start_agent
# The test's sanlock cannot have a watchdog.
check
is "nothing but no marker and no watchdog fails" "$(grep '^FAIL' <<<"$found" | sed -E 's/^FAIL +([a-z]+).*/\1/' | xargs)" "storage watchdog"
[ "$tap_failed" -eq 0 ] || sed 's/^/# /' <<<"$found"
like "without a marker" "$(line storage)" '^FAIL +storage +.*no marker.*; mount the shared storage.*--init-cluster'
is "nothing was made" "$(run_on virt1 ls -A "$vms")" ""
ok "a cluster is made" run_on virt1 "$VIRTX" virtxd --config "$work/virt1/empty.conf" --vms-dir "$vms" --init-cluster

before=$(run_on virt1 bash -c "$(declare -f everything); vms=$vms everything")
fails "no watchdog" watchdog 'without its watchdog'
is "it changes nothing" "$(run_on virt1 bash -c "$(declare -f everything); vms=$vms everything")" "$before"
is "nothing else fails" "$(grep -c '^FAIL' <<<"$found")" 1
like "storage is good" "$(line storage)" '^ok .*cluster [0-9a-f-]{36}'
like "it is mounted" "$(line mount)" '^ok '
like "permissions are good" "$(line permissions)" '^ok '
like "the key is there" "$(line 'cluster key')" '^ok '
like "sanlock is good" "$(line sanlock)" '^ok '
like "its name is fixed" "$(line 'sanlock name')" '^ok .* virt1'
like "the lockspace is not joined" "$(line lockspace)" '^warn .*not in the lockspace'
like "libvirt and its version" "$(line libvirt)" '^ok .*[0-9]+\.[0-9]+\.[0-9]+'
like "the plugin" "$(line plugin)" '^ok .*sanlock\.so'
like "qemu.conf" "$(line qemu.conf)" '^ok '
like "qemu-sanlock.conf" "$(line 'plugin conf')" '^ok '
like "nothing listens for migration" "$(line migration)" '^warn .*16509'
like "serf" "$(line serf)" '^ok .*knows 1 members'
like "names" "$(line names)" '^ok '
like "gossip that anybody can read" "$(line encryption)" '^warn .*not encrypted.*; serf keygen'
like "accounts" "$(line accounts)" '^ok .*sanlock and'
like "no other member" "$(line others)" '^skip '
like "a summary" "$(tail -n 1 <<<"$found")" '^20 checks: [0-9]+ ok, [0-9]+ warnings, 1 failed, 1 skipped$'

check --lock-manager local --serf-rpc 127.0.0.1:7373
is "without sanlock nothing fails" "$result" 0
like "its lines are skipped" "$(line watchdog)" '^skip '

fails "a wrong key" serf 'nvalid authentication' --serf-key other
like "members are not known then" "$(line names)" '^skip '
fails "no agent" serf 'onnection refused' --serf-rpc 127.0.0.1:1
fails "no folder" storage 'No such file' --vms-dir "$work/none"
like "permissions of no folder" "$(line permissions)" '^skip '
run_on virt1 chmod 644 "$vms/.virtx-key"
fails "a key that others can read" 'cluster key' 'open to others'
run_on virt1 chmod 600 "$vms/.virtx-key"
must "read only" run_on virt1 mount -o remount,ro "$vms"
fails "storage for reading only" permissions 'Read-only'
must "for writing" run_on virt1 mount -o remount,rw "$vms"
mode=$(run_on virt1 stat -c %a "$vms")
run_on virt1 chmod 700 "$vms"
fails "a storage that sanlock cannot enter" accounts 'account sanlock may not enter'
run_on virt1 chmod "$mode" "$vms"
run_on virt1 install -d -m 2755 "$vms/lock"
fails "locks that sanlock cannot write" accounts "account sanlock may not write to $vms/lock"
run_on virt1 rmdir "$vms/lock"

# Another member, to which no VM could migrate; and gossip with a key.
end_agent
echo "{\"rpc_auth\": \"secret\", \"user_event_size_limit\": 1024, \"encrypt_key\": \"$(head -c 32 /dev/urandom | base64)\"}" >"$agent_config"
must "serf with a key" start_agent
echo '127.0.0.2 virt2' >>"$work/hosts"
in_host virt1 tests/e2e/serf.sh virt2 127.0.0.2 -config-file="$agent_config" -retry-join=127.0.0.1 >>"$work/serf2.log" 2>&1 &
other_pid=$!
two_members() { [ "$(run_on virt1 serf members -rpc-addr=127.0.0.1:7373 -rpc-auth=secret -status=alive | wc -l)" = 2 ]; }
must "another member" wait_for 10 two_members
check
like "encrypted gossip" "$(line encryption)" '^ok '
like "nobody migrates there" "$(line others)" '^warn .*virt2 \(Connection refused\).*16509'
check --migrate-transport tls
like "the port goes by the transport" "$(line others)" '^warn .*16514'
cp "$work/virt1/etc/qemu.conf" "$work/qemu.conf"
echo 'lock_manager = "lockd" # sanlock' >>"$work/virt1/etc/qemu.conf"
fails "another lock manager" qemu.conf 'lock_manager = lockd'
cp "$work/qemu.conf" "$work/virt1/etc/qemu.conf"
: >"$work/virt1/etc/qemu-sanlock.conf"
fails "leases for all disks" 'plugin conf' 'require_lease_for_disks = 1'
fails "no libvirt" libvirt 'socket' --libvirt-uri "qemu+unix:///system?socket=$work/none"
run_on virt1 umount /etc/hosts
fails "a member without a name" names 'virt1'
kill -STOP "${sanlock_pid[virt1]}"
fails "a sanlock that hangs" sanlock 'no answer|does not answer'
kill -CONT "${sanlock_pid[virt1]}"
sanlock_kill virt1
fails "no sanlock" sanlock 'does not answer'
check --no-such-option
is "a wrong command line" "$result" 2
tap_done
