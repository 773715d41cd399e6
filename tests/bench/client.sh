# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The client, from its start to its end: an answer of one line beside curl, and the list of 10,000 VMs to a terminal.

client_runstate() { "$VIRTX" get runstate vm "$vm" >"$work/out"; }
client_curl() { curl -s "http://$server/vms/$vm/runstate" >"$work/out"; }
client_list() { "$VIRTX" list vm >"$work/out"; }
client_curl_list() { curl -s "http://$server/vms" >"$work/out"; }
client_terminal() { script -qec "$VIRTX list vm" /dev/null >"$work/out"; }
client_terminal_true() { script -qec true /dev/null >"$work/out"; }

client_row() { # name runs ours theirs
	local ours theirs
	ours=$(each_ms "$2" "$3")
	theirs=$(each_ms "$2" "$4")
	row "$1" "$ours" ms "$theirs" "$(ratio "$ours" "$theirs")"
}

bench_client() {
	row_head
	bench_libvirtd && bench_daemon && bench_define 100 && bench_crowd_start || return 1
	client_row 'virtx get runstate, start to answer (curl)' 50 client_runstate client_curl
	client_row 'virtx list vm, 10,000, to a file (curl)' 20 client_list client_curl_list
	client_row 'virtx list vm, 10,000, to a terminal (true)' 20 client_terminal client_terminal_true
	[ "$(client_terminal && wc -l <"$work/out")" -ge 10000 ] || say '# the list is not complete'
}
