/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the two lists of the API share: query parameters, pages, entity tags. */
#ifndef VIRTXD_LISTS_H
#define VIRTXD_LISTS_H

#include "routes.h"

/*
 * Reads the query: limit, cursor, and for every other name the filter's setter (1: taken, 0:
 * unknown, refused, -1: err). page->cursor is a string that the caller frees with free((char
 * *)...), NULL when none was given.
 */
int lists_read_query(struct call *call,
	int (*set_filter)(void *filter, const char *name, const char *value, struct error *err),
	void *filter, struct inventory_page *page, struct error *err);

/*
 * Answers 200 with the body, a reference to which it takes over, or 304 when If-None-Match has the
 * tag.
 */
int lists_answer(struct call *call, const char *etag, struct http_body *body);

/* As a body; frees what the list holds. */
struct http_body *lists_take_body(struct inventory_list *list);

#endif
