/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GET /vms, /vms/{id}, /vms/{id}/runstate and /vms/{id}/xml (spec: rest-api.md). All but the last
 * from memory. */
#include "base/mem.h"
#include "base/str.h"
#include "collector.h"
#include "lists.h"
#include "model/json.h"
#include "routes.h"

#include <pthread.h>

/* The whole list, for as long as nothing in it changes: most clients ask for just that. */
static struct {
	pthread_mutex_t lock;
	uint64_t revision;
	struct http_body *body; /* NULL: none yet */
	char etag[17];
} whole = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int answer_whole(struct call *call, struct error *err)
{
	struct inventory *inventory = call->daemon->inventory;
	struct vm_filter all = {0};
	char etag[17];

	pthread_mutex_lock(&whole.lock);
	/* Asked first: a list that is newer than its revision is only made once more. */
	uint64_t revision = inventory_revision(inventory);
	if (!whole.body || whole.revision != revision) {
		struct inventory_list list;

		if (inventory_list_vms(inventory, &all, NULL, &list, err) < 0) {
			pthread_mutex_unlock(&whole.lock);
			return -1;
		}
		http_body_unref(whole.body);
		whole.revision = revision;
		memcpy(whole.etag, list.etag, sizeof(whole.etag));
		whole.body = lists_take_body(&list);
	}
	memcpy(etag, whole.etag, sizeof(etag));
	struct http_body *body = http_body_ref(whole.body);
	pthread_mutex_unlock(&whole.lock);
	return lists_answer(call, etag, body);
}

static int set_filter(void *filter, const char *name, const char *value, struct error *err)
{
	return vm_filter_set(filter, name, value, err);
}

static int answer_some(
	struct call *call, struct vm_filter *filter, struct inventory_page *page, struct error *err)
{
	struct inventory_list list;
	char etag[17];

	if (lists_read_query(call, set_filter, filter, page, err) < 0 ||
		inventory_list_vms(call->daemon->inventory, filter, page, &list, err) < 0)
		return -1;
	memcpy(etag, list.etag, sizeof(etag));
	return lists_answer(call, etag, lists_take_body(&list));
}

int api_vms_list(struct call *call, struct error *err)
{
	struct inventory_page page = {0};
	struct json_object *json;
	struct vm_filter filter;

	if (!call->body && !*call->request->query)
		return answer_whole(call, err);
	if (json_get_object(call->body, "filter", "", &json, err) < 0 ||
		vm_filter_from_json(json, &filter, err) < 0)
		return -1;
	int result = answer_some(call, &filter, &page, err);
	free((char *)page.cursor);
	vm_filter_free(&filter);
	return result;
}

int api_vms_get(struct call *call, struct error *err)
{
	char etag[17];
	struct http_body *body =
		collector_get_vm_body(call->daemon->collector, call->vm.uuid, etag, err);

	if (!body)
		return -1;
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
