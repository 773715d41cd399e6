/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the serf client share: serf.c has what other threads call, serf_connection.c
 * the thread. */
#ifndef CLUSTER_SERF_PRIVATE_H
#define CLUSTER_SERF_PRIVATE_H

#include "cluster/serf.h"

#include <pthread.h>

/* Requests of all threads at once, and bytes of them that the agent has not taken. */
#define SERF_MAX_WAITING 256
#define SERF_MAX_QUEUE   (1 << 20)

#define SERF_DEFAULT_LIMIT 512 /* the agent's user_event_size_limit */

enum serf_request_kind {
	SERF_REQUEST_SETUP,   /* the thread's own: handshake, key */
	SERF_REQUEST_TAGS,    /* its own: those that were set; a refusal is logged */
	SERF_REQUEST_STREAM,  /* its own: answered, we are connected */
	SERF_REQUEST_MEMBERS, /* its own: all of them */
	SERF_REQUEST_LIMIT, /* its own: an event that is too large, whose refusal names the limit */
	SERF_REQUEST_CALL,  /* somebody waits */
	SERF_REQUEST_POST   /* nobody waits; on the heap */
};

struct serf_request {
	struct serf_request *next;
	uint64_t seq;
	enum serf_request_kind kind;
	const char *what;            /* the command, for messages */
	enum serf_message_kind body; /* that follows the answer; SERF_MESSAGE_HEADER: none */
	/* Of a CALL, whose request and err are on its stack: */
	bool done;
	struct error *err;
	struct serf_member *members;
	size_t n_members;
	char encrypted[8]; /* of the stats */
	pthread_cond_t answered;
};

struct serf {
	struct serf_config config; /* with address and key of its own */
	char *host;
	char *port;
	pthread_t thread;
	int wake; /* eventfd: something was queued, or we stop */

	pthread_mutex_t lock; /* of the members up to the next blank line; a leaf */
	bool stopping;
	bool accepting;     /* requests can be queued: the thread's own first ones are */
	bool connected;     /* the stream runs */
	struct error cause; /* why not */
	uint64_t last_seq;
	struct serf_request *requests; /* without answer yet */
	size_t n_requests;
	struct printbuf *queue; /* to be sent */
	struct serf_tag *tags;
	size_t n_tags;
	size_t limit;

	/* Of the thread only. */
	int fd;
	struct serf_input *input;
	struct printbuf *sending;
	int sent;                   /* bytes of sending */
	uint64_t body_for;          /* the next message is this request's body; 0: none */
	struct serf_request own[6]; /* the thread's own requests */
	size_t n_own;               /* how many of them are used; tags, the last, may wait on */
	int64_t answer_by;          /* its own must be answered by then; 0: none is out */
	int64_t refresh_at;
};

/* The thread. */
void *serf_connection_main(void *serf);

/* Each called with the lock held. */

/* Puts a request among those that wait and gives it its number; what is packed next is its bytes.
 */
void serf_request_add(struct serf *serf, struct serf_request *request);
/* Takes it out again; NULL when there is none of that number. */
struct serf_request *serf_request_find(const struct serf *serf, uint64_t seq);
void serf_request_remove(struct serf *serf, struct serf_request *request);
/* Ends a call or a post; error: what the agent said, "" for success. */
void serf_request_finish(struct serf *serf, struct serf_request *request, const char *error);
/* Reads the size limit from the refusal of an event; false when it is another error. */
bool serf_limit_learn(struct serf *serf, const char *error);

#endif
