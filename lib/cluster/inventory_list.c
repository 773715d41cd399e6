/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists of the inventory, page by page. A cursor is the place in the order where the last page
 * ended, "NAME-IN-HEX.UUID": rows that come or go between two pages neither repeat nor hide others.
 */
#include "base/buf.h"
#include "base/str.h"
#include "cluster/inventory.h"
#include "cluster/inventory_private.h"
#include "model/json.h"
#include "model/sieve.h"

#include <inttypes.h>

#define MAX_CURSOR 4096

/* How one of the two lists chooses and shows its rows. */
struct list_view {
	bool (*matches)(const void *filter, const void *row);
	/* An item of its own in place of the prepared one; NULL: the prepared one. */
	struct json_object *(*render)(const void *filter, const void *row);
	const void *filter;
	uint64_t sieve; /* what the rows it wants have in theirs */
};

struct position {
	char *name;
	char uuid[UUID_TEXT_SIZE];
};

static char *cursor_make(const struct table_entry *entry)
{
	struct printbuf *text = buf_new();

	for (const char *c = entry->name; *c; c++)
		buf_format(text, "%02x", (unsigned char)*c);
	buf_format(text, ".%s", entry->uuid);
	return buf_steal(text);
}

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

static int bad_cursor(struct error *err)
{
	return error_set(err, ERR_INVALID, "cursor: not one that a list of this kind gave");
}

/* Reads a cursor; without one the position is the start. The caller frees the name. */
static int cursor_read(const char *cursor, struct position *position, struct error *err)
{
	*position = (struct position){0};
	if (str_is_empty(cursor)) {
		position->name = xstrdup("");
		return 0;
	}
	const char *dot = strchr(cursor, '.');

	if (!dot || (dot - cursor) % 2 || dot - cursor > MAX_CURSOR || !uuid_is_valid(dot + 1))
		return bad_cursor(err);
	size_t len = (size_t)(dot - cursor) / 2;
	cleanup_free char *name = xcalloc(len + 1, 1);

	for (size_t i = 0; i < len; i++) {
		int high = hex_digit(cursor[2 * i]), low = hex_digit(cursor[2 * i + 1]);

		if (high < 0 || low < 0 || (!high && !low))
			return bad_cursor(err);
		name[i] = (char)(high << 4 | low);
	}
	uuid_canonical(dot + 1, position->uuid);
	position->name = steal(&name);
	return 0;
}

static void append_item(
	struct printbuf *out, const struct list_view *view, const struct table_entry *entry)
{
	char ts[24];

	if (view->render) {
		struct json_object *item = view->render(view->filter, entry->row);
		cleanup_free char *text = json_text(item);

		json_object_put(item);
		buf_text(out, text);
		return;
	}
	if (!entry->ts_at) {
		buf_text(out, entry->json);
		return;
	}
	snprintf(ts, sizeof(ts), "%" PRId64, entry->ts_ms);
	buf_append(out, entry->json, entry->ts_at);
	buf_text(out, ts);
	buf_text(out, entry->json + entry->ts_at + 1);
}

/* Called with the lock held for reading. */
static void list_from(const struct table *table, size_t at, uint32_t limit,
	const struct list_view *view, struct printbuf *out, struct inventory_list *list)
{
	const struct table_entry *last = NULL;
	uint64_t digest = TABLE_DIGEST_START;
	uint32_t shown = 0;

	for (; at < table->count; at++) {
		const struct table_entry *entry = table->entries[at];

		if ((table->sieves[at] & view->sieve) != view->sieve ||
			!view->matches(view->filter, entry->row))
			continue;
		if (limit && shown == limit) {
			list->next = cursor_make(last);
			digest = table_digest(digest, list->next, strlen(list->next));
			break;
		}
		if (shown++)
			buf_text(out, ",");
		append_item(out, view, entry);
		digest = table_digest(digest, &entry->digest, sizeof(entry->digest));
		last = entry;
	}
	snprintf(list->etag, sizeof(list->etag), "%016" PRIx64, digest);
}

static int list_rows(struct inventory *inventory, const struct table *table,
	const struct list_view *view, const struct inventory_page *page,
	struct inventory_list *list, struct error *err)
{
	struct position after;

	*list = (struct inventory_list){0};
	if (cursor_read(page ? page->cursor : NULL, &after, err) < 0)
		return -1;
	cleanup_free char *name = after.name;
	struct printbuf *out = buf_new();

	buf_text(out, "{\"items\":[");
	pthread_rwlock_rdlock(&inventory->lock);
	size_t at = table_lower_bound(table, name, after.uuid);
	if (at < table->count && after.uuid[0] && str_equal(table->entries[at]->name, name) &&
		str_equal(table->entries[at]->uuid, after.uuid))
		at++;
	list_from(table, at, page ? page->limit : 0, view, out, list);
	pthread_rwlock_unlock(&inventory->lock);
	if (list->next)
		buf_format(out, "],\"next\":\"%s\"}", list->next);
	else
		buf_text(out, "]}");
	list->len = (size_t)out->bpos;
	list->json = buf_steal(out);
	return 0;
}

static bool vm_matches(const void *filter, const void *row)
{
	return vm_filter_match(filter, row);
}

static bool host_matches(const void *filter, const void *row)
{
	return host_filter_match(filter, row);
}

/* Who filters by a custom field wants to see that one. */
static struct json_object *render_custom(const void *filter, const void *row)
{
	const struct vm_filter *wanted = filter;

	return vm_row_to_json(row, wanted->custom_name);
}

int inventory_list_vms(struct inventory *inventory, const struct vm_filter *filter,
	const struct inventory_page *page, struct inventory_list *list, struct error *err)
{
	struct list_view view = {
		.matches = vm_matches,
		.render = str_is_empty(filter->custom_name) ? NULL : render_custom,
		.filter = filter,
		.sieve = sieve_of_filter(filter),
	};

	return list_rows(inventory, &inventory->vms, &view, page, list, err);
}

int inventory_list_hosts(struct inventory *inventory, const struct host_filter *filter,
	const struct inventory_page *page, struct inventory_list *list, struct error *err)
{
	struct list_view view = {.matches = host_matches, .filter = filter};

	return list_rows(inventory, &inventory->hosts, &view, page, list, err);
}
