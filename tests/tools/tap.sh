# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# TAP for shell tests; source it. Every test file ends with `tap_done`.
#   ok "what" COMMAND...       passes when the command succeeds; its output is shown when it fails
#   not_ok "what" COMMAND...   passes when the command fails
#   is "what" GOT WANTED       passes when the strings are equal
#   like "what" TEXT REGEX     passes when the extended regular expression matches
#   wait_for SECONDS COMMAND   retries until it succeeds or the deadline passes
tap_count=0
tap_failed=0
tap_out=$(mktemp)
trap 'rm -f "$tap_out"' EXIT

tap_result() { # 0|1 what [diagnosis]
	tap_count=$((tap_count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $tap_count - $2"
	else
		tap_failed=$((tap_failed + 1))
		echo "not ok $tap_count - $2"
		[ -z "${3:-}" ] || printf '%s\n' "$3" | head -n 60 | sed 's/^/#   /'
	fi
}

# In this shell, not a subshell: what the command sets or starts stays.
ok() {
	local what=$1
	shift
	if "$@" >"$tap_out" 2>&1; then tap_result 0 "$what"; else tap_result 1 "$what" "$(cat "$tap_out")"; fi
}

not_ok() {
	local what=$1
	shift
	if "$@" >"$tap_out" 2>&1; then tap_result 1 "$what" "$(cat "$tap_out")"; else tap_result 0 "$what"; fi
}

is() {
	if [ "$2" = "$3" ]; then tap_result 0 "$1"; else tap_result 1 "$1" "got:    $2
wanted: $3"; fi
}

like() {
	if printf '%s\n' "$2" | grep -Eq -- "$3"; then tap_result 0 "$1"; else tap_result 1 "$1" "got:    $2
wanted: /$3/"; fi
}

wait_for() {
	local deadline=$(($(date +%s%N) + $1 * 1000000000))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s%N)" -lt "$deadline" ] || return 1
		sleep 0.05
	done
}

# A whole file cannot run here; fails in CI (tests/run).
skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}

tap_done() {
	echo "1..$tap_count"
	[ "$tap_failed" -eq 0 ]
	exit
}
