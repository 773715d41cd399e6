/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * POST /hosts/{id}/drain: 202 and the operation that moves the host's VMs away; with ?dry_run=true
 * 200 and where each would go. DELETE takes the mark away.
 */
#include "base/mem.h"
#include "drain_host.h"
#include "drain_moves.h"
#include "model/json.h"
#include "routes.h"

static int answer_plan(struct call *call)
{
	struct json_object *json = json_new_object();

	json_object_object_add(json, "items", drain_moves_plan(call->daemon));
	return call_answer_json(call, 200, json);
}

int api_drain_start(struct call *call, struct error *err)
{
	struct daemon *daemon = call->daemon;
	char id[UUID_TEXT_SIZE];
	bool dry_run;

	if (call_read_switch(call, "dry_run", &dry_run, err) < 0)
		return -1;
	if (daemon->settings.standalone)
		return error_set(err, ERR_UNSUPPORTED,
			"standalone there is no other host that could take VMs");
	if (dry_run)
		return answer_plan(call);
	if (drain_host_begin(daemon->drain, id, err) < 0)
		return -1;
	cleanup_free char *location = xasprintf("/operations/%s", id);
	struct json_object *json = operation_find_json(daemon->operations, id, err);
	if (!json)
		return -1;
	http_response_header(call->response, "Location", location);
	return call_answer_json(call, 202, json);
}

int api_drain_lift(struct call *call, struct error *err)
{
	if (drain_host_lift(call->daemon->drain, err) < 0)
		return -1;
	return call_answer(call, 204);
}
