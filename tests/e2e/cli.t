#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The client as a user types it, against a real daemon: every command, every format, every exit code.
. tests/e2e/lib.sh
need_guests
unset VISUAL
export LC_ALL=C.UTF-8 TMPDIR=$work
must "the daemon becomes ready" daemon_start --collect-interval 1
cp "$GUEST_CACHE/guest.iso" "$GUEST_CACHE/hello.raw" "$state/vms/ds/"

# Runs the client: sets $out, $err and $code.
cli() {
	out=$("$VIRTX" "$@" 2>"$work/err" </dev/null)
	code=$?
	# Progress is told when something took more than a moment.
	err=$(sed -E '/^(create|update|delete) [^:]*(: .*)?$/d' "$work/err")
}
does() { # what arguments...: exits with 0 and says nothing on standard error
	local what=$1
	shift
	cli "$@"
	is "$what" "$code $err" "0 "
}
fails() { # what code regex-of-standard-error arguments...
	local what=$1 wanted=$2 regex=$3
	shift 3
	cli "$@"
	is "$what: exit code" "$code" "$wanted"
	like "$what: why" "$err" "$regex"
	is "$what: nothing on standard output" "$out" ""
}
columns() { # what columns arguments...: the header of a table, and rows
	local what=$1 wanted=$2
	shift 2
	does "$what" "$@"
	is "$what: columns" "$(sed -n '1s/   */\n/gp' <<<"$out" | tr '\n' '|')" "$wanted"
}
json_of() { jq -r "$1" <<<"$out"; }

# Create: the UUID below its header, or alone; from files and from standard input.
create() { # NAME definition arguments...
	local name=$1
	definition "$@" >"$work/$name.json"
	cli create vm "$work/$name.json" --no-headers
	[ "$code" = 0 ]
}
definition web 32 "$(disk hello.raw 0 0 0 0 0)" "[$(disk web/os.qcow2 0 1 1 1 16)]" \
	'.custom = [{name: "tier", value: "gold"}] | .vlanid = 0' >"$work/web.json"
cli create vm "$work/web.json" --dry-run
is "a dry run says what would be" "$code $err" "0 the VM could be created; nothing was done"
not_ok "and does nothing" test -e "$state/vms/ds/web"
cli create vm "$work/web.json"
is "create" "$code" 0
like "prints the UUID below its header" "$(tr '\n' ' ' <<<"$out")" '^UUID [0-9a-f-]{36} $'
web=${out#UUID?}
is "create from standard input" "$(definition db 32 "$(disk db.raw 0 0 1 1 1)" | "$VIRTX" create vm - -o name | wc -c)" 37
ok "create a name with a blank" create "two words" 32 "$(disk two.raw 0 0 1 1 1)"
ok "create a name in UTF-8" create ünï 32 "$(disk uni.raw 0 0 1 1 1)"
fails "create what is there" 1 'exists already' create vm "$work/web.json"
fails "create from nothing" 1 'cannot open .*/none.json: No such file' create vm "$work/none.json"
echo '{"name": "x", ' >"$work/bad.json"
fails "create from half a file" 1 'bad.json.*JSON' create vm "$work/bad.json"
fails "create for a host that is not there" 3 'no host "nowhere"' create vm "$work/web.json" -h nowhere

# Tables.
host=$("$VIRTX" list host -o name)
columns "list vm" 'UUID|NAME|HOST|VLANID|CUSTOM|STATE|AGE|' list vm
is "in the order of names" "$(awk 'NR > 1 {print $2}' <<<"$out" | tr '\n' ' ')" "db two web ünï "
like "its rows" "$(grep web <<<"$out")" "^$web  web +$host +-  +tier=gold  poweroff  [0-9]+s\$"
columns "list host" 'UUID|NAME|OS|VERSION|CPU|VENDOR|MODEL|THREADS|MEM_AVL_VM|HPG_AVL_VM|CSTATE|AGE|' list host
columns "get host" 'NAME|OS|VERSION|CPU|VENDOR|MODEL|NODES|SOCKS|CORES|TH|MEM_AVL_VM|HPG_AVL_VM|TSC_FREQ|FWVER|FWDATE|CSTATE|LOCKID|' get host "$host"
columns "get host -C" 'NAME|TOTAL|USED|FREE|USED_OS|RESERVED_VM|USED_VM|AVL_VM|' get host "$host" -C
columns "get host -M" 'NAME|KIND|TOTAL|USED|FREE|USED_OS|RESERVED_VM|USED_VM|AVL_VM|' get host "$host" -M
columns "get vm" 'NAME|HOST|VLAN|CUSTOM|LAST BOOT|STATE|' get vm web
columns "get vm -k" 'NAME|PATH|DEVICE|BUS|MAN|PROV|SIZE|' get vm web -k
is "a row for each disk" "$(wc -l <<<"$out")" 3
columns "get vm -n" 'NAME|NET|TYPE|MODEL|MAC|' get vm web -n
columns "get vm -K" 'NAME|CAPACITY|ALLOCATION|PHYSICAL|' get vm web -K
columns "get vm -N" 'NAME|RX|TX|' get vm web -N
columns "get vm -C" 'NAME|CPU|USED|' get vm web -C
columns "get vm -M" 'NAME|CAPACITY|USED|' get vm web -M
columns "the first switch of the list wins" 'NAME|PATH|DEVICE|BUS|MAN|PROV|SIZE|' get vm web -MNk
columns "get runstate" 'STATE|HOST|' get runstate vm web
columns "get runstate of several" 'ID|STATE|HOST|' get runstate vm web db
columns "list operation" 'ID|KIND|NAME|HOST|STATE|PROGRESS|PHASE|START|END|' list operation
operation=$("$VIRTX" list operation -o name | head -n 1)
columns "get operation" 'KIND|NAME|HOST|STATE|PROGRESS|PHASE|START|END|ERROR|' get operation "$operation"
columns "version" 'CLIENT|SERVER|' version
does "no header" list vm --no-headers --name web
is "one line" "$(wc -l <<<"$out")" 1
does "status" status
like "status says all of it" "$(tr -s ' \n' '  ' <<<"$out")" \
	'^HOSTS 1 active DRAINED none MEM_AVL_VM [0-9.]+[MG] VMS 4 poweroff CONFLICTS none OPERATIONS none '

# Filters.
names() { "$VIRTX" list "$@" -o name | tr '\n' ' '; }
is "by name" "$(names vm -n b)" "db web "
is "by state" "$(names vm -s poweroff -n web)" "web "
is "by the number of a state" "$(names vm --state 4)" ""
is "by host" "$(names vm -h "$host" -n db)" "db "
is "by the start of the host's UUID" "$(names vm -n db -h "$("$VIRTX" list host | awk 'NR == 2 {print substr($1, 1, 6)}')")" "db "
is "by VLAN" "$(names vm -v 7)" ""
is "by custom field and value" "$(names vm -N tier -V gold)" "web "
is "another value" "$(names vm -N tier -V silver)" ""
is "hosts by everything" "$(names host -n "${host:0:1}" -a "$(uname -m)" -s active -m 1M -H 0)" "$host "
is "hosts with more than there is" "$(names host -m 900T)" ""

# JSON, YAML and names say the same.
cat >"$work/same.py" <<-'EOF'
	import json, sys, yaml
	def shape(value):  # figures change between two questions
	    if isinstance(value, dict): return {k: shape(v) for k, v in value.items()}
	    if isinstance(value, list): return [shape(v) for v in value]
	    return 0 if isinstance(value, (int, float)) and not isinstance(value, bool) else value
	a, b = (load(open(f)) for load, f in ((json.load, sys.argv[1]), (yaml.safe_load, sys.argv[2])))
	sys.exit(f"{shape(a)}\n{shape(b)}" if shape(a) != shape(b) else 0)
EOF
formats() { # arguments...
	does "$* as JSON" "$@" -o json
	echo "$out" >"$work/a.json"
	does "$* as YAML" "$@" -o yaml
	echo "$out" >"$work/a.yaml"
	ok "$*: the same" /usr/bin/python3 "$work/same.py" "$work/a.json" "$work/a.yaml"
}
for line in "list vm" "list host" "list operation" "get vm web" "get vm web db" "get host $host" "get runstate vm web" \
	"get runstate vm web db" "get operation $operation" status version; do
	read -ra words <<<"$line"
	formats "${words[@]}"
done
does "get vm as JSON" get vm web -o json
is "holds the definition" "$(json_of '.def.disks[0].size')" 16
does "of several" get vm web db -o json
is "it is a list" "$(json_of 'map(.def.name) | join(" ")')" "web db"
does "names" get vm web db -o name
is "one on each line" "$out" $'web\ndb'

# What an ID can be.
for id in "$web" "${web^^}" "${web:0:12}" web; do
	does "get vm $id" get vm "$id" -o name
	is "finds it" "$out" web
done
does "a name with a blank" get runstate vm "two words" --no-headers
does "a name in UTF-8" get runstate vm ünï --no-headers
fails "no such VM" 3 '^virtx: there is no VM "none"$' get vm none
fails "a path is no ID" 3 'there is no VM "\.\./vms"' get vm ../vms
fails "no such host" 3 'no host "none"' get host none
fails "no such operation" 3 'operation none is not known' get operation none
cli get vm none web nothing -o name
is "of several the others are done" "$out" web
is "the first failure is the exit code" "$code" 3
like "each is named" "$(tr '\n' ' ' <<<"$err")" 'virtx: none: .*virtx: nothing: '

# Definition, XML, update, edit.
does "get definition" get definition vm web
ok "is what update takes" "$VIRTX" update vm web - <<<"$out"
does "get xml" get xml vm web
like "is libvirt's" "$out" "<uuid>$web</uuid>"
jq '.custom = [{name: "tier", value: "tin"}]' "$work/web.json" >"$work/web2.json"
does "update" update vm web "$work/web2.json"
is "is there" "$(names vm -N tier -V tin)" "web "
export EDITOR="$work/editor.sh"
editor() {
	{ echo '#!/bin/bash' && cat; } >"$EDITOR"
	chmod +x "$EDITOR"
}
editor <<<"sed -i 's/\"tin\"/\"lead\"/' \"\$1\""
does "edit" edit vm web
is "is there" "$(names vm -N tier -V lead)" "web "
is "no draft is left" "$(find "$work" -maxdepth 1 -name 'virtx-*.json')" ""
editor <<<:
cli edit vm web
is "edit without a change" "$code $err" "0 nothing was changed"
editor <<<"exit 3"
fails "an editor that fails" 1 'editor .* failed' edit vm web
EDITOR=$work/no-editor fails "an editor that is not there" 1 'hint: set VISUAL or EDITOR' edit vm web
editor <<EOF
"$VIRTX" update vm web "$work/web.json"
sed -i 's/"lead"/"mine"/' "\$1"
EOF
fails "someone else was faster" 1 'your text is kept in' edit vm web
like "and says so first" "$err" '^virtx: VM web has another definition by now'
ok "the text is kept" grep -q '"mine"' "$(sed -n 's/.*kept in //p' <<<"$err")"
is "the other's change stands" "$(names vm -N tier -V gold)" "web "
editor <<<"echo { half >\"\$1\""
fails "a text that is no JSON" 1 'your text is kept in' edit vm web
rm -f "$work"/virtx-*.json

# States, with a guest that does not listen.
does "boot and wait" boot vm web --wait --timeout 60s
is "it runs" "$(names vm -s running)" "web "
console_speaks() { "$VIRTX" console vm web | grep -q .; }
ok "console" wait_for 30 console_speaks
is "console --follow goes on until it is ended" "$(timeout 2 "$VIRTX" console vm web --follow >"$work/console"; echo $?)" 124
ok "with what the guest wrote" test -s "$work/console"
does "pause" pause vm web
is "it is paused" "$("$VIRTX" get runstate vm web --no-headers | cut -d' ' -f1)" paused
does "resume" resume vm web
does "reboot by force" reboot vm web -f
fails "it takes no heed" 5 'timed out: web is .*, not poweroff' shutdown vm web --wait --timeout 1s
fails "boot what runs" 1 'running' boot vm web
fails "delete what runs" 1 'hint: shut it down' delete vm web
fails "never migrated" 1 'never been migrated' get migrate vm web
fails "nowhere to go" 1 'no other host' migrate vm web --live
fails "nothing to abort" 1 'migrat' abort migrate vm web
does "pull the plug and wait" shutdown vm web -ff --wait
is "it is off" "$(names vm -s poweroff -n web)" "web "
like "its last boot" "$("$VIRTX" get vm web --no-headers)" '20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9:]{8}  poweroff$'
does "boot two" boot vm web db -w
does "stop two" shutdown vm web db -f -w
cli register vm web --host "$host"
is "register" "$code $err" "0 register entry rewritten from libvirt"
fails "a cancel that comes too late" 1 'has ended: completed' cancel operation "$operation"

# With cloud-init and a guest that listens.
definition guest 128 "$(disk guest.raw 0 0 1 1 1)" "[$(disk guest.iso 1 2 0 0 0)]" >"$work/guest.json"
printf '#cloud-config\nhostname: typed\n' >"$work/user-data"
printf 'instance-id: mine\n' >"$work/meta-data"
does "create a guest" create vm "$work/guest.json"
does "boot with cloud-init" boot vm guest -u "$work/user-data" -m "$work/meta-data"
guest_said() { "$VIRTX" console vm guest | grep -aq "$1"; }
ok "it reads the user-data" wait_for 90 guest_said 'seed user-data: hostname: typed'
ok "and the meta-data" wait_for 30 guest_said 'seed meta-data: instance-id: mine'
ok "it is armed" wait_for 30 guest_said 'shutdown button armed'
cli shutdown vm guest --wait --timeout 1m
is "it shuts down when asked" "$code" 0
fails "standard input for two" 2 'only once' boot vm guest -u - -m -
fails "cloud-init of nothing" 1 'cannot open' boot vm guest -u "$work/none"

# An ID that can be two things: of 17 operations two start with the same letter.
while [ "$("$VIRTX" list operation -o name | wc -l)" -lt 17 ]; do
	"$VIRTX" update vm web "$work/web.json"
done
twice=$("$VIRTX" list operation -o name | cut -c1 | sort | uniq -d | head -n 1)
fails "an ambiguous ID" 1 'can be [0-9]+ operations: ' get operation "$twice"
like "says what to do" "$err" 'hint: give more of'

# Delete: asks on a terminal only.
on_terminal() { tests/e2e/terminal.py 20 "$@"; }
is "a no" "$(on_terminal '<and its managed storage.*N. ' '>n\r' -- "$VIRTX" delete vm web -s >"$work/pty"; echo $?)" 1
ok "is said" grep -q 'not deleted' "$work/pty"
ok "and kept to" test -f "$state/vms/ds/web/os.qcow2"
ok "a yes" on_terminal '<N. ' '>y\r' -- "$VIRTX" delete vm web --storage
not_ok "too" test -e "$state/vms/ds/web/os.qcow2"
not_ok "without storage nobody asks" grep -q 'y/N' <(on_terminal -- "$VIRTX" delete vm db)
ok "the image stays" test -f "$state/vms/ds/db.raw"
not_ok "with --yes neither" grep -q 'y/N' <(on_terminal -- "$VIRTX" delete vm guest -s --yes)
# An image that cannot be removed; where the file system knows no such attribute it is removed.
if chattr +i "$state/vms/ds/two.raw" 2>/dev/null; then wanted="0 virtx: warning: some resources could not be deleted"; else wanted="0 "; fi
cli delete vm "two words" -s
chattr -i "$state/vms/ds/two.raw" 2>/dev/null
is "delete from a script, with a warning for what is left" "$code $err" "$wanted"
does "the last one" delete vm ünï -s
does "nothing is left" list vm --no-headers
is "not a line" "$out" ""

# Without a server.
same_xml() { /usr/bin/python3 -c 'import sys; from xml.etree.ElementTree import canonicalize as c
sys.exit(c(from_file=sys.argv[1], strip_text=True) != c(from_file=sys.argv[2], strip_text=True))' "$@"; }
daemon_stop TERM
for golden in tests/golden/vmdef/*.xml; do
	cli create vm "${golden%.xml}.json" --print-xml --arch x86_64 --uuid 11111111-2222-4333-8444-555555555555
	echo "$out" >"$work/made.xml"
	ok "the XML of $(basename "$golden" .xml)" same_xml "$golden" "$work/made.xml"
done
for golden in tests/golden/vmdef/*.err; do
	fails "$(basename "$golden" .err) is refused" 1 '^virtx: [a-z]' create vm "${golden%.err}.json" --print-xml --arch x86_64
done
fails "no server" 4 'hint: is virtxd running there' list vm
fails "no server for several" 4 'Connection refused' boot vm a b
is "is said once" "$(grep -c refused <<<"$err")" 1
cli version
is "the client knows its own version" "$code $(tail -n 1 <<<"$out")" "4 $("$VIRTX" --version | cut -d' ' -f2)   -"

# Servers that are none.
tests/e2e/broken_server.py >"$work/broken" &
broken=$!
cleanup_hooks+=(end_broken)
end_broken() { kill "$broken"; }
wait_for 10 test -s "$work/broken"
VIRTX_API_SERVER=127.0.0.1:$(cat "$work/broken")
fails "an answer that is no HTTP" 4 'HTTP' get vm garbage
fails "a closed connection" 4 'breaks off|closed' get vm closed
fails "half an answer" 4 'before its answer was complete' get vm cut
fails "an answer for browsers" 4 'not JSON' get vm page
fails "a list that is none" 3 'no host' list vm -h x
fails "an error without words" 1 'Internal Server Error' get vm error
fails "an answer that does not come" 5 'in time|timed out' boot vm slow --wait --timeout 1s
is "a console as it is" "$("$VIRTX" console vm any | od -An -tx1 | head -n 1)" " 1b 5d 30 3b 6f 77 6e 65 64 07 20 1b 5b 33 32 6d"
ok "and on a terminal" on_terminal -- "$VIRTX" console vm any
is "only text and colours" "$(cat -v "$tap_out")" '\x1b]0;owned\x07 ^[[32mgreen^[[0m \xff\x9b6n^M'

# Typed wrongly.
fails "a wrong word" 2 'hint: did you mean "list vm"' list vn
fails "half a command" 2 'hint: virtx help get' get
fails "a wrong option" 2 'did you mean --name' list vm --nmae x
fails "no ID" 2 'takes ID' boot vm
fails "too many files" 2 'and no more' create vm a b
fails "a wrong state" 2 'hint: one of .*running' list vm -s runing
fails "a wrong time" 2 'like 90s or 5m' boot vm x --wait --timeout soon
fails "a wrong server" 2 'is not a server' -A 'a b' list vm
for words in "" "help" "help get" "get vm --help" "list vm '-?'" "boot vm -h"; do
	ok "help: virtx $words" eval "'$VIRTX' $words"
done
tap_done
