/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GET /hosts and /hosts/{id} (spec: rest-api.md), from the inventory. */
#include "announce.h"
#include "base/mem.h"
#include "base/str.h"
#include "lists.h"
#include "model/json.h"
#include "routes.h"

static int list_all(struct inventory *inventory, struct inventory_list *list, struct error *err)
{
	return inventory_list_hosts(inventory, &(struct host_filter){0}, NULL, list, err);
}

static struct lists_whole whole = {
	.version = inventory_hosts_version, .list = list_all, .lock = PTHREAD_RWLOCK_INITIALIZER};

static int set_filter(void *filter, const char *name, const char *value, struct error *err)
{
	return host_filter_set(filter, name, value, err);
}

static int answer(struct call *call, struct host_filter *filter, struct inventory_page *page,
	struct error *err)
{
	struct inventory_list list;

	if (!*call->request->query && host_filter_is_empty(filter))
		return lists_answer_whole(call, &whole, err);
	if (lists_read_query(call, set_filter, filter, page, err) < 0 ||
		inventory_list_hosts(call->daemon->inventory, filter, page, &list, err) < 0)
		return -1;
	return lists_answer(call, &list);
}

int api_hosts_list(struct call *call, struct error *err)
{
	struct inventory_page page = {0};
	struct json_object *json;
	struct host_filter filter;

	if (json_get_object(call->body, "filter", "", &json, err) < 0 ||
		host_filter_from_json(json, &filter, err) < 0)
		return -1;
	int result = answer(call, &filter, &page, err);
	free((char *)page.cursor);
	host_filter_free(&filter);
	return result;
}

int api_hosts_get(struct call *call, struct error *err)
{
	cleanup_host struct host host = {0};

	if (inventory_get_host(call->daemon->inventory, call->host, &host, err) < 0)
		return -1;
	return call_answer_json(call, 200, host_to_json(&host));
}

int api_hosts_inventory(struct call *call, struct error *err)
{
	size_t len;

	if (call_check_peer(call, err) < 0)
		return -1;
	char *body = announce_inventory(call->daemon->announce, &len, err);
	if (!body)
		return -1;
	call->response->type = "application/octet-stream";
	call->response->body = http_body_new(body, len);
	return call_answer(call, 200);
}
