/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the two lists of the API share: query parameters, pages, entity tags. */
#ifndef VIRTXD_LISTS_H
#define VIRTXD_LISTS_H

#include "routes.h"

#include <pthread.h>

/*
 * Reads the query: limit, cursor, and for every other name the filter's setter (1: taken, 0:
 * unknown, refused, -1: err). page->cursor is a string that the caller frees with free((char
 * *)...), NULL when none was given.
 */
int lists_read_query(struct call *call,
	int (*set_filter)(void *filter, const char *name, const char *value, struct error *err),
	void *filter, struct inventory_page *page, struct error *err);

/* Answers 200 with the list, or 304 when If-None-Match has its tag; frees what the list holds. */
int lists_answer(struct call *call, struct inventory_list *list);

/*
 * The whole list of one kind, kept for as long as nothing in it changes: most clients ask for just
 * that.
 */
struct lists_whole {
	struct inventory_version (*version)(struct inventory *inventory);
	int (*list)(struct inventory *inventory, struct inventory_list *list, struct error *err);
	pthread_rwlock_t lock; /* of everything below */
	struct inventory_version made_of;
	struct http_body *body; /* NULL: none yet */
	char etag[17];
};
int lists_answer_whole(struct call *call, struct lists_whole *whole, struct error *err);

#endif
