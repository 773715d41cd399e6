#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A real host dies while one of its VMs runs, one is off and one is being created. Another host takes them over as
# soon as sanlock lets it, not before; the host comes back and keeps none of them.
. tests/e2e/lib.sh
. tests/e2e/hosts.sh
[ "$(id -u)" -eq 0 ] || skip_all "needs root: namespaces and the system's libvirt"
need_guests

slow_qemu_img

client() { # words...: on virt1
	output=$(run_on virt1 env VIRTX_API_SERVER="$(host_api virt1)" "$VIRTX" "$@" 2>"$work/client.err")
	code=$?
	errors=$(cat "$work/client.err")
}
register() { # vm
	on virt1
	api PUT "/vms/$1/register" '{"host":"virt1"}'
}
field_of() { # vm jq: of its row, as virt1 lists it
	host_get virt1 /vms | jq -r ".items[] | select(.uuid == \"$1\") | .fields | $2"
}
row_has() { [ "$(field_of "$1" "$2")" = "$3" ]; }

must "two hosts" hosts_up 2
must "web runs on virt2" vm_boot virt2 web guest-beat.iso
web=$vm
must "db is off there" vm_create virt2 db
db=$vm
touch "$work/slow"
on virt2
curl -s -m 100 -H 'Content-Type: application/json' -d "$(vm_definition begun guest.iso | jq -c '{vmdef: .}')" \
	"http://$(host_api virt2)/vms" >"$work/create.out" &
must "begun is being created there" wait_for 20 test -e "$work/slow.started"
begun=$(basename "$(ls "$vms/xml/$(uuid_of virt2)"/*.intent)" .intent)
rm "$work/slow"

ok "virt1 lists web" wait_for 20 row_has "$web" .cstate 1
is "and no conflict" "$(field_of "$web" '.conflict | length')" 0
register "$web"
is "it stays while its host is active" "$status" 422
like "which is said" "$(field .detail)" 'web.*virt2.*active'
host_get virt1 "/hosts/$(uuid_of virt2)/register" >"$work/register.json"
is "the register of virt2" "$(jq -r '.items[] | "\(.uuid) \(.name) \(.operation)"' "$work/register.json")" \
	"$(printf '%s\n' "$web web " "$db db " "$begun  create" | sort)"

# Cut off: serf calls it failed, sanlock does not.
host_cut virt2
ok "virt2 has failed, for virt1" wait_for 60 row_has "$web" .cstate 3
register "$web"
is "a guest that runs there is not taken" "$status" 424
like "as sanlock knows it" "$(field .detail)" 'web.*running on virt2'
is "its entry stays" "$(registered "$web")" virt2
client register vm --from-host virt2 --host virt1 --dry-run --no-headers
is "what is to be taken" "$code $(awk '{print $1}' <<<"$output" | xargs)" "0 $(printf '%s\n' "$web" "$db" "$begun" | sort | xargs)"
client list vm --name web
like "the list tells" "$output" 'web +virt2 .*running \(host failed\) +[0-9]+[sm]$'

# No power.
died=$SECONDS
host_kill virt2
takes() {
	client register vm --from-host virt2 --host virt1
	[ "$code" = 0 ]
}
# 8 x io_timeout and a minute: then its watchdog would have ended it.
ok "all of its VMs are taken over" wait_for 150 takes
echo "# figures: taken over $((SECONDS - died)) s after the power was gone"
[ "$tap_failed" -eq 0 ] || sed 's/^/# /' <<<"$errors"
# sanlock's record of the lease still names virt2: nobody has taken it since.
for id in "$web" "$db"; do
	is "$id is virt1's, and off" "$(copies "$id")|$(defined "$id")|$(registered "$id")" "|virt1:shut off|virt1"
done
is "what was being created is gone" "$(find "$vms" -name "*$begun*" -o -path '*/begun*' -printf "%P ")" ""
is "virt2 has no entry" "$(find "$vms/xml/$(uuid_of virt2)" -name '*.xml' -o -name '*.intent')" ""
client register vm --from-host virt2 --host virt1
is "another time there is nothing to do" "$code $errors" "0 the register of that host is empty"
on virt1
api POST "/vms/$web/runstate/boot"
is "web boots, with its disk" "$status" 204
ok "its heart beats" wait_for 90 beats_on virt1 "$web"
ok "it runs once" runs_once "$web" virt1
row_is_virt1() { row_has "$1" .host "$(uuid_of virt1)"; }
ok "it is listed with virt1" wait_for 10 row_is_virt1 "$web"

# Power is back: its libvirt still knows them.
must "virt2 comes back" host_up virt2
gone() { [ -z "$(virsh_on virt2 list --all --uuid | xargs)" ]; }
ok "its copies go" wait_for 90 gone
ok "web runs once" runs_once "$web" virt1
ok "db is off once" is_off_once "$db" virt1
all_is_well "with virt2 again"
tap_done
