/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The language of a serf agent (spec: cluster-wire.md, serf agent RPC): requests to bytes, bytes to
 * answers and records. Knows no sockets.
 *
 * Requests are packed in the old specification of MessagePack, which agents of any age read:
 * strings and bytes alike are "raw". What the agent sends is hostile: objects over the limits of
 * serf_scan.h break the stream, others that are not what they should be are skipped.
 */
#ifndef CLUSTER_SERF_RPC_H
#define CLUSTER_SERF_RPC_H

#include "base/buf.h"
#include "base/error.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERF_MAX_NAME    255 /* bytes of the name of a member, an event or a tag, and of its value */
#define SERF_MAX_TAGS    64  /* of a member; further ones are ignored */
#define SERF_MAX_MEMBERS 10000 /* of a list; likewise */

enum serf_status {
	SERF_STATUS_OTHER,
	SERF_STATUS_ALIVE,
	SERF_STATUS_LEAVING,
	SERF_STATUS_LEFT,
	SERF_STATUS_FAILED
};

struct serf_tag {
	char *name, *value; /* UTF-8 */
};

struct serf_member {
	char *name; /* UTF-8 */
	char address[INET6_ADDRSTRLEN];
	uint16_t port; /* of the gossip */
	enum serf_status status;
	struct serf_tag *tags;
	size_t n_tags;
};

/* The value of a tag, NULL when the member has none of that name. */
const char *serf_member_tag(const struct serf_member *member, const char *name);
void serf_members_free(struct serf_member *members, size_t count);

/* What a list of members is: all there are, or those to whom something happened. */
enum serf_change {
	SERF_MEMBERS_ALL,
	SERF_MEMBERS_JOINED,
	SERF_MEMBERS_LEFT,
	SERF_MEMBERS_FAILED,
	SERF_MEMBERS_UPDATED,
	SERF_MEMBERS_REAPED
};

/* ---- requests: each is appended ---- */

void serf_rpc_put_handshake(struct printbuf *buf, uint64_t seq);
void serf_rpc_put_auth(struct printbuf *buf, uint64_t seq, const char *key);
void serf_rpc_put_stream(struct printbuf *buf, uint64_t seq);
void serf_rpc_put_members(struct printbuf *buf, uint64_t seq);
/* Those whose status and name are as the regular expressions say; "" for any. */
void serf_rpc_put_members_filtered(
	struct printbuf *buf, uint64_t seq, const char *status, const char *name);
void serf_rpc_put_stats(struct printbuf *buf, uint64_t seq);
void serf_rpc_put_event(
	struct printbuf *buf, uint64_t seq, const char *name, const void *payload, size_t len);
/* A tag whose value is NULL is deleted. */
void serf_rpc_put_tags(
	struct printbuf *buf, uint64_t seq, const struct serf_tag *tags, size_t count);

/* ---- what comes back ---- */

enum serf_message_kind {
	SERF_MESSAGE_HEADER,  /* seq and error; a body may follow as the next message */
	SERF_MESSAGE_MEMBERS, /* change, members */
	SERF_MESSAGE_EVENT,   /* a user event: name, payload */
	SERF_MESSAGE_STATS,   /* what the agent tells of itself: encrypted */
	SERF_MESSAGE_OTHER    /* nothing that we know */
};

struct serf_message {
	enum serf_message_kind kind;
	uint64_t seq;
	char error[256]; /* "": success; longer ones are cut */
	enum serf_change change;
	struct serf_member *members; /* those that cannot be understood are left out */
	size_t n_members;
	char name[SERF_MAX_NAME + 1];
	char encrypted[8];   /* "true", "false"; "" when it does not tell */
	const void *payload; /* borrowed from the input until it is used again; NULL when empty */
	size_t payload_len;
};

void serf_message_clear(struct serf_message *message);
#define cleanup_serf_message CLEANUP(serf_message_clear)

/* What was received and not read yet: at most one object of the largest size and one piece more. */
struct serf_input;

struct serf_input *serf_input_new(void);
void serf_input_free(struct serf_input *input);
/* Where the next bytes are to be put, and how many may be (never 0). */
void *serf_input_room(struct serf_input *input, size_t *len);
/* So many were. */
void serf_input_filled(struct serf_input *input, size_t len);
/*
 * The next message: 1; 0 when more bytes are needed; -1 with ERR_INVALID when the stream cannot be
 * read on.
 */
int serf_input_next(struct serf_input *input, struct serf_message *message, struct error *err);

#endif
