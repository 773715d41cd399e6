/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of a list, found by UUID and kept in order of name, then UUID. Each has its list item's
 * JSON ready, split around the time stamp, so that a new time costs nothing. Knows no locks: the
 * inventory has one.
 */
#ifndef CLUSTER_TABLE_H
#define CLUSTER_TABLE_H

#include "base/uuid.h"

#include <json-c/json_object.h>
#include <json-c/linkhash.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_entry {
	char uuid[UUID_TEXT_SIZE];
	const char *name; /* the row's */
	void *row;        /* owned, of the type the table was made for */
	int64_t ts_ms;
	char *json; /* the item with "ts":0, of len bytes */
	size_t len;
	size_t ts_at;    /* where that 0 stands; 0: nowhere, the item is shown as it is */
	uint64_t digest; /* of json: of the content without the time */
};

struct table {
	struct table_entry **entries; /* in order */
	uint64_t *sieves;             /* of the entries, in the same order: model/sieve.h */
	size_t count, room;
	struct lh_table *by_uuid;
	void (*free_row)(void *row);
};

void table_init(struct table *table, void (*free_row)(void *row));
void table_free(struct table *table);

/* NULL when there is none. */
struct table_entry *table_find(const struct table *table, const char *uuid);

/* A row as it is put: row and json are taken over. */
struct table_row {
	const char *uuid, *name; /* name lives as long as the row */
	int64_t ts_ms;
	void *row;
	struct json_object *json; /* the item, whose last member is "ts": 0 in "fields" */
	uint64_t sieve;           /* 0 where nobody looks for it */
};

/* Adds a row or replaces the one of that UUID. True when the content is not what it was. */
bool table_put(struct table *table, const struct table_row *put);
/* The same for a row that was changed in place. */
bool table_render(struct table_entry *entry, struct json_object *json);
/* False when there is none. */
bool table_remove(struct table *table, const char *uuid);

/* Index of the first entry that is not before (name, uuid). */
size_t table_lower_bound(const struct table *table, const char *name, const char *uuid);

/* FNV-1a, 64 bit: mixes len bytes into a hash that starts with TABLE_DIGEST_START. */
#define TABLE_DIGEST_START 0xcbf29ce484222325u
uint64_t table_digest(uint64_t hash, const void *data, size_t len);

#endif
