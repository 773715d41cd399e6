#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Completion in bash, zsh and fish: the shells themselves, with names of a running daemon.
# shellcheck disable=SC2016
. tests/e2e/lib.sh
must "the daemon becomes ready" daemon_start
mkdir -p "$work/bin" "$work/files"
ln -s "$VIRTX" "$work/bin/virtx"
export PATH=$work/bin:$PATH HOME=$work LC_ALL=C.UTF-8
host=$(virtx list host -o name)
for name in web1 web2 "two words" 'x$b' ünï; do
	ok "create $name" create_vm < <(definition "$name" 32 "$(disk "$name.raw" 0 0 1 1 1)")
done
touch "$work/files/definition.json" "$work/files/other.txt"
virtx completion bash >"$work/virtx.bash"
virtx completion zsh >"$work/_virtx"
virtx completion fish >"$work/virtx.fish"

# Types keys into an interactive shell; prints what was on the screen.
in_bash() { # steps...
	(cd "$work/files" && "$here/terminal.py" 30 '<[$#] ' ">PS1=; . $work/virtx.bash; PS1='rea''dy> '\r" \
		'<ready> ' "$@" '>\r' '<ready> ' '>exit 0\r' -- bash --norc -i)
}
in_zsh() {
	(cd "$work/files" && "$here/terminal.py" 30 '<[%#] ' \
		">fpath=($work \$fpath); autoload -Uz compinit; compinit -u -D; PS1='rea''dy> '\r" \
		'<ready> ' "$@" '>\r' '<ready> ' '>exit 0\r' -- zsh -f -i)
}
# What fish offers for a line.
in_fish() { fish --no-config -c ". $work/virtx.fish; cd $work/files; complete -C '$1'" | LC_ALL=C sort; }
here=$PWD/tests/e2e

for shell in bash zsh; do
	ok "$shell: a command" "in_$shell" '>virtx sta\t' '<status'
	ok "$shell: its words" "in_$shell" '>virtx get run\t' '<runstate' '>\t' '<vm'
	ok "$shell: the name of a VM" "in_$shell" '>virtx get runstate vm web\t' '<web' '>\t\t' '<web1.*web2' '>\x03' '<ready> '
	ok "$shell: a name with a blank is one word" "in_$shell" '>virtx get vm two\t' '<two\\ words' '>--no-headers'
	ok "$shell: a name that means something to it" "in_$shell" '>virtx get vm x\t' '<x\\[$]b'
	ok "$shell: UTF-8" "in_$shell" '>virtx get vm ün\t' '<ünï'
	ok "$shell: a host" "in_$shell" ">virtx get host ${host%?}\\t" "<$host"
	ok "$shell: an option" "in_$shell" '>virtx list vm --sta\t' '<--state'
	ok "$shell: its value" "in_$shell" '>virtx list vm --state pow\t' '<poweroff'
	ok "$shell: behind =" "in_$shell" '>virtx list vm --output=js\t' '<json'
	ok "$shell: a file" "in_$shell" '>virtx create vm def\t' '<definition.json'
	ok "$shell: no server, no noise" "in_$shell" '>virtx -A 127.0.0.1:1 get vm w\t\t' '>; echo still $((6 * 7))\r' \
		'<w[^a-z]*; echo still' '<still 42'
done
like "the line that was completed runs" "$(in_bash '>virtx get vm two\t' '<words' '>--no-headers\r' '<ready')" '^two words +'

is "fish: commands" "$(in_fish 'virtx sh' | cut -f1)" shutdown
is "fish: names of VMs" "$(in_fish 'virtx get vm ' | cut -f1)" $'two words\nweb1\nweb2\nx$b\nünï'
like "fish: with their UUIDs" "$(in_fish 'virtx get vm web1')" $'^web1\t[0-9a-f-]{36}$'
is "fish: a host" "$(in_fish 'virtx list vm -h ' | cut -f1)" "$host"
is "fish: the value of an option" "$(in_fish 'virtx list vm --output=j' | cut -f1)" --output=json
is "fish: files" "$(in_fish 'virtx create vm def')" definition.json
is "fish: no server, nothing" "$(in_fish 'virtx -A 127.0.0.1:1 get vm ' 2>&1)" ""

# What the shells ask.
offered() { virtx complete -- "$@" | cut -f1 | LC_ALL=C sort | tr '\n' ' '; }
is "names" "$(offered delete vm web)" "web1 web2 "
uuid=$(virtx list vm --name web1 -o json | jq -r '.items[0].uuid')
is "the start of a UUID" "$(offered boot vm "${uuid:0:8}")" "$uuid "
is "no second operand where there is one" "$(offered console vm web1 "")" ""
is "more where there are many" "$(offered boot vm web1 web2 two)" "two words "
is "a server on the line" "$(offered -A 127.0.0.1:1 boot vm web)" ""
is "nothing of a server that is no server" "$(virtx complete -- -A "no server" boot vm '' 2>&1)" ""
is "operations" "$(offered get operation '' | wc -w)" "$(virtx list operation --no-headers | wc -l)"
daemon_stop TERM
is "nothing when the server is away" "$(virtx complete -- boot vm '' 2>&1; echo $?)" 0
tap_done
