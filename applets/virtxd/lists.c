/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Queries and answers of lists. */
#include "lists.h"

#include "base/mem.h"
#include "base/str.h"

static int set_limit(struct inventory_page *page, const char *value, struct error *err)
{
	int64_t limit;

	if (!str_parse_int(value, 1, UINT32_MAX, &limit))
		return error_set(
			err, ERR_INVALID, "limit: \"%.32s\" is not a number above 0", value);
	page->limit = (uint32_t)limit;
	return 1;
}

static int set_cursor(struct inventory_page *page, char **value)
{
	free((char *)page->cursor);
	page->cursor = steal(value);
	return 1;
}

int lists_read_query(struct call *call,
	int (*set_filter)(void *filter, const char *name, const char *value, struct error *err),
	void *filter, struct inventory_page *page, struct error *err)
{
	const char *position = call->request->query;

	for (;;) {
		cleanup_free char *name = NULL, *value = NULL;
		int status = http_query_next(&position, &name, &value, err);

		if (status <= 0)
			return status;
		if (str_equal(name, "limit"))
			status = set_limit(page, value, err);
		else if (str_equal(name, "cursor"))
			status = set_cursor(page, &value);
		else
			status = set_filter(filter, name, value, err);
		if (status < 0)
			return -1;
		if (!status)
			return error_set(err, ERR_INVALID,
				"there is no query parameter \"%.64s\" here", name);
	}
}

/* The header is "*" or a list of tags, weak ones too: "abc", W/"def". */
static bool is_unchanged(const struct call *call, const char *etag)
{
	const char *known = http_request_header(call->request, "If-None-Match");
	char quoted[24];

	if (!known)
		return false;
	snprintf(quoted, sizeof(quoted), "\"%s\"", etag);
	return str_equal(known, "*") || strstr(known, quoted);
}

static void set_etag(struct call *call, const char *etag)
{
	char header[24];

	snprintf(header, sizeof(header), "W/\"%s\"", etag); /* ts may differ */
	http_response_header(call->response, "ETag", header);
}

int lists_answer(struct call *call, struct inventory_list *list)
{
	bool unchanged = is_unchanged(call, list->etag);

	set_etag(call, list->etag);
	if (unchanged)
		free(list->json);
	else
		call->response->body = http_body_new(list->json, list->len);
	free(list->next);
	*list = (struct inventory_list){0};
	return call_answer(call, unchanged ? 304 : 200);
}

/* Called with the lock held. */
static int make_whole(struct inventory *inventory, struct lists_whole *whole,
	struct inventory_version now, struct error *err)
{
	struct inventory_list list;

	if (whole->list(inventory, &list, err) < 0)
		return -1;
	http_body_unref(whole->body);
	whole->body = http_body_new(list.json, list.len);
	memcpy(whole->etag, list.etag, sizeof(whole->etag));
	whole->made_of = now;
	return 0;
}

int lists_answer_whole(struct call *call, struct lists_whole *whole, struct error *err)
{
	struct inventory *inventory = call->daemon->inventory;
	int result = 0;

	pthread_mutex_lock(&whole->lock);
	/* Asked first: a list that is newer than its version is only made once more. */
	struct inventory_version now = whole->version(inventory);
	bool unchanged = whole->body && whole->made_of.content == now.content &&
			 is_unchanged(call, whole->etag);
	if (!unchanged && (!whole->body || whole->made_of.revision != now.revision)) {
		result = make_whole(inventory, whole, now, err);
		unchanged = result == 0 && is_unchanged(call, whole->etag);
	}
	if (result == 0) {
		set_etag(call, whole->etag);
		call->response->body = unchanged ? NULL : http_body_ref(whole->body);
		call_answer(call, unchanged ? 304 : 200);
	}
	pthread_mutex_unlock(&whole->lock);
	return result;
}
