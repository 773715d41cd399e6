/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an ID means: a UUID, a unique name, or the unique start of a UUID. */
#include "base/buf.h"
#include "base/str.h"
#include "base/uuid.h"
#include "client.h"
#include "output.h"

#define MAX_CANDIDATES 5 /* that an error names */

static const struct {
	const char *path;
	const char *what;
	const char *id;   /* in a list item */
	const char *name; /* the same */
} things[] = {
	[THING_VM] = {"/vms", "VM", "uuid", "fields.name"},
	[THING_HOST] = {"/hosts", "host", "uuid", "fields.name"},
	[THING_OPERATION] = {"/operations", "operation", "id", "id"},
};

/* How well an item fits what was typed: 2 by name, 1 by the start of its UUID, 0 not at all. */
static int fit(enum thing thing, struct json_object *item, const char *typed)
{
	if (str_equal(json_text_at(item, things[thing].name), typed))
		return 2;
	return str_starts_with(json_text_at(item, things[thing].id), typed) ? 1 : 0;
}

/* The UUID of the one item that fits best; NULL with ERR_AMBIGUOUS, or without error when none
 * does. */
static char *pick(enum thing thing, struct json_object *items, const char *typed, struct error *err)
{
	cleanup_buf struct printbuf *names = buf_new();
	const char *found = NULL;
	size_t count = 0;
	int best = 1;

	for (size_t i = 0; i < json_object_array_length(items); i++) {
		struct json_object *item = json_object_array_get_idx(items, i);
		const char *id = json_text_at(item, things[thing].id);
		int fits = fit(thing, item, typed);

		if (fits < best || (found && str_equal(found, id)))
			continue;
		if (fits > best) {
			best = fits;
			count = 0;
			printbuf_reset(names);
		}
		found = id;
		if (++count <= MAX_CANDIDATES)
			buf_format(names, "%s%s (%s)", count > 1 ? ", " : "", id,
				json_text_at(item, things[thing].name));
	}
	if (count > 1) {
		error_set(err, ERR_AMBIGUOUS, "\"%s\" can be %zu %ss: %s%s", typed, count,
			things[thing].what, names->buf, count > MAX_CANDIDATES ? ", ..." : "");
		error_hint(err, "give more of the UUID");
		return NULL;
	}
	return count ? xstrdup(found) : NULL;
}

/* Looks an ID up in the list; NULL with err when that fails, without when nothing fits. */
static char *look_up(struct client *client, enum thing thing, const char *typed, struct error *err)
{
	cleanup_json struct json_object *list = NULL;
	const char *target = thing == THING_OPERATION ? OPERATIONS_TARGET : things[thing].path;

	if (client_get(client, target, NULL, &list, err) < 0)
		return NULL;
	struct json_object *items = json_at(list, "items");

	return json_object_is_type(items, json_type_array) ? pick(thing, items, typed, err) : NULL;
}

static int exchange_at(struct client *client, enum thing thing, const char *id, const char *suffix,
	struct http_exchange *exchange, struct json_object *body, struct error *err)
{
	cleanup_free char *segment = http_percent_encode(id);
	cleanup_free char *target = xasprintf("%s/%s%s", things[thing].path, segment, suffix);

	exchange->target = target;
	int result = client_exchange(client, exchange, body, err);

	exchange->target = NULL;
	return result;
}

int client_exchange_id(struct client *client, enum thing thing, const char *id, const char *suffix,
	struct http_exchange *exchange, struct json_object *body, struct error *err)
{
	struct error other = {0};

	if (str_is_empty(id) || str_equal(id, ".") || str_equal(id, ".."))
		return error_set(
			err, ERR_USAGE, "\"%s\" is not the ID of a %s", id, things[thing].what);
	/* Servers refuse an encoded slash, so a name with one can only be looked up. */
	if (strchr(id, '/'))
		error_set(err, ERR_NOT_FOUND, "there is no %s \"%s\"", things[thing].what, id);
	else if (exchange_at(client, thing, id, suffix, exchange, body, err) == 0)
		return 0;
	if (err->code != ERR_NOT_FOUND || uuid_is_valid(id))
		return -1;
	cleanup_free char *uuid = look_up(client, thing, id, &other);

	if (error_is_set(&other))
		*err = other;
	if (!uuid)
		return -1;
	http_exchange_clear(exchange);
	error_clear(err);
	return exchange_at(client, thing, uuid, suffix, exchange, body, err);
}

/* The items of GET /hosts, asked for once; NULL with err. */
static struct json_object *host_items(struct client *client, struct error *err)
{
	if (!client->hosts && client_get(client, "/hosts", NULL, &client->hosts, err) < 0)
		return NULL;
	struct json_object *items = json_at(client->hosts, "items");

	if (!json_object_is_type(items, json_type_array))
		error_set(err, ERR_NOT_FOUND, "the server lists no hosts");
	return items;
}

char *client_find_host(struct client *client, const char *id, struct error *err)
{
	char uuid[UUID_TEXT_SIZE];

	if (str_is_empty(id))
		return xstrdup("");
	if (uuid_canonical(id, uuid))
		return xstrdup(uuid);
	struct json_object *items = host_items(client, err);
	char *found = error_is_set(err) ? NULL : pick(THING_HOST, items, id, err);

	if (!found)
		error_set(err, ERR_NOT_FOUND, "there is no host \"%s\"", id);
	return found;
}

/* UUID to name of every host; empty when they cannot be had, so that it is tried once. */
static struct json_object *read_host_names(struct client *client)
{
	struct error ignored = {0};
	struct json_object *names = json_new_object(), *items = host_items(client, &ignored);
	size_t count = error_is_set(&ignored) ? 0 : json_object_array_length(items);

	for (size_t i = 0; i < count; i++) {
		struct json_object *item = json_object_array_get_idx(items, i);

		json_add_string(
			names, json_text_at(item, "uuid"), json_text_at(item, "fields.name"));
	}
	return names;
}

const char *client_host_name(struct client *client, const char *uuid)
{
	struct json_object *name;

	if (!*uuid)
		return uuid;
	if (!client->host_names)
		client->host_names = read_host_names(client);
	if (!json_object_object_get_ex(client->host_names, uuid, &name) ||
		json_object_get_string_len(name) == 0)
		return uuid;
	return json_object_get_string(name);
}
