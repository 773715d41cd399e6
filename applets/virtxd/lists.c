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

/* 304 when If-None-Match has the tag; takes the body over, which may be NULL then. */
static int answer(struct call *call, const char *etag, struct http_body *body)
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

int lists_answer(struct call *call, struct inventory_list *list)
{
	struct http_body *body = http_body_new(list->json, list->len);

	free(list->next);
	return answer(call, list->etag, body);
}

/* What one request needs of a whole list. */
struct current {
	struct http_body *body; /* a reference; NULL where only the tag is known */
	char etag[17];
};

/* False when the list has to be made. Called with the lock held. */
static bool look(const struct lists_whole *whole, struct inventory_version now,
	const struct call *call, struct current *current)
{
	if (!whole->body || whole->made_of.content != now.content)
		return false;
	memcpy(current->etag, whole->etag, sizeof(current->etag));
	if (is_unchanged(call, current->etag))
		return true;
	if (whole->made_of.revision != now.revision)
		return false;
	current->body = http_body_ref(whole->body);
	return true;
}

/* Called with the lock held for writing. */
static int make(struct inventory *inventory, struct lists_whole *whole, struct error *err)
{
	/* Asked first: a list that is newer than its version is only made once more. */
	struct inventory_version now = whole->version(inventory);
	struct inventory_list list;

	if (whole->list(inventory, &list, err) < 0)
		return -1;
	http_body_unref(whole->body);
	whole->body = http_body_new(list.json, list.len);
	memcpy(whole->etag, list.etag, sizeof(whole->etag));
	whole->made_of = now;
	return 0;
}

/* Of several that find the list too old one makes it. */
static int make_current(
	struct call *call, struct lists_whole *whole, struct current *current, struct error *err)
{
	struct inventory *inventory = call->daemon->inventory;
	int result = 0;

	pthread_rwlock_wrlock(&whole->lock);
	if (!look(whole, whole->version(inventory), call, current)) {
		result = make(inventory, whole, err);
		if (result == 0) {
			memcpy(current->etag, whole->etag, sizeof(current->etag));
			current->body = http_body_ref(whole->body);
		}
	}
	pthread_rwlock_unlock(&whole->lock);
	return result;
}

int lists_answer_whole(struct call *call, struct lists_whole *whole, struct error *err)
{
	struct current current = {0};

	pthread_rwlock_rdlock(&whole->lock);
	bool known = look(whole, whole->version(call->daemon->inventory), call, &current);
	pthread_rwlock_unlock(&whole->lock);
	if (!known && make_current(call, whole, &current, err) < 0)
		return -1;
	return answer(call, current.etag, current.body);
}
