/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The HTTP client: what `virtx` speaks to a server, and hosts to each other.
 * Blocking, with deadlines on every step; one connection that is kept alive between calls and
 * opened again when the server closed it meanwhile (only idempotent requests are sent twice).
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include "base/error.h"
#include "http/message.h"

#include <stdint.h>

struct http_client;

/*
 * For one server: "host", "host:port", "[v6]:port"; port 8080 when not given. Does not connect yet.
 * NULL: ERR_INVALID.
 */
struct http_client *http_client_new(const char *server, struct error *err);
void http_client_free(struct http_client *client);
/* True while a connection is kept for the next exchange. */
bool http_client_is_connected(const struct http_client *client);
/* That connection, which is the caller's to close now; -1: there is none, or it has been closed
 * meanwhile. */
int http_client_detach(struct http_client *client);

struct http_exchange {
	/* Request. */
	const char *method;
	const char *target; /* path and query, encoded by the caller */
	const char *host;   /* what Host says; NULL: the server, as it was given */
	const char *const (
		*headers)[2]; /* further name and value pairs, ended by {NULL, NULL}; may be NULL */
	const char *body; /* NULL: none; sent as application/json unless headers say otherwise */
	size_t body_len;
	unsigned connect_timeout_ms; /* 0: 5000 */
	unsigned timeout_ms;         /* from the request sent to the answer complete; 0: 600000 */
	size_t max_response;         /* 0: 256 MiB */
	/* Response, owned by the exchange: http_exchange_clear(). */
	int status;
	char *response; /* NUL-terminated, never NULL after success */
	size_t response_len;
	char *header_buffer;
	struct http_header response_headers[HTTP_MAX_HEADERS];
	size_t n_response_headers;
};

/*
 * One request and its whole answer, whatever its status. -1: ERR_CONNECT with address and reason
 * when nothing could be reached, ERR_TIMEOUT, ERR_FORWARD when the answer is not HTTP or breaks
 * off. Understands Content-Length, chunked and until-close bodies; skips 1xx.
 */
int http_client_exchange(
	struct http_client *client, struct http_exchange *exchange, struct error *err);

/* A header of the answer; NULL when there is none. */
const char *http_exchange_header(const struct http_exchange *exchange, const char *name);
void http_exchange_clear(struct http_exchange *exchange);

#endif
