/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests to a serf agent: a header, and a body for most. */
#include "cluster/serf_rpc.h"

#include <msgpack/pack.h>
#include <string.h>

static int append(void *buf, const char *data, size_t len)
{
	buf_append(buf, data, len);
	return 0;
}

static void put_raw(msgpack_packer *out, const void *data, size_t len)
{
	msgpack_pack_v4raw(out, len);
	msgpack_pack_v4raw_body(out, data, len);
}

static void put_text(msgpack_packer *out, const char *text)
{
	put_raw(out, text, strlen(text));
}

static void put_pair(msgpack_packer *out, const char *name, const char *value)
{
	put_text(out, name);
	put_text(out, value);
}

/* The header; what is packed next is the body. */
static msgpack_packer begin(struct printbuf *buf, uint64_t seq, const char *command)
{
	msgpack_packer out;

	msgpack_packer_init(&out, buf, append);
	msgpack_pack_map(&out, 2);
	put_pair(&out, "Command", command);
	put_text(&out, "Seq");
	msgpack_pack_uint64(&out, seq);
	return out;
}

void serf_rpc_put_handshake(struct printbuf *buf, uint64_t seq)
{
	msgpack_packer out = begin(buf, seq, "handshake");

	msgpack_pack_map(&out, 1);
	put_text(&out, "Version");
	msgpack_pack_int(&out, 1);
}

void serf_rpc_put_auth(struct printbuf *buf, uint64_t seq, const char *key)
{
	msgpack_packer out = begin(buf, seq, "auth");

	msgpack_pack_map(&out, 1);
	put_pair(&out, "AuthKey", key);
}

void serf_rpc_put_stream(struct printbuf *buf, uint64_t seq)
{
	msgpack_packer out = begin(buf, seq, "stream");

	msgpack_pack_map(&out, 1);
	put_pair(&out, "Type", "*");
}

void serf_rpc_put_members(struct printbuf *buf, uint64_t seq)
{
	begin(buf, seq, "members");
}

void serf_rpc_put_members_filtered(
	struct printbuf *buf, uint64_t seq, const char *status, const char *name)
{
	msgpack_packer out = begin(buf, seq, "members-filtered");

	msgpack_pack_map(&out, 3);
	put_text(&out, "Tags");
	msgpack_pack_map(&out, 0);
	put_pair(&out, "Status", status);
	put_pair(&out, "Name", name);
}

void serf_rpc_put_stats(struct printbuf *buf, uint64_t seq)
{
	begin(buf, seq, "stats");
}

void serf_rpc_put_event(
	struct printbuf *buf, uint64_t seq, const char *name, const void *payload, size_t len)
{
	msgpack_packer out = begin(buf, seq, "event");

	msgpack_pack_map(&out, 3);
	put_pair(&out, "Name", name);
	put_text(&out, "Payload");
	put_raw(&out, payload, len);
	put_text(&out, "Coalesce");
	msgpack_pack_false(&out);
}

void serf_rpc_put_tags(
	struct printbuf *buf, uint64_t seq, const struct serf_tag *tags, size_t count)
{
	msgpack_packer out = begin(buf, seq, "tags");
	size_t set = 0;

	for (size_t i = 0; i < count; i++)
		set += tags[i].value != NULL;
	msgpack_pack_map(&out, 2);
	put_text(&out, "Tags");
	msgpack_pack_map(&out, set);
	for (size_t i = 0; i < count; i++)
		if (tags[i].value)
			put_pair(&out, tags[i].name, tags[i].value);
	put_text(&out, "DeleteTags");
	msgpack_pack_array(&out, count - set);
	for (size_t i = 0; i < count; i++)
		if (!tags[i].value)
			put_text(&out, tags[i].name);
}
