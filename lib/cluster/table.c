/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A sorted array of entries beside a hash table of their UUIDs. */
#include "cluster/table.h"

#include "base/str.h"
#include "model/json.h"

uint64_t table_digest(uint64_t hash, const void *data, size_t len)
{
	const unsigned char *byte = data;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ byte[i]) * 0x100000001b3u;
	return hash;
}

static void entry_free(struct table *table, struct table_entry *entry)
{
	table->free_row(entry->row);
	free(entry->json);
	free(entry);
}

void table_init(struct table *table, void (*free_row)(void *row))
{
	*table = (struct table){
		.by_uuid = mem_check(lh_kchar_table_new(64, NULL)),
		.free_row = free_row,
	};
}

void table_free(struct table *table)
{
	for (size_t i = 0; i < table->count; i++)
		entry_free(table, table->entries[i]);
	free(table->entries);
	free(table->sieves);
	lh_table_free(table->by_uuid);
	*table = (struct table){0};
}

struct table_entry *table_find(const struct table *table, const char *uuid)
{
	void *entry = NULL;

	lh_table_lookup_ex(table->by_uuid, uuid, &entry);
	return entry;
}

static int compare(const struct table_entry *entry, const char *name, const char *uuid)
{
	int order = strcmp(entry->name, name);

	return order ? order : strcmp(entry->uuid, uuid);
}

size_t table_lower_bound(const struct table *table, const char *name, const char *uuid)
{
	size_t low = 0, high = table->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(table->entries[middle], name, uuid) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void insert_in_order(struct table *table, struct table_entry *entry, uint64_t sieve)
{
	size_t at = table_lower_bound(table, entry->name, entry->uuid);

	if (table->count == table->room) {
		table->room = table->room ? table->room * 2 : 64;
		table->entries =
			xreallocarray(table->entries, table->room, sizeof(*table->entries));
		table->sieves = xreallocarray(table->sieves, table->room, sizeof(*table->sieves));
	}
	size_t behind = table->count - at;
	memmove(table->entries + at + 1, table->entries + at, behind * sizeof(*table->entries));
	memmove(table->sieves + at + 1, table->sieves + at, behind * sizeof(*table->sieves));
	table->entries[at] = entry;
	table->sieves[at] = sieve;
	table->count++;
}

static void take_out_of_order(struct table *table, const struct table_entry *entry)
{
	size_t at = table_lower_bound(table, entry->name, entry->uuid);

	size_t behind = --table->count - at;
	memmove(table->entries + at, table->entries + at + 1, behind * sizeof(*table->entries));
	memmove(table->sieves + at, table->sieves + at + 1, behind * sizeof(*table->sieves));
}

bool table_render(struct table_entry *entry, struct json_object *json)
{
	static const char last[] = "\"ts\":0}}";
	uint64_t before = entry->json ? entry->digest : 0;

	free(entry->json);
	entry->json = json_text(json);
	json_object_put(json);
	entry->len = strlen(entry->json);
	entry->ts_at = str_ends_with(entry->json, last) ? entry->len - strlen("0}}") : 0;
	entry->digest = table_digest(TABLE_DIGEST_START, entry->json, entry->len);
	return entry->digest != before;
}

static struct table_entry *entry_new(struct table *table, const char *uuid)
{
	struct table_entry *entry = xcalloc(1, sizeof(*entry));

	str_copy(entry->uuid, sizeof(entry->uuid), uuid);
	if (lh_table_insert(table->by_uuid, entry->uuid, entry) < 0)
		mem_check(NULL);
	return entry;
}

bool table_put(struct table *table, const struct table_row *put)
{
	struct table_entry *entry = table_find(table, put->uuid);
	bool stays = entry && str_equal(entry->name, put->name);

	if (!entry) {
		entry = entry_new(table, put->uuid);
	} else {
		if (!stays)
			take_out_of_order(table, entry);
		table->free_row(entry->row);
	}
	entry->name = put->name;
	entry->row = put->row;
	entry->ts_ms = put->ts_ms;
	if (stays)
		table->sieves[table_lower_bound(table, put->name, put->uuid)] = put->sieve;
	else
		insert_in_order(table, entry, put->sieve);
	return table_render(entry, put->json);
}

bool table_remove(struct table *table, const char *uuid)
{
	struct table_entry *entry = table_find(table, uuid);

	if (!entry)
		return false;
	take_out_of_order(table, entry);
	lh_table_delete(table->by_uuid, entry->uuid);
	entry_free(table, entry);
	return true;
}
