#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# HTTP under attack: malformed, hostile and slow clients by the thousand.
. tests/e2e/lib.sh
ok "the daemon becomes ready" daemon_start
while IFS= read -r line; do
	case $line in
	'ok '*) tap_result 0 "${line#ok }" ;;
	'not ok '*) tap_result 1 "$(cut -f1 <<<"${line#not ok }")" "$(cut -sf2 <<<"$line")" ;;
	'#'*) echo "$line" ;;
	finished*) finished=${line#finished } ;;
	esac
done < <(timeout 400 /usr/bin/python3 tests/e2e/attack.py "$server" "$daemon_pid" 2>"$work/attack.err"; echo "finished $?")
is "the attack ran to its end" "$finished $(tail -n 3 "$work/attack.err")" "0 "
ok "the daemon is the same process" kill -0 "$daemon_pid"
daemon_stop TERM
is "and ends in order" "$daemon_status" 0
tap_done
