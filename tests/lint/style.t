#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Form: formatting, lengths, shell scripts, no paths of anyone's machine.
. tests/tools/tap.sh
mapfile -t sources < <(git ls-files '*.c' '*.h')
mapfile -t scripts < <(git ls-files -- '*.sh' '*.t' 'tests/tools/*' 'tests/guest/*' .ci/run |
	xargs -r grep -lE '^#!/bin/(ba)?sh|^# SPDX' | xargs -r grep -LE '^#!.*(python|perl)' | grep -v '\.S$\|\.supp$\|\.dict$')

ok "formatted as .clang-format says" clang-format --dry-run -Werror "${sources[@]}"

too_long() {
	! wc -l "${sources[@]}" | awk '$2 != "total" && $1 > 600 {print; found = 1} END {exit !found}'
}
ok "no file over 600 lines" too_long
# What shellcheck cannot know of files that are sourced: variables and functions of the other side.
sourced=SC1091,SC2317,SC2034,SC2154,SC2119,SC2120
ok "shell scripts pass shellcheck" shellcheck -x -S warning -e "$sourced" "${scripts[@]}"

no_paths() {
	! git grep -nE '(^|[[:space:]"=(])/(work|root|home/[a-z]+)/' -- . ':!LICENSE' ':!tests/lint/style.t'
}
ok "no paths of a certain machine" no_paths
no_todo() {
	! git grep -nE '\b(TODO|FIXME|XXX)\b' -- '*.c' '*.h' '*.sh' '*.t' Makefile ':!tests/lint/style.t'
}
ok "nothing left for later in the code" no_todo
no_sleep() {
	! git grep -nE '^[[:space:]]*(sleep [0-9]|usleep\(|sleep\()' -- tests ':!tests/guest/init' ':!tests/tools/tap.sh' ':!tests/lint'
}
ok "tests wait for conditions, never for time" no_sleep
tap_done
