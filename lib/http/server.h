/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The HTTP server: a few threads around one epoll set, so that a slow client
 * costs a buffer and never a thread (HACKING.md, HTTP, says why).
 *
 * Handlers run on the server's threads (512 KiB of stack, no signals), only once a request is
 * complete. Fast ones (answered from memory) always find a thread; slow ones (libvirt, storage,
 * other hosts) may hold at most slow_threads of them, and wait in order beyond that. Deadlines are
 * absolute: a header section in 5 s, a body in 10 s plus a second per 64 KiB, a response likewise,
 * an idle keep-alive connection 60 s. When all places are taken the worst placed connection
 * (slowest, idle longest, from the address with most of them; never one in a handler, a peer's
 * last) gives way to the new one.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "base/error.h"
#include "http/message.h"

#include <json-c/json_object.h>
#include <stdatomic.h>
#include <sys/socket.h>

/* Immutable bytes that several responses may share; freed with the last reference. */
struct http_body;

/* Takes the data over: free() is called on it. Starts with one reference. */
struct http_body *http_body_new(char *data, size_t len);
struct http_body *http_body_ref(struct http_body *body);
void http_body_unref(struct http_body *body); /* NULL is fine */
const char *http_body_data(const struct http_body *body);
size_t http_body_len(const struct http_body *body);

/*
 * How a handler ends. HTTP_LATER: http_relay_send() took the request over. HTTP_AGAIN: it was
 * called as HTTP_FAST and would have to wait: it is called again, as HTTP_REMOTE, with may_wait
 * set.
 */
enum http_fate { HTTP_ANSWERED, HTTP_LATER, HTTP_AGAIN };

/* What a handler fills. Always sent with Content-Length, never chunked, never compressed. */
struct http_response {
	int status;             /* 200 unless set */
	const char *type;       /* "application/json" unless set; static text */
	struct http_body *body; /* owned; NULL: empty */
	char *headers; /* owned; further "Name: value\r\n" lines, see http_response_header; NULL:
			  none */
	bool close;    /* close the connection after it */
	enum http_fate fate;
};

/* Adds a header; bytes that would break out of it (CR, LF, NUL) are dropped. */
void http_response_header(struct http_response *response, const char *name, const char *value);
/* Sets the body to a copy of text; its data is NUL-terminated behind its length, as that of the
 * next. */
void http_response_text(
	struct http_response *response, int status, const char *type, const char *text);
/* Sets the body to JSON; does not take the reference. */
void http_response_json(struct http_response *response, int status, struct json_object *json);

struct http_server;

/*
 * How long a request may hold its thread: not at all (answered from memory), for a call to libvirt
 * or the storage, for minutes, or for as long as another host takes. Long ones get at most half of
 * the slow_threads, those for other hosts a quarter, so that neither keeps all.
 */
enum http_class { HTTP_FAST, HTTP_SLOW, HTTP_LONG, HTTP_REMOTE };

struct http_server_config {
	/* "127.0.0.1:8080", "[::1]:8080", ":8080" (every address); port 0: any free one.
	 * NULL-terminated. */
	const char *const *listen;
	unsigned threads; /* 0: 8 */
	unsigned
		slow_threads; /* 0: threads - 2; at least one thread stays free for fast requests */
	unsigned max_connections; /* 0: 1024, or fewer where RLIMIT_NOFILE demands it */
	size_t max_buffered; /* bytes of all bodies and unsent private responses together; 0: 64 MiB
			      */
	/* Decides before the handler runs; called with a parsed request without body. */
	enum http_class (*classify)(void *context, const struct http_request *request);
	/* Answers a request; may block when it was classified HTTP_SLOW. Never called for malformed
	 * requests. */
	void (*handle)(
		void *context, const struct http_request *request, struct http_response *response);
	/* True for the address of another host of the cluster; may be NULL. */
	bool (*is_peer)(void *context, const struct sockaddr *address);
	/*
	 * Called after each answer, for the access log; may be NULL. Refused requests come here
	 * too, with those members empty ("") that could not be read.
	 */
	void (*on_done)(void *context, const struct http_request *request, int status,
		int64_t microseconds);
	void *context;
	const char *host_name; /* for the problem with a malformed request; NULL: none */
	/* Deadlines in ms, 0: as above. */
	unsigned header_ms;   /* 5,000: first byte to last of a header section; a new connection's
				 first byte too */
	unsigned transfer_ms; /* 10,000: a body or a response; a second per 64 KiB comes on top */
	unsigned idle_ms;     /* 60,000 */
	unsigned drain_ms;    /* 2,000: for the client to close after the last answer */
};

/*
 * Binds all addresses and starts the threads. NULL: ERR_UNAVAILABLE with the address and the
 * system's reason (a port in use says so), ERR_INVALID for an address that is not one.
 */
struct http_server *http_server_start(const struct http_server_config *config, struct error *err);

/* The address a listener really has ("127.0.0.1:43121"), for port 0; index as in config->listen; ""
 * beyond. */
const char *http_server_address(const struct http_server *server, size_t index);

/* Counters for /metrics-like use and tests. */
struct http_server_stats {
	unsigned connections, slow_running, slow_waiting;
	uint64_t requests, evicted, timed_out,
		refused; /* answered (refused ones too), closed ... */
	size_t buffered;
};
void http_server_get_stats(struct http_server *server, struct http_server_stats *stats);

/*
 * Monotonic time in ms of the last turn of the housekeeping thread, for the
 * watchdog: older than a few seconds means that the server hangs.
 */
int64_t http_server_heartbeat(struct http_server *server);

/*
 * Stops accepting at once, lets running handlers finish for at most grace_ms and sends their
 * answers, then closes everything and frees it. Returns the number of handlers that had to be left
 * running (0 in good order).
 */
unsigned http_server_stop(struct http_server *server, unsigned grace_ms);

#endif
