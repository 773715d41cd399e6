/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GET /vms, /vms/{id}, /vms/{id}/runstate and /vms/{id}/xml (spec: rest-api.md). All but the last
 * from memory. */
#include "base/mem.h"
#include "base/str.h"
#include "cluster/claims.h"
#include "collector.h"
#include "lists.h"
#include "model/json.h"
#include "routes.h"

static int list_all(struct inventory *inventory, struct inventory_list *list, struct error *err)
{
	return inventory_list_vms(inventory, &(struct vm_filter){0}, NULL, list, err);
}

static struct lists_whole whole = {
	.version = inventory_vms_version, .list = list_all, .lock = PTHREAD_RWLOCK_INITIALIZER};

static int set_filter(void *filter, const char *name, const char *value, struct error *err)
{
	return vm_filter_set(filter, name, value, err);
}

static int answer(
	struct call *call, struct vm_filter *filter, struct inventory_page *page, struct error *err)
{
	struct inventory_list list;

	if (!*call->request->query && vm_filter_is_empty(filter))
		return lists_answer_whole(call, &whole, err);
	if (lists_read_query(call, set_filter, filter, page, err) < 0 ||
		inventory_list_vms(call->daemon->inventory, filter, page, &list, err) < 0)
		return -1;
	return lists_answer(call, &list);
}

int api_vms_list(struct call *call, struct error *err)
{
	struct inventory_page page = {0};
	struct json_object *json;
	struct vm_filter filter;

	if (json_get_object(call->body, "filter", "", &json, err) < 0 ||
		vm_filter_from_json(json, &filter, err) < 0)
		return -1;
	int result = answer(call, &filter, &page, err);
	free((char *)page.cursor);
	vm_filter_free(&filter);
	return result;
}

/* With the hosts that have it; *body stays as it is when there is one only. */
static int show_conflict(struct call *call, struct http_body **body, struct error *err)
{
	struct daemon *daemon = call->daemon;
	char hosts[2][UUID_TEXT_SIZE];
	cleanup_vm struct vm vm = {0};

	if (!daemon->claims || !claims_is_conflict(daemon->claims, call->vm.uuid, hosts))
		return 0;
	if (collector_get_vm(daemon->collector, call->vm.uuid, &vm, err) < 0)
		return -1;
	cleanup_json struct json_object *json = vm_to_json(&vm);
	struct json_object *conflict = json_object_object_get(json, "conflict");
	for (size_t i = 0; i < 2; i++)
		json_append_string(conflict, hosts[i]);
	char *text = json_text(json);
	http_body_unref(*body);
	*body = http_body_new(text, strlen(text));
	return 0;
}

int api_vms_get(struct call *call, struct error *err)
{
	char etag[17];
	struct http_body *body =
		collector_get_vm_body(call->daemon->collector, call->vm.uuid, etag, err);

	if (!body)
		return -1;
	if (show_conflict(call, &body, err) < 0) {
		http_body_unref(body);
		return -1;
	}
	/*
	 * The tag is the definition's: it serves If-Match on update. State and figures change
	 * without it, so If-None-Match says nothing here.
	 */
	cleanup_free char *header = xasprintf("\"%s\"", etag);

	http_response_header(call->response, "ETag", header);
	call->response->body = body;
	return call_answer(call, 200);
}

int api_runstate_get(struct call *call, struct error *err)
{
	char text[96];

	(void)err;
	/* The most frequent request: both values are ours and need no escaping. */
	snprintf(text, sizeof(text), "{\"runstate\":%d,\"host\":\"%s\"}", (int)call->vm.runstate,
		call->vm.host_uuid);
	http_response_text(call->response, 200, "application/json", text);
	return 0;
}

int api_vms_xml(struct call *call, struct error *err)
{
	bool live = call->vm.runstate != RUNSTATE_POWEROFF;
	char *xml = hypervisor_show_xml(call->daemon->hypervisor, call->vm.uuid, live, err);

	if (!xml)
		return -1;
	call->response->type = "application/xml";
	call->response->body = http_body_new(xml, strlen(xml));
	return call_answer(call, 200);
}
