#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Serf agents, each on a loopback address of its own (127.0.1.N) with the usual ports.
# Source it after lib.sh; or run it: serf.sh NAME ADDRESS [OPTION...] becomes the agent.
declare -A serf_pid serf_address

serf_agent() { # name address [option...]
	local name=$1 address=$2
	shift 2
	# Not the profile "local": it sends each change twice, so that one in twenty reaches a host of four with the next
	# comparison of all only, up to 15 s later.
	exec serf agent -node="$name" -bind="$address:7946" -rpc-addr="$address:7373" \
		-log-level=warn -retry-interval=1s "$@"
}

# Starts one and waits until it answers; join others with -retry-join=ADDRESS.
serf_start() { # name address [option...]
	local name=$1
	serf_address[$name]=$2
	(serf_agent "$@") >>"$work/serf-$name.log" 2>&1 &
	serf_pid[$name]=$!
	wait_for 30 serf_answers "$name"
}
serf_answers() { serf info -rpc-addr="${serf_address[$1]}:7373" >/dev/null 2>&1; }

# INT: it leaves the cluster first; KILL: others find out.
serf_end() { # name [signal]
	kill "-${2:-INT}" "${serf_pid[$1]}" 2>/dev/null
	wait "${serf_pid[$1]}" 2>/dev/null
	unset "serf_pid[$1]"
}
serf_end_all() {
	local name
	for name in "${!serf_pid[@]}"; do serf_end "$name" KILL; done
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
	serf_agent "$@"
fi
