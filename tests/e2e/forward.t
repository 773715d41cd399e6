#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Four light hosts with serf: they find each other, list each other's VMs, forward requests, and believe only
# those that know the cluster's key. Daemons and agents end and come back.
. tests/e2e/lib.sh
. tests/e2e/cluster.sh

lists_all() { # number
	[ "$(listed "$1" hosts)" = "$all_hosts" ] && [ "$(listed "$1" vms)" = "$all_vms" ]
}
all_hosts=$(for h in 1 2 3; do cluster_uuid $h 0 && echo; done | sort | tr '\n' ' ')
all_vms=$(for h in 1 2 3; do for v in 1 2 3; do cluster_uuid $h $v && echo; done; done | sort | tr '\n' ' ')

# A VM of VirtX's own among those of the second host, which can be paused.
own=$(cluster_uuid 2 3)
cluster_own 2 2 3 own

must "three hosts" cluster_up 3
key=$cluster_vms/.virtx-key
is "the key is for its owner alone" "$(stat -c '%a %s' "$key")" "600 65"
for n in 1 2 3; do
	must "virt$n lists all hosts and VMs" wait_for 20 lists_all $n
done

# From the wrong host, by UUID and by name.
on 2
api GET "/vms/vm2-1"
direct=$(field 'del(.ts, .stats)')
on 1
api GET "/vms/vm2-1"
is "a VM of another host" "$status" 200
is "is what that host says" "$(field 'del(.ts, .stats)')" "$direct"
like "with its ETag" "$headers" '^ETag: "'
api GET "/vms/$(cluster_uuid 3 2)/xml"
is "its XML" "$status" 200
like "with its type" "$headers" '^Content-Type: application/xml'
api GET /hosts/virt3
is "another host" "$status $(field .uuid)" "200 $(cluster_uuid 3 0)"
is "HEAD" "$(curl -sI -o "$work/head" -w '%{http_code}' "http://$server/hosts/virt3")" 200
api POST "/vms/vm2-1/runstate/pause"
is "what the other host refuses" "$status $(field .host)" "422 virt2"
api GET /vms/none
is "what nobody has" "$status $(field .host)" "404 virt1"
api POST /vms '{"vmdef": {"name": ""}, "host": "virt2"}'
is "create is the business of the host it names" "$status $(field .host)" "400 virt2"

# A change shows everywhere.
api POST "/vms/$own/runstate/pause"
is "pause through another host" "$status" 204
shows() { [ "$(curl -s "http://${host_server[virt$1]}/vms/$own/runstate" | jq .runstate)" = "$2" ]; }
for n in 1 2 3; do ok "virt$n shows it" wait_for 5 shows $n 5; done
on 3
api DELETE "/vms/$own/runstate/pause"
is "resume through the third" "$status" 204
ok "virt1 shows it" wait_for 5 shows 1 4
like "the log names client and request" "$(cat "$work/virt2.log")" 'request method=DELETE .*for=127[0-9.]* origin='

# Who claims to be a host.
on 1
curl_options=(-H 'X-VirtX-Loop: 1')
api GET /vms/vm2-1
is "what was forwarded is not forwarded again" "$status $(field .code)" "508 loop"
api GET /hosts/virt1
is "but served where it belongs" "$status" 200
curl_options=(-H "Virtx-Peer: $(cluster_uuid 2 0) $(date +%s%3N) $(printf '%032d %064d' 1 1)")
for i in 1 2 3; do api GET /hosts/virt1; done
is "a claim without key is refused" "$status $(field .code)" "403 forbidden"
is "and logged once" "$(grep -c 'claims to be a host' "$work/virt1.log")" 1
curl_options=()
api GET /hosts/virt2/inventory
is "the inventory is for hosts" "$status" 403

# A host of another cluster in the same gossip.
cluster_vms=$work/other-vms
"$VIRTX" virtxd --config "$work/empty.conf" --vms-dir "$cluster_vms" --init-cluster >/dev/null
cluster_host_start 4
must "a stranger" cluster_host_ready 4
not_proven() { grep -q "has not proven.*name=$2" "$work/virt$1.log"; }
ok "is found out" wait_for 15 not_proven 1 virt4
ok "and finds the others strangers" wait_for 15 not_proven 4 virt1
is "its VMs and it are not listed" "$(listed 1 hosts)|$(listed 1 vms)" "$all_hosts|$all_vms"
is "and it lists itself only" "$(listed 4 hosts)" "$(cluster_uuid 4 0) "
not_ok "no key is in any log" grep -rqF "$(cat "$key")" "$work"/virt1.log "$work"/virt2.log "$work"/virt4.log

# A key that is none keeps other hosts away, and nothing else.
cluster_daemon_end 4
echo garbage >"$cluster_vms/.virtx-key"
: >"$work/virt4.log"
cluster_daemon_start 4
ok "a host whose key is garbage is ready" cluster_host_ready 4
like "and says what to do" "$(grep 'no key of the cluster' "$work/virt4.log")" '\.virtx-key holds no key.*hint=.*remove the file'
is "it serves its own" "$(listed 4 vms | wc -w)" 3
is "the file is as it was" "$(cat "$cluster_vms/.virtx-key")" garbage
not_ok "a new cluster is not made of it" "$VIRTX" virtxd --config "$work/empty.conf" --vms-dir "$cluster_vms" --init-cluster
cluster_daemon_end 4
serf_end virt4
cluster_vms=$work/vms

# A daemon that is gone, and back at another port.
cluster_daemon_end 3 KILL
on 1
api GET /vms/vm3-1
is "a daemon that is gone" "$status $(field .code) $(field .host)" "502 forward virt3"
like "with the cause" "$(field .detail)" 'cannot reach 127.*refused'
api GET "/vms?name=vm3-1"
is "its VMs stay in the list" "$(field '.items | length')" 1
: >"$work/virt3.log"
cluster_daemon_start 3
must "it is back" cluster_host_ready 3
answers() { api GET "/vms/$1" && [ "$status" = 200 ]; }
ok "and is forwarded to again" wait_for 15 answers vm3-1

# A host whose agent dies has failed; its VMs stay, with its state.
state_of() { curl -s "http://${host_server[virt1]}/hosts?name=virt3" | jq .items[0].fields.cstate; }
has_state() { [ "$(state_of)" = "$1" ]; }
serf_end virt3 KILL
ok "serf finds the failure" wait_for 30 has_state 3
api GET "/vms?host=$(cluster_uuid 3 0)"
is "its VMs stay" "$(field '.items | length')" 3
api GET /vms/vm3-1
is "a host that has failed" "$status $(field .code)" "503 unavailable"
like "as serf says" "$(field .detail)" 'virt3.*has failed'
on 3
api GET /vms/vm3-1
is "alone it serves its own" "$status" 200
api GET /readyz
is "and is ready" "$status" 200
like "it says once that the agent is away" "$(grep -c 'no serf agent' "$work/virt3.log")" '^1$'
serf_start virt3 "$cluster_net.3" "-retry-join=$cluster_net.1"
ok "it is a member again" wait_for 30 has_state 1
on 1
ok "and forwarded to" wait_for 15 answers vm3-1

for n in 1 2 3; do
	cluster_daemon_end $n
done
is "nobody crashed" "$(grep -lE 'Sanitizer|abort' "$work"/virt?.log)" ""
tap_done
