-- SPDX-License-Identifier: GPL-2.0-or-later
-- Requests for wrk, drawn at random from a file with a target per line, optionally followed by a blank and an entity
-- tag: wrk ... -s load.lua ADDRESS -- FILE keep|new. Prints the figures as JSON.
local requests = {}

function init(args)
	if args[2] == "new" then
		wrk.headers["Connection"] = "close"
	end
	math.randomseed(os.time())
	for line in io.lines(args[1]) do
		local target, tag = line:match("^(%S+) ?(.*)$")
		wrk.headers["If-None-Match"] = tag ~= "" and tag or nil
		requests[#requests + 1] = wrk.format("GET", target)
	end
end

function request()
	return requests[math.random(#requests)]
end

function done(summary, latency)
	local errors = summary.errors
	print(string.format('{"rate": %.0f, "p50": %.3f, "p99": %.3f, "errors": %d}',
		summary.requests / summary.duration * 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
		errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
