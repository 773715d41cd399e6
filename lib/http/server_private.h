/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the server share.
 *
 * Who may touch a connection: whoever works on it (its owner). While nobody does it is `waiting`,
 * armed in the epoll set (one shot); whoever turns waiting to false under its lock owns it: a
 * worker with its event, housekeeping whose deadline passed, or eviction. Connections are never
 * freed while the server lives, so an event that comes late finds one that is not waiting, or wakes
 * another for nothing.
 *
 * Lock order: server->lock, then connection->lock; channels_lock, then a channel's (relay.c), under
 * which sockets are shut down, closed and uncorked, which does not wait. None is held in a handler.
 */
#ifndef HTTP_SERVER_PRIVATE_H
#define HTTP_SERVER_PRIVATE_H

#include "http/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/epoll.h>

#define EVENT_BATCH   16   /* events that a worker takes at once */
#define ADDRESS_TABLE 1024 /* buckets of connections counted by address */
#define FIRST_INPUT   2048 /* bytes; heads longer than most move to a larger buffer */

/* What an epoll event points to. */
enum source_kind { SOURCE_WAKE, SOURCE_LISTENER, SOURCE_CONNECTION, SOURCE_CHANNEL };
struct source {
	enum source_kind kind;
	int fd;
};

struct listener {
	struct source source;
	atomic_bool paused; /* no descriptor was left; housekeeping arms it again */
	char address[64];
};

enum phase {
	PHASE_IDLE, /* between requests, or none has come yet */
	PHASE_HEAD, /* part of a header section is there */
	PHASE_BODY,
	PHASE_QUEUED, /* complete and slow, in server->queue */
	PHASE_LENT,   /* complete, and the relay's, which sends it on and answers it */
	PHASE_AGAIN,  /* back from there without an answer */
	PHASE_WRITE,  /* the rest of an answer waits for the client to read */
	PHASE_DRAIN, /* the last answer is out; reads on until the client closes, so that it gets it
		      */
};

/* A request being received and answered. Made at its first byte, gone with its answer. */
struct exchange {
	struct http_request request;
	struct connection *connection; /* both for the handler that has the request */
	struct worker *worker;
	struct http_chunks chunks;
	char *input; /* the head, then what came behind it */
	size_t input_len;
	size_t input_capacity;
	size_t scanned;
	size_t head_len; /* 0: not complete yet */
	char *body;
	size_t body_len;
	size_t body_capacity;
	int64_t started_us;
	char first_input[FIRST_INPUT];
};

struct connection {
	struct source source;
	/* Under server->lock. */
	struct connection *next;
	struct connection *previous;
	struct connection *queue_next;
	bool queued;
	enum http_class class; /* of the request that is queued */
	/* Under lock. */
	pthread_mutex_t lock;
	bool waiting;
	/* The owner's. */
	uint32_t events;
	enum phase phase;
	bool close;       /* after this answer */
	bool corked;      /* the kernel holds answers back for the next one: connection_uncork() */
	bool may_receive; /* one receive per event for heads, so that nobody keeps a worker */
	bool is_peer;
	bool has_served;
	int64_t since;    /* ms, when the phase began */
	int64_t deadline; /* ms */
	struct exchange *exchange;
	size_t buffered; /* what it has of server->buffered */
	char *out;       /* unsent rest of an answer's head */
	size_t out_len;
	size_t out_sent;
	struct http_body *out_body;
	size_t out_body_sent;
	unsigned *address_count; /* its bucket in server->addresses */
	char client[INET6_ADDRSTRLEN];
};

struct worker {
	struct http_server *server;
	pthread_t thread;
	atomic_bool in_handler;
	bool done;         /* under server->lock */
	bool detached;     /* left running by stop, with a reference; under server->lock */
	atomic_bool polls; /* has a poller's place, see reception.c */
	atomic_int_fast64_t busy_since; /* ms, when it got the events it works on; 0: none */
	enum http_class holds;          /* the place it has; HTTP_FAST: none */
	struct epoll_event events[EVENT_BATCH];
	int n_events;
	int event;              /* the one being worked on */
	struct exchange *spare; /* saves an allocation per request */
	struct channel *unsent; /* of the relay: to be sent at the end of this turn */
	int64_t date_second;
	char date[40];
};

struct http_server {
	struct http_server_config config;
	int epoll;
	struct source wake;
	struct listener *listeners;
	size_t n_listeners;
	struct worker *workers;
	unsigned n_workers;
	pthread_t housekeeper;
	char id_prefix[9];
	atomic_uint next_id;
	atomic_bool stopping;   /* no new connections, every answer closes */
	sem_t pollers;          /* free pollers' places */
	atomic_bool ended;      /* threads return */
	atomic_uint references; /* once ended: of stop and of each worker that it left running */
	atomic_size_t buffered;
	atomic_uint_fast64_t requests, evicted, timed_out, refused;
	atomic_int_fast64_t heartbeat;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* a worker is done, or ended was set */
	struct connection *connections;
	struct connection *unused;
	unsigned n_connections;
	struct connection *queue; /* slow requests that wait, peers first */
	unsigned n_queued;
	unsigned running[HTTP_REMOTE + 1]; /* by class; fast ones are not counted */
	unsigned addresses[ADDRESS_TABLE];
	pthread_mutex_t channels_lock; /* of the list, before a channel's lock */
	struct channel *channels;      /* relay.c */
};

/* server.c */
/* Drops a reference; with the last one the server goes, and what it still has of connections. */
void server_release(struct http_server *server);

/* reception.c */
void *reception_run(void *worker);
/* Has the source report its next event; the caller holds a connection's lock. */
void reception_arm(const struct http_server *server, struct source *source, uint32_t events);
/* Passes the worker's poller's place on, if it has one; any thread may call it. */
void reception_cede(struct worker *worker);
/* Leaves the place and events that this worker fetched to the others, before it blocks in a
 * handler. */
void reception_give_back(struct worker *worker);

/* connection.c */
/* Goes on with a connection that the caller owns, until it waits, is queued or closed. */
void connection_work(struct worker *worker, struct connection *connection);
/* Ends one that the caller owns; also frees everything it holds. */
void connection_close(struct http_server *server, struct connection *connection);
/* Frees the exchange, or keeps it as the worker's (may be NULL) spare. */
void exchange_free(struct worker *worker, struct exchange *exchange);

/* Answers the request that was lent, with a response that it takes over. */
void connection_answer(
	struct worker *worker, struct connection *connection, struct http_response *response);
/* Has the handler called again for the request that was lent, on whatever worker is free. */
void connection_again(const struct http_server *server, struct connection *connection);
/* In a handler: the connection is somebody else's until one of these two is called. */
void connection_lend(struct connection *connection);

/* relay.c */
/* Goes on with a channel that has an event. */
void relay_work(struct worker *worker, struct source *source);
/* Leaves such an event to another worker. */
void relay_give_back(const struct http_server *server, struct source *source);
/* Sends what handlers on this worker have left to be sent. */
void relay_flush(struct worker *worker);
/* Ends channels on which a request has waited for too long. */
void relay_expire(struct http_server *server);
/* Closes and frees them all; no thread works any more. */
void relay_free(struct http_server *server);

/* body.c */
enum body_result {
	BODY_MORE,
	BODY_COMPLETE,
	BODY_CLOSED,
	BODY_MALFORMED,
	BODY_TOO_LARGE,
	BODY_NO_MEMORY
};
/* Receives what is there of the connection's request body. */
enum body_result body_receive(struct http_server *server, struct connection *connection);

/* send.c */
enum send_result { SEND_DONE, SEND_PART, SEND_BROKEN };
/* Sends an answer; SEND_PART: the rest is kept in the connection for send_rest(). The response is
 * cleared. */
enum send_result send_response(
	struct worker *worker, struct connection *connection, struct http_response *response);
enum send_result send_rest(struct connection *connection);
/* Last words on a connection that is closed next: sent as far as that is possible at once. */
void send_farewell(
	struct connection *connection, int status, enum error_code code, const char *why);

/* eviction.c */
/* Closes the worst placed connection; false when each is at work. */
bool evict_worst(struct http_server *server);
/*
 * Counts bytes for the connection, which the caller owns, closing larger incomplete ones while the
 * budget is exceeded; false, and nothing is counted, when it is itself the largest.
 */
bool budget_take(struct http_server *server, struct connection *connection, size_t bytes);
void budget_return(struct http_server *server, struct connection *connection);
/* Closes those that wait for a client; returns how many are still at work or being written. */
unsigned evict_waiting(struct http_server *server);
void *housekeeping_run(void *server);

/* queue.c */
/* True when the worker may run a slow request now; otherwise the connection has been queued. */
bool slow_enter(struct worker *worker, struct connection *connection, enum http_class class);
/* Ends the worker's slow request: the next queued connection, now owned by the caller, or NULL. */
struct connection *slow_leave(struct worker *worker);
/* Takes a connection out of the queue; the caller holds server->lock. */
void slow_forget(struct http_server *server, struct connection *connection);

/* listen.c */
/* Opens a listener for "host:port"; -1: ERR_INVALID, ERR_UNAVAILABLE. */
int listener_open(struct listener *listener, const char *address, struct error *err);
/* Accepts what is there. */
void listener_accept(struct http_server *server, struct listener *listener);

/* response.c */
bool http_body_is_shared(const struct http_body *body);
void http_response_clear(struct http_response *response);

#endif
