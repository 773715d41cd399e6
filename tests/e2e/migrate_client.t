#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Migration as the client shows it: who could take a VM, the progress line, ends and exit codes; and a guest
# with a cloud-init seed, whose lease goes with it and ends with it. migrate.t has the API.
. tests/e2e/lib.sh
. tests/e2e/hosts.sh
[ "$(id -u)" -eq 0 ] || skip_all "needs root: namespaces and the system's libvirt"
need_guests

must "two hosts" hosts_up 2
client() { run_on virt1 env VIRTX_API_SERVER="$(host_api virt1)" "$VIRTX" "$@" >"$work/out" 2>"$work/err"; }
leases() { find "$vms/lock" -maxdepth 1 -name '[0-9a-f]*' | wc -l; } # of disks

must "a VM" vm_create virt1 seedy
seedy=$vm
before=$(leases)
printf '#cloud-config\n' >"$work/user-data"
client boot vm seedy --ci-userdata "$work/user-data" --wait
is "it boots with a seed" $? 0
ok "its guest runs" wait_for 300 beats_on virt1 "$seedy"
is "the seed has a lease" "$(leases)" $((before + 1))

client migrate vm seedy --live --dry-run
is "a dry run" $? 0
like "says who could take it" "$(tail -n 1 "$work/out")" '^virt2 +best +[0-9]'
is "and begins nothing" "$(host_get virt1 /operations | jq '[.items[] | select(.kind == "migrate")] | length')" 0

# On a terminal a line tells how far it is.
is "to wait on a terminal" "$(script -qec "nsenter -t ${host_pid[virt1]} -n env VIRTX_API_SERVER=$(host_api virt1) \
	$VIRTX migrate vm seedy --live --host virt2 --wait" /dev/null >"$work/terminal"; echo $?)" 0
like "shows figures" "$(tr '\r' '\n' <"$work/terminal")" 'moving seedy to virt2: [0-9]+ MiB sent, [0-9]+ of [0-9]+ to go, .* [0-9]+%'
ok "it runs on virt2" wait_for 20 runs_once "$seedy" virt2
is "the seed has its lease there" "$(leases)" $((before + 1))
client shutdown vm seedy -ff --wait
is "it is stopped" $? 0
no_seed_lease() { [ "$(leases)" = "$before" ]; }
ok "the seed's lease goes" wait_for 20 no_seed_lease

client migrate vm seedy --wait
is "cold, back, to the host that is chosen" $? 0
is "which is named" "$(cut -d' ' -f1 "$work/out" | xargs)" "HOST virt1"
ok "it is off there" wait_for 20 is_off_once "$seedy" virt1
client migrate vm seedy --live
is "what cannot be: exit code" $? 1
is "and why" "$(cat "$work/err")" "virtx: VM seedy is poweroff; live migration needs one that is running or paused"

# One that does not end by itself.
must "a guest that writes" vm_dirty virt1 dirty
client migrate vm dirty --live --wait --timeout 4s
is "a time that is too short: exit code" $? 5
is "it goes on" "$(run_on virt1 env VIRTX_API_SERVER="$(host_api virt1)" "$VIRTX" get migrate vm dirty --no-headers | cut -d' ' -f1)" active
client abort migrate vm dirty
is "abort" $? 0
ok "it stays" wait_for 30 runs_once "$vm" virt1
ended() { client get operation "$1" -o json && [ "$(jq -r .state <"$work/out")" != running ]; }
ok "as its operation says" wait_for 10 ended "$(host_get virt1 /operations | jq -r '[.items[] | select(.kind == "migrate")][0].id')"
is "cancelled" "$(jq -r .state <"$work/out")" cancelled

client migrate vm dirty --live -o json
is "again" $? 0
id=$(jq -r .operation "$work/out")
ok "and it is in the middle" wait_for 30 migrates virt1 "$vm"
client cancel operation "$id"
is "to cancel its operation" $? 0
ok "ends it" wait_for 30 ended "$id"
is "as cancelled" "$(jq -r .state <"$work/out")" cancelled
client get migrate vm dirty --no-headers
like "and the VM's migration" "$(cat "$work/out")" '^cancelled '
client abort migrate vm dirty
is "there is nothing more to abort" $? 1
ok "it runs on" runs_once "$vm" virt1
all_is_well "at the end"
tap_done
