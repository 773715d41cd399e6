/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GET /operations, GET and DELETE /operations/{id} (spec: design.md, Operations). */
#include "routes.h"

int api_operations_list(struct call *call, struct error *err)
{
	(void)err;
	return call_answer_json(call, 200, operations_to_json(call->daemon->operations));
}

int api_operations_get(struct call *call, struct error *err)
{
	struct json_object *json = operation_find_json(call->daemon->operations, call->id, err);

	return json ? call_answer_json(call, 200, json) : -1;
}

int api_operations_cancel(struct call *call, struct error *err)
{
	if (operations_cancel(call->daemon->operations, call->id, err) < 0)
		return -1;
	return call_answer(call, 202); /* it stops when its work looks at it */
}
