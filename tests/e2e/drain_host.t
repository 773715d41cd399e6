#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The mark of a drained host on light hosts: kept over restarts, told to the others, heeded by create; what cannot go
# (nothing can: libvirt's test driver does not migrate) is named. hosts_drain.t has real hosts and guests.
. tests/e2e/lib.sh
. tests/e2e/cluster.sh

own=$(cluster_uuid 2 9)
cluster_own 2 1 9 own
mark=$cluster_vms/xml/$(cluster_uuid 2 0)/drain
new=$(sed "s:/vms/ds:$cluster_vms/ds:" "$work/own.json" | jq -c '{vmdef: ., host: "virt2"}')

must "three hosts" cluster_up 3
for n in 1 2 3; do
	must "virt$n lists all" wait_for 30 cluster_lists $n 8
done
drained() { curl -s "http://${host_server[virt$1]}/hosts?name=virt2" | jq .items[0].fields.drained; }
is_drained() { [ "$(drained "$1")" = "$2" ]; }
is "nobody is drained" "$(drained 1) $(drained 2)" "false false"

# What would be, and nothing is done.
on 1
api POST '/hosts/virt2/drain?dry_run=true' '{}'
is "a plan, through another host" "$status $(field '[.items[].name] | sort | join(" ")')" "200 own vm2-1"
is "has no place for what cannot go" "$(field '[.items[].host] | join("")')" ""
like "and says why" "$(field '.items[] | select(.name == "vm2-1") | .code + " " + .detail')" \
	'wrong-state .*not made by VirtX'
not_ok "a reason for each" jq -e '.items[] | select(.code == "" or .detail == "")' <<<"$body"
api POST '/hosts/virt2/drain?dryrun=true' '{}'
is "a parameter that is misspelt does nothing" "$status $(drained 2)" "400 false"
is "the client shows a plan, and that it does not work out" \
	"$("$VIRTX" -A "$server" drain host virt2 --dry-run -o name | sort | tr '\n' ' ')$?" "own vm2-1 0"
"$VIRTX" -A "$server" drain host virt2 --dry-run >/dev/null
is "by its exit status" "$?" 1

# The operation.
api POST /hosts/virt2/drain
is "drain, through another host" "$status $(field '.kind + " " + .vm + " " + .name')" "202 drain $(cluster_uuid 2 0) virt2"
operation=$(field .id)
like "and where to look" "$headers" "^Location: /operations/$operation"
ends() { api GET "/operations/$1" && [ "$(field .state)" != running ]; }
ok "it ends" wait_for 60 ends "$operation"
is "failed, as a VM stays" "$(field '.state + " " + .error.code')" "failed migration"
like "which it names" "$(field .error.detail)" '^1 of 1 VMs stay on host virt2: own$'
is "what it left" "$(field '[.left[].name] | sort | join(" ")')" "own vm2-1"
not_ok "with a reason for each" jq -e '.left[] | select(.code == "" or .detail == "")' <<<"$body"
is "domains of others are a warning" "$(field .warning)" "what was not made by VirtX stays"
is "the mark" "$(stat -c '%a' "$mark") $(cat "$mark")" "640 done"
for n in 1 2 3; do ok "virt$n knows" wait_for 10 is_drained $n true; done
api GET /hosts/virt2
is "the host says so itself" "$(field .drained)" true
like "the list shows it" "$("$VIRTX" -A "$server" list host)" 'virt2 .*active,drained'
like "get host too" "$("$VIRTX" -A "$server" get host virt2)" 'active,drained'
like "and the status" "$("$VIRTX" -A "$server" status)" '^DRAINED +virt2$'
like "serf's tag" "$(serf members -rpc-addr="$cluster_net.1:7373" -detailed)" 'virt2.*drain=1'

# It takes no VMs.
api POST /vms "$new"
is "create is refused" "$status $(field '.code + " " + .host')" "503 drained virt2"
like "with what to do" "$(field .hint)" 'undrain host virt2'
api POST '/vms?dry_run=true' "$new"
is "a dry run too" "$status $(field .code)" "503 drained"
dead=$cluster_vms/xml/$(cluster_uuid 9 0)
mkdir -p "$dead" && echo '<domain/>' >"$dead/$(cluster_uuid 9 1).xml"
api PUT "/vms/$(cluster_uuid 9 1)/register" '{"host": "virt2"}'
is "what a dead host had is for others" "$status $(field '.code + " " + .host')" "503 drained virt2"
rm -r "$dead"
on 2
api POST "/vms/own/runstate/pause"
is "what it has works as before" "$status" 204

# Over a restart; the others forget nothing either.
cluster_daemon_end 2
: >"$work/virt2.log"
cluster_daemon_start 2
must "the daemon is back" cluster_host_ready 2
is "drained" "$(drained 2)" true
like "as its log says" "$(cat "$work/virt2.log")" 'this host is drained'
on 1
answers() { api GET /hosts/virt2 && [ "$status $(field .drained)" = "200 true" ]; }
ok "and for the others" wait_for 20 answers

# The client waits, tells, and fails.
"$VIRTX" -A "$server" drain host virt2 --wait --timeout 60s >"$work/out" 2>"$work/err"
is "the client fails when VMs stay" "$?" 1
like "says which" "$(cat "$work/err")" '^own stays: '
like "and how many" "$(cat "$work/err")" '1 of 1 VMs stay on host virt2'

ok "undrain" "$VIRTX" -A "$server" undrain host virt2
not_ok "no mark" [ -e "$mark" ]
for n in 1 2 3; do ok "virt$n knows" wait_for 10 is_drained $n false; done
ok "undrain again" "$VIRTX" -A "$server" undrain host virt2
not_ok "no tag" grep -q 'virt2.*drain=' <<<"$(serf members -rpc-addr="$cluster_net.1:7373" -detailed)"
api POST '/vms?dry_run=true' "$new"
not_ok "create is not refused for that" [ "$(field .code)" = drained ]

# What a start finds: a drain that was cut goes on, also without its record.
cluster_daemon_end 2
echo moving >"$mark"
rm "$work/virt2.state/operations.json"
cluster_daemon_start 2
must "a start in the middle of a drain" cluster_host_ready 2
ended() { grep -qx 'done' "$mark"; }
ok "goes on and comes to its end" wait_for 90 ended
on 2
api GET /operations
is "as an operation" "$(field '[.items[] | select(.kind == "drain") | .state] | join(" ")')" failed

for n in 1 2 3; do cluster_daemon_end $n; done
is "nobody crashed" "$(grep -lE 'Sanitizer|abort' "$work"/virt?.log)" ""
tap_done
