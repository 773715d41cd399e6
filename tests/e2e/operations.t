#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Operations of a whole cluster of light hosts: each node lists all of them, finds one by its id on whichever host it
# ran, and names the hosts that do not answer.
. tests/e2e/lib.sh
. tests/e2e/cluster.sh

# A VM of VirtX's own on the first two hosts, which can be paused.
for n in 1 2; do cluster_own $n 2 9 own$n; done

must "three hosts" cluster_up 3
for n in 1 2 3; do
	must "virt$n lists all" wait_for 30 cluster_lists $n 9
done

# An operation on each of two hosts, the second one through a third host.
on 1
api POST /vms/own1/runstate/pause
is "an operation on virt1" "$status" 204
on 3
api POST /vms/own2/runstate/pause
is "one on virt2" "$status" 204

kinds() { field '[.items[] | .kind + " " + .name] | join(", ")'; }
for n in 1 2 3; do
	on $n
	api GET '/operations?all=true'
	is "virt$n lists both, the newest first" "$status $(kinds)" "200 pause own2, pause own1"
	is "each with its host" "$(field '[.items[].host] | join(" ")')" "$(cluster_uuid 2 0) $(cluster_uuid 1 0)"
	is "and nobody is silent" "$(field '.unanswered | length')" 0
done
here=$(field .items[1].id)
there=$(field .items[0].id)
on 1
api GET /operations
is "alone it lists its own" "$(kinds)" "pause own1"
api GET '/operations?al=true'
is "a parameter that is misspelt" "$status" 400

# By id, from a host that has never heard of it.
on 3
api GET "/operations/$there"
is "an operation of another host" "$status $(field '.host + " " + .kind')" "200 $(cluster_uuid 2 0) pause"
api DELETE "/operations/$here"
is "is cancelled there, or not" "$status $(field '.code + " " + .host')" "422 wrong-state virt1"
api GET /operations/00000000-0000-4000-8000-000000000001
is "one that nobody has" "$status" 404
api GET "/operations/${there%-*}"
is "and what is no id" "$status" 404
ok "the client lists all" "$VIRTX" -A "$server" list operation
like "with their hosts" "$("$VIRTX" -A "$server" list operation --no-headers)" 'pause +own2 +virt2 +completed'

# A host that hangs, and one that is gone.
on 3
kill -STOP "${host_pid[virt2]}"
begin=$(date +%s%3N)
api GET '/operations?all=true'
took=$(($(date +%s%3N) - begin))
is "while one hangs the others are listed" "$status $(kinds)" "200 pause own1"
is "and it is named" "$(field '[.unanswered[] | .name] | join(" ")')" virt2
ok "within 8 s ($took ms)" [ "$took" -lt 8000 ]
"$VIRTX" -A "$server" list operation >"$work/out" 2>"$work/err"
is "the client lists what there is" "$?" 0
like "and says so" "$(cat "$work/err")" 'warning: host virt2 gave no answer'
kill -CONT "${host_pid[virt2]}"
answers_all() { api GET '/operations?all=true' && [ "$(field '.unanswered | length')" = 0 ]; }
ok "when it goes on it is asked again" wait_for 30 answers_all
cluster_daemon_end 2 KILL
api GET '/operations?all=true'
is "one that is gone is named too" "$(field '[.unanswered[] | .name + " " + (.detail | test("refused") | tostring)] | join(" ")')" "virt2 true"

for n in 1 3; do cluster_daemon_end $n; done
is "nobody crashed" "$(grep -lE 'Sanitizer|abort' "$work"/virt?.log)" ""
tap_done
