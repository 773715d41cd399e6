/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a serf agent sends: objects found whole by serf_scan.h, unpacked, and read into messages. */
#include "cluster/serf_rpc.h"

#include "base/str.h"
#include "cluster/serf_scan.h"

#include <arpa/inet.h>
#include <msgpack/unpack.h>
#include <string.h>

#define PIECE (64u << 10) /* bytes read at a time, and kept when there is nothing in them */

struct serf_input {
	uint8_t *data;
	size_t room, used;
	size_t start; /* of the object that is looked at */
	struct serf_scan scan;
};

/* ---- values ---- */

/* Strings come as str, bin or raw, by the agent's age. */
static bool get_bytes(const msgpack_object *value, const char **data, size_t *len)
{
	if (value->type == MSGPACK_OBJECT_STR) {
		*data = value->via.str.ptr;
		*len = value->via.str.size;
		return true;
	}
	if (value->type == MSGPACK_OBJECT_BIN) {
		*data = value->via.bin.ptr;
		*len = value->via.bin.size;
		return true;
	}
	return false;
}

/* A string of at most SERF_MAX_NAME bytes without NUL; false when it is none. */
static bool get_text(const msgpack_object *value, char text[static SERF_MAX_NAME + 1])
{
	const char *data;
	size_t len;

	text[0] = '\0';
	if (!value || !get_bytes(value, &data, &len) || len > SERF_MAX_NAME ||
		(len && memchr(data, '\0', len)))
		return false;
	if (len)
		memcpy(text, data, len);
	text[len] = '\0';
	if (str_is_utf8(text))
		return true;
	text[0] = '\0';
	return false;
}

static bool is_text(const msgpack_object *value, const char *text)
{
	const char *data;
	size_t len;

	return get_bytes(value, &data, &len) && len == strlen(text) && memcmp(data, text, len) == 0;
}

/* A member of a map, NULL when it has none of that name. */
static const msgpack_object *find(const msgpack_object *map, const char *name)
{
	for (uint32_t i = 0; i < map->via.map.size; i++)
		if (is_text(&map->via.map.ptr[i].key, name))
			return &map->via.map.ptr[i].val;
	return NULL;
}

/* ---- members ---- */

static enum serf_status get_status(const msgpack_object *value)
{
	static const char *const names[] = {"", "alive", "leaving", "left", "failed"};

	for (int i = SERF_STATUS_ALIVE; value && i <= SERF_STATUS_FAILED; i++)
		if (is_text(value, names[i]))
			return (enum serf_status)i;
	return SERF_STATUS_OTHER;
}

static bool get_address(const msgpack_object *value, char text[static INET6_ADDRSTRLEN])
{
	const char *data;
	size_t len;

	if (!value || !get_bytes(value, &data, &len) || (len != 4 && len != 16))
		return false;
	/* Agents send IPv4 as 16 bytes too. */
	static const char mapped[12] = {[10] = (char)0xff, [11] = (char)0xff};
	if (len == 16 && memcmp(data, mapped, sizeof(mapped)) == 0)
		return inet_ntop(AF_INET, data + sizeof(mapped), text, INET6_ADDRSTRLEN) != NULL;
	return inet_ntop(len == 4 ? AF_INET : AF_INET6, data, text, INET6_ADDRSTRLEN) != NULL;
}

static void get_tags(const msgpack_object *value, struct serf_member *member)
{
	char name[SERF_MAX_NAME + 1], text[SERF_MAX_NAME + 1];

	if (!value || value->type != MSGPACK_OBJECT_MAP || value->via.map.size == 0)
		return;
	uint32_t count = value->via.map.size < SERF_MAX_TAGS ? value->via.map.size : SERF_MAX_TAGS;
	member->tags = xcalloc(count, sizeof(*member->tags));
	for (uint32_t i = 0; i < count; i++)
		if (get_text(&value->via.map.ptr[i].key, name) &&
			get_text(&value->via.map.ptr[i].val, text))
			member->tags[member->n_tags++] =
				(struct serf_tag){.name = xstrdup(name), .value = xstrdup(text)};
}

static bool get_member(const msgpack_object *value, struct serf_member *member)
{
	char name[SERF_MAX_NAME + 1];

	*member = (struct serf_member){0};
	if (value->type != MSGPACK_OBJECT_MAP || !get_text(find(value, "Name"), name) || !*name)
		return false;
	const msgpack_object *port = find(value, "Port");
	if (!port || port->type != MSGPACK_OBJECT_POSITIVE_INTEGER || port->via.u64 > UINT16_MAX)
		return false;
	if (!get_address(find(value, "Addr"), member->address))
		return false;
	member->name = xstrdup(name);
	member->port = (uint16_t)port->via.u64;
	member->status = get_status(find(value, "Status"));
	get_tags(find(value, "Tags"), member);
	return true;
}

const char *serf_member_tag(const struct serf_member *member, const char *name)
{
	for (size_t i = 0; i < member->n_tags; i++)
		if (str_equal(member->tags[i].name, name))
			return member->tags[i].value;
	return NULL;
}

void serf_members_free(struct serf_member *members, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < members[i].n_tags; k++) {
			free(members[i].tags[k].name);
			free(members[i].tags[k].value);
		}
		free(members[i].tags);
		free(members[i].name);
	}
	free(members);
}

static void read_members(
	const msgpack_object *list, enum serf_change change, struct serf_message *message)
{
	message->kind = SERF_MESSAGE_MEMBERS;
	message->change = change;
	/* No member at all may come as nil. */
	if (list->type != MSGPACK_OBJECT_ARRAY || list->via.array.size == 0)
		return;
	uint32_t count =
		list->via.array.size < SERF_MAX_MEMBERS ? list->via.array.size : SERF_MAX_MEMBERS;
	message->members = xcalloc(count, sizeof(*message->members));
	for (uint32_t i = 0; i < count; i++)
		if (get_member(&list->via.array.ptr[i], &message->members[message->n_members]))
			message->n_members++;
}

/* ---- messages ---- */

static void read_header(
	const msgpack_object *seq, const msgpack_object *error, struct serf_message *message)
{
	const char *data;
	size_t len;

	message->kind = SERF_MESSAGE_HEADER;
	message->seq = seq->via.u64;
	if (!error || !get_bytes(error, &data, &len) || len == 0)
		return;
	if (len >= sizeof(message->error))
		for (len = sizeof(message->error) - 1; len && ((uint8_t)data[len] & 0xc0) == 0x80;
			len--)
			;
	memcpy(message->error, data, len);
	message->error[len] = '\0';
	/* An error stays one, whatever its text is. */
	if (!*message->error || !str_is_utf8(message->error))
		str_copy(message->error, sizeof(message->error), "an error without readable text");
}

static void read_user_event(const msgpack_object *record, struct serf_message *message)
{
	const msgpack_object *payload = find(record, "Payload");
	const char *data = NULL;
	size_t len = 0;

	if (!get_text(find(record, "Name"), message->name))
		return;
	if (payload && payload->type != MSGPACK_OBJECT_NIL && !get_bytes(payload, &data, &len))
		return;
	message->kind = SERF_MESSAGE_EVENT;
	message->payload = len ? data : NULL;
	message->payload_len = len;
}

static void read_record(
	const msgpack_object *record, const msgpack_object *event, struct serf_message *message)
{
	static const struct {
		const char *event;
		enum serf_change change;
	} changes[] = {
		{"member-join", SERF_MEMBERS_JOINED},
		{"member-leave", SERF_MEMBERS_LEFT},
		{"member-failed", SERF_MEMBERS_FAILED},
		{"member-update", SERF_MEMBERS_UPDATED},
		{"member-reap", SERF_MEMBERS_REAPED},
	};
	const msgpack_object *members = find(record, "Members");

	if (is_text(event, "user"))
		read_user_event(record, message);
	for (size_t i = 0; members && i < sizeof(changes) / sizeof(changes[0]); i++)
		if (is_text(event, changes[i].event))
			read_members(members, changes[i].change, message);
}

static void read_stats(const msgpack_object *stats, struct serf_message *message)
{
	char text[SERF_MAX_NAME + 1];

	message->kind = SERF_MESSAGE_STATS;
	if (stats->type == MSGPACK_OBJECT_MAP && get_text(find(stats, "encrypted"), text))
		str_copy(message->encrypted, sizeof(message->encrypted), text);
}

/* A header has Seq, a record has Event, the answer to members has Members, that to stats has serf:
 * no object has two. */
static void read_object(const msgpack_object *object, struct serf_message *message)
{
	const msgpack_object *value;

	message->kind = SERF_MESSAGE_OTHER;
	if (object->type != MSGPACK_OBJECT_MAP)
		return;
	if ((value = find(object, "Seq"))) {
		if (value->type == MSGPACK_OBJECT_POSITIVE_INTEGER)
			read_header(value, find(object, "Error"), message);
	} else if ((value = find(object, "Event"))) {
		read_record(object, value, message);
	} else if ((value = find(object, "Members"))) {
		read_members(value, SERF_MEMBERS_ALL, message);
	} else if ((value = find(object, "serf"))) {
		read_stats(value, message);
	}
}

void serf_message_clear(struct serf_message *message)
{
	serf_members_free(message->members, message->n_members);
	*message = (struct serf_message){0};
}

/* ---- input ---- */

struct serf_input *serf_input_new(void)
{
	return xcalloc(1, sizeof(struct serf_input));
}

void serf_input_free(struct serf_input *input)
{
	if (!input)
		return;
	free(input->data);
	free(input);
}

void *serf_input_room(struct serf_input *input, size_t *len)
{
	if (input->start) {
		memmove(input->data, input->data + input->start, input->used - input->start);
		input->used -= input->start;
		input->start = 0;
	}
	if (!input->data || (input->used == 0 && input->room > PIECE) ||
		input->room - input->used < PIECE / 2) {
		input->room = input->used + (input->used > PIECE ? input->used : PIECE);
		input->data = xrealloc(input->data, input->room);
	}
	*len = input->room - input->used;
	return input->data + input->used;
}

void serf_input_filled(struct serf_input *input, size_t len)
{
	input->used += len;
}

int serf_input_next(struct serf_input *input, struct serf_message *message, struct error *err)
{
	const uint8_t *object = input->data + input->start;
	size_t left = input->used - input->start, end = 0;
	msgpack_unpacked unpacked;

	*message = (struct serf_message){0};
	int found = left ? serf_scan_object(&input->scan, object, left, err) : 0;
	if (found <= 0)
		return found;
	msgpack_unpacked_init(&unpacked);
	int status = msgpack_unpack_next(&unpacked, (const char *)object, input->scan.at, &end);
	bool whole = status == MSGPACK_UNPACK_SUCCESS && end == input->scan.at;
	if (whole)
		read_object(&unpacked.data, message);
	msgpack_unpacked_destroy(&unpacked);
	if (!whole)
		return error_set(err, ERR_INVALID, "an object that cannot be unpacked");
	input->start += input->scan.at;
	input->scan = (struct serf_scan){0};
	return 1;
}
