/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What those share that play a serf agent: reading requests, and pieces of answers. */
#ifndef PLAYED_AGENT_H
#define PLAYED_AGENT_H

#include <msgpack.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static inline void put_text(msgpack_packer *out, const char *text)
{
	msgpack_pack_str_with_body(out, text, strlen(text));
}

static inline void put_pair(msgpack_packer *out, const char *name, const char *value)
{
	put_text(out, name);
	put_text(out, value);
}

static inline void put_header(msgpack_packer *out, uint64_t seq, const char *error)
{
	msgpack_pack_map(out, 2);
	put_text(out, "Seq");
	msgpack_pack_uint64(out, seq);
	put_pair(out, "Error", error);
}

/* A user event, of the stream that was asked for by that number. */
static inline void put_event(
	msgpack_packer *out, uint64_t stream, const char *name, const void *payload, size_t len)
{
	put_header(out, stream, "");
	msgpack_pack_map(out, 3);
	put_pair(out, "Event", "user");
	put_pair(out, "Name", name);
	put_text(out, "Payload");
	msgpack_pack_bin_with_body(out, payload, len);
}

static inline bool is(const msgpack_object *object, const char *text)
{
	return object->type == MSGPACK_OBJECT_STR && object->via.str.size == strlen(text) &&
	       memcmp(object->via.str.ptr, text, strlen(text)) == 0;
}

/* NULL when it is no map, or has no such member. */
static inline const msgpack_object *get(const msgpack_object *map, const char *name)
{
	for (uint32_t i = 0; map->type == MSGPACK_OBJECT_MAP && i < map->via.map.size; i++)
		if (is(&map->via.map.ptr[i].key, name))
			return &map->via.map.ptr[i].val;
	return NULL;
}

/* Answers requests, by their command and number, until the connection ends. Bodies, which follow
 * some, are skipped. */
static inline void agent_serve(int fd, void (*answer)(const msgpack_object *command, uint64_t seq))
{
	msgpack_unpacker unpacker;
	msgpack_unpacked unpacked;
	ssize_t len = 1;

	msgpack_unpacker_init(&unpacker, 65536);
	msgpack_unpacked_init(&unpacked);
	while (len > 0) {
		msgpack_unpacker_reserve_buffer(&unpacker, 65536);
		len = read(fd, msgpack_unpacker_buffer(&unpacker), 65536);
		if (len > 0)
			msgpack_unpacker_buffer_consumed(&unpacker, (size_t)len);
		while (len > 0 &&
			msgpack_unpacker_next(&unpacker, &unpacked) == MSGPACK_UNPACK_SUCCESS) {
			const msgpack_object *command = get(&unpacked.data, "Command"),
					     *seq = get(&unpacked.data, "Seq");

			if (command && seq)
				answer(command, seq->via.u64);
		}
	}
	msgpack_unpacked_destroy(&unpacked);
	msgpack_unpacker_destroy(&unpacker);
}

#endif
