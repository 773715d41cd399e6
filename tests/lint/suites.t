#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/suites names every test there is, so that none is left out in silence.
. tests/tools/tap.sh
listed=$(grep -v '^#' tests/suites | awk 'NF {print $1}' | sort -u)
present=$({
	ls tests/unit/test_*.c | sed 's|^tests/||; s|\.c$||'
	ls tests/lint/*.t tests/e2e/*.t | sed 's|^tests/||'
} | sort)
is "tests/suites lists exactly the tests there are" "$listed" "$present"
corpora() {
	local fuzzer name failed=0
	for fuzzer in tests/fuzz/fuzz_*.c; do
		name=$(basename "$fuzzer" .c)
		[ -n "$(ls "tests/fuzz/corpus/${name#fuzz_}" 2>/dev/null)" ] || {
			echo "$fuzzer: no seed corpus"
			failed=1
		}
	done
	return $failed
}
ok "every fuzzer has seeds" corpora
tap_done
