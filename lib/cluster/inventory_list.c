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
	bool (*matches)(const void *filter, const void *row); /* NULL: all do */
	/* An item of its own in place of the prepared one, where it gives one; may be NULL. */
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

/* A list of 10,000 has 2 MB, which is made anew after each change: printbuf and printf took half of
 * the time. */
struct text {
	char *data;
	size_t len, room;
};

/* Where the next bytes go, of which there may be so many. */
static char *text_reserve(struct text *text, size_t more)
{
	if (text->room - text->len < more) {
		text->room = (text->len + more) * 2;
		text->data = xrealloc(text->data, text->room);
	}
	return text->data + text->len;
}

static void text_append(struct text *text, const char *data, size_t len)
{
	memcpy(text_reserve(text, len), data, len);
	text->len += len;
}

static void text_append_number(struct text *text, int64_t number)
{
	uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
	char digits[24], *start = digits + sizeof(digits);

	do
		*--start = (char)('0' + rest % 10);
	while (rest /= 10);
	if (number < 0)
		*--start = '-';
	text_append(text, start, (size_t)(digits + sizeof(digits) - start));
}

static void append_item(
	struct text *out, const struct list_view *view, const struct table_entry *entry)
{
	struct json_object *item = view->render ? view->render(view->filter, entry->row) : NULL;

	if (item) {
		cleanup_free char *text = json_text(item);

		json_object_put(item);
		text_append(out, text, strlen(text));
	} else if (entry->ts_at) {
		text_append(out, entry->json, entry->ts_at);
		text_append_number(out, entry->ts_ms);
		text_append(out, entry->json + entry->ts_at + 1, entry->len - entry->ts_at - 1);
	} else {
		text_append(out, entry->json, entry->len);
	}
}

static bool is_wanted(const struct table *table, size_t at, const struct list_view *view)
{
	return (table->sieves[at] & view->sieve) == view->sieve &&
	       (!view->matches || view->matches(view->filter, table->entries[at]->row));
}

/* Called with the lock held for reading. */
static void list_from(const struct table *table, size_t at, uint32_t limit,
	const struct list_view *view, struct text *out, struct inventory_list *list)
{
	const struct table_entry *last = NULL;
	uint64_t digest = TABLE_DIGEST_START;
	uint32_t shown = 0;

	for (; at < table->count; at++) {
		if (!is_wanted(table, at, view))
			continue;
		const struct table_entry *entry = table->entries[at];
		if (limit && shown == limit) {
			list->next = cursor_make(last);
			digest = table_digest(digest, list->next, strlen(list->next));
			break;
		}
		if (shown++)
			text_append(out, ",", 1);
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
	static const char items[] = "{\"items\":[";
	struct position after;

	*list = (struct inventory_list){0};
	if (cursor_read(page ? page->cursor : NULL, &after, err) < 0)
		return -1;
	cleanup_free char *name = after.name;
	struct text out = {0};

	text_append(&out, items, strlen(items));
	pthread_rwlock_rdlock(&inventory->lock);
	size_t at = table_lower_bound(table, name, after.uuid);
	if (at < table->count && after.uuid[0] && str_equal(table->entries[at]->name, name) &&
		str_equal(table->entries[at]->uuid, after.uuid))
		at++;
	list_from(table, at, page ? page->limit : 0, view, &out, list);
	pthread_rwlock_unlock(&inventory->lock);
	cleanup_free char *end =
		list->next ? xasprintf("],\"next\":\"%s\"}", list->next) : xstrdup("]}");
	text_append(&out, end, strlen(end) + 1);
	list->len = out.len - 1;
	list->json = xrealloc(out.data, out.len);
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

/* Who filters by a custom field wants to see that one; the first one is in the prepared item. */
static struct json_object *render_custom(const void *filter, const void *row)
{
	const struct vm_filter *wanted = filter;
	const struct vm_row *vm = row;

	if (vm->n_custom && str_equal(vm->custom[0].name, wanted->custom_name))
		return NULL;
	return vm_row_to_json(vm, wanted->custom_name);
}

int inventory_list_vms(struct inventory *inventory, const struct vm_filter *filter,
	const struct inventory_page *page, struct inventory_list *list, struct error *err)
{
	struct list_view view = {
		.matches = vm_filter_is_empty(filter) ? NULL : vm_matches,
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
