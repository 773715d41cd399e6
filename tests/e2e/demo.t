#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The demo: from anywhere, as an ordinary user, to its end and broken off; nothing stays.
. tests/e2e/lib.sh
need_guests
O=$work/o
mkdir -p "$O/guest" "$work/tmp"
cp "$VIRTX" "$O/virtx"
ln -s virtx "$O/virtxd"
# Newer than what they are made of, so that they are not made again.
cp "$GUEST_CACHE"/guest.iso "$GUEST_CACHE"/hello.raw "$O/guest/"
as_user=()
if [ "$(id -u)" -eq 0 ]; then
	cp -a examples tests "$work/"
	chown -R nobody:nogroup "$O" "$work/tmp"
	as_user=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
else
	ln -s "$PWD/examples" "$PWD/tests" "$work/"
fi
demo=("${as_user[@]}" env TMPDIR="$work/tmp" O="$O" HOME="$work/tmp" "$work/examples/demo")
here=$PWD
leftovers() { # files, processes
	ls -A "$work/tmp"
	pgrep -af "$work/[t]mp" || :
}
gone() { [ -z "$(leftovers)" ]; }
cleanup_hooks+=(end_ours)
end_ours() { pgrep -f "$work/[t]mp" | xargs -r kill -9; }

cd / || exit 1
ok "the demo runs, from anywhere and as an ordinary user" timeout 120 "${demo[@]}"
like "the guest speaks" "$(cat "$tap_out")" '^virtx-guest: heartbeat'
like "the guest goes when asked" "$(cat "$tap_out")" '^virtx-guest: power button'
like "it ends well" "$(cat "$tap_out")" 'whole life of a VM in [0-9]+ s'
is "nothing stays" "$(leftovers)" ""

ok "Ctrl-C while the guest runs" test 130 = \
	"$("$here/tests/e2e/terminal.py" 60 '<list vm' '<boot vm demo' '>\x03' -- "${demo[@]}" >"$work/screen"; echo $?)"
ok "leaves nothing" wait_for 30 gone
ok "Ctrl-C at the start" test 130 = \
	"$("$here/tests/e2e/terminal.py" 60 '<virtxd --standalone' '>\x03' -- "${demo[@]}" >"$work/screen"; echo $?)"
ok "leaves nothing" wait_for 30 gone
rm "$O/virtxd"
not_ok "without a daemon it fails" timeout 60 "${demo[@]}"
like "and says so" "$(cat "$tap_out")" '^demo: virtxd ended'
is "leaves nothing" "$(leftovers)" ""
cd "$here" || exit 1
tap_done
