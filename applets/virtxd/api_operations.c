/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GET /operations, GET and DELETE /operations/{id} (spec: design.md, Operations). */
#include "ask_hosts.h"
#include "base/mem.h"
#include "model/json.h"
#include "routes.h"

/* Adds what another host has; false when that is no list of operations. */
static bool take_items(struct json_object *items, const struct host_answer *answer)
{
	cleanup_json struct json_object *json = NULL;
	struct json_object *list;
	struct error ignored = {0};
	size_t count;

	if (json_parse(answer->body, answer->len, &json, &ignored) < 0 ||
		json_get_objects(json, "items", "", OPERATIONS_MAX, &list, &count, &ignored) < 0)
		return false;
	for (size_t i = 0; i < count; i++) {
		struct json_object *item = json_object_array_get_idx(list, i);

		if (!item)
			continue;
		json_add_string(item, "host", answer->uuid);
		json_object_array_add(items, json_object_get(item));
	}
	return true;
}

static void add_unanswered(struct json_object *list, const struct host_answer *answer)
{
	struct json_object *item = json_append_object(list);

	json_add_string(item, "host", answer->uuid);
	json_add_string(item, "name", answer->name);
	json_add_string(item, "detail",
		answer->body ? "its answer is not understood" : answer->err.message);
}

static int64_t start_of(const void *item)
{
	struct json_object *start = NULL;

	json_object_object_get_ex(*(struct json_object *const *)item, "start", &start);
	return json_object_get_int64(start);
}

static int compare_newest_first(const void *a, const void *b)
{
	int64_t left = start_of(a), right = start_of(b);

	return left < right ? 1 : left > right ? -1 : 0;
}

static void add_all(struct daemon *daemon, struct json_object *json)
{
	cleanup_host_answers struct host_answers answers = {0};
	struct json_object *items = json_object_object_get(json, "items");
	struct json_object *unanswered = json_add_array(json, "unanswered");

	ask_hosts(daemon, "/operations", &answers);
	for (size_t i = 0; i < answers.count; i++)
		if (!answers.list[i].body || !take_items(items, &answers.list[i]))
			add_unanswered(unanswered, &answers.list[i]);
	json_object_array_sort(items, compare_newest_first);
}

int api_operations_list(struct call *call, struct error *err)
{
	bool all;

	if (call_read_switch(call, "all", &all, err) < 0)
		return -1;
	struct json_object *json = operations_to_json(call->daemon->operations);

	/* A host asks for ours only. */
	if (all && !call->peer[0])
		add_all(call->daemon, json);
	return call_answer_json(call, 200, json);
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
