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

int lists_answer(struct call *call, const char *etag, struct http_body *body)
{
	char header[24];

	snprintf(header, sizeof(header), "W/\"%s\"", etag); /* ts may differ */
	http_response_header(call->response, "ETag", header);
	if (is_unchanged(call, etag)) {
		http_body_unref(body);
		return call_answer(call, 304);
	}
	call->response->body = body;
	return call_answer(call, 200);
}

struct http_body *lists_take_body(struct inventory_list *list)
{
	struct http_body *body = http_body_new(list->json, list->len);

	free(list->next);
	*list = (struct inventory_list){0};
	return body;
}
