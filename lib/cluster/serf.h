/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client of this host's serf agent: membership and user events come as callbacks, requests may
 * be made from any thread.
 *
 * One thread connects, and again retry_ms after a connection was lost or could not be had. Each
 * time it authenticates, sets the tags again, asks for the stream of events and for all members.
 * What the agent sends is bounded and checked (serf_rpc.h); what it is slow to take is bounded too.
 */
#ifndef CLUSTER_SERF_H
#define CLUSTER_SERF_H

#include "base/error.h"
#include "cluster/serf_rpc.h"

#include <stdbool.h>
#include <stddef.h>

struct serf;

/*
 * Callbacks run on the client's thread, no two at a time, with no lock held. They must not wait for
 * long, and of the requests below may use only serf_post_event(). What they are given is borrowed.
 * Each may be NULL.
 */
struct serf_config {
	const char *address; /* of the agent's RPC, "host:port" or "[address]:port" */
	const char *key;     /* NULL or "": it has none */
	unsigned retry_ms;   /* 0: 5,000 */
	unsigned answer_ms;  /* how long the agent may take to connect and to answer; 0: 5,000 */
	unsigned refresh_ms; /* all members are asked for this often, and so a silent agent is
				noticed; 0: 30,000 */
	void (*on_connected)(void *context);
	/* A connection ended, or could not be had: each time. ERR_UNAVAILABLE with the cause. */
	void (*on_disconnected)(void *context, const struct error *cause);
	/* Once after each connection, and then each refresh_ms, SERF_MEMBERS_ALL: as it was at some
	 * time after on_asking. Events that came between the two may be newer. */
	void (*on_asking)(void *context);
	void (*on_members)(void *context, enum serf_change change,
		const struct serf_member *members, size_t count);
	/* A user event of any name, hostile; payload is NULL when len is 0. */
	void (*on_event)(void *context, const char *name, const void *payload, size_t len);
	void *context;
};

/* Connects in the background. NULL with ERR_INVALID for an address that is none. Copies it all. */
struct serf *serf_start(const struct serf_config *config, struct error *err);
/* Ends the thread and what waits; no callback runs afterwards. NULL is fine. */
void serf_stop(struct serf *serf);

/* 0 while connected; ERR_UNAVAILABLE with the reason why not. */
int serf_check(struct serf *serf, struct error *err);

/*
 * The requests. Each fails with ERR_UNAVAILABLE when there is no connection, the agent refuses or
 * too much waits to be sent; ERR_TIMEOUT when no answer came in time.
 */

/*
 * Sends a user event to all members. ERR_TOO_LARGE when the agent refuses its size. Success means
 * that the agent took it; gossip may lose it.
 */
int serf_send_event(struct serf *serf, const char *name, const void *payload, size_t len,
	unsigned timeout_ms, struct error *err);
/* The same without waiting for the agent's answer; what it refuses is logged. */
int serf_post_event(
	struct serf *serf, const char *name, const void *payload, size_t len, struct error *err);

/* The most bytes of payload that an event of that name may have; the agent's own limit is learnt
 * when connecting, until then its default is assumed. */
size_t serf_max_payload(struct serf *serf, const char *name);

/*
 * Sets tags of this member; one whose value is NULL is removed. They are kept and set again at each
 * connection, also when this call fails. ERR_INVALID for more than SERF_MAX_TAGS.
 */
int serf_set_tags(struct serf *serf, const struct serf_tag *tags, size_t count, unsigned timeout_ms,
	struct error *err);

/* Members whose status and name match the regular expressions ("": any). The caller frees them
 * with serf_members_free(). */
int serf_list_members(struct serf *serf, const char *status, const char *name,
	struct serf_member **members, size_t *count, unsigned timeout_ms, struct error *err);

/* Whether the agent has a key for its gossip. ERR_UNSUPPORTED when it does not tell. */
int serf_is_encrypted(struct serf *serf, bool *encrypted, unsigned timeout_ms, struct error *err);

#endif
