/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP/1.1 messages as bytes (RFC 9110, RFC 9112): one strict parser for what
 * the server and the client receive. It works in place on a buffer that the caller owns, knows
 * no sockets, and is fuzzed on its own.
 */
#ifndef HTTP_MESSAGE_H
#define HTTP_MESSAGE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_MAX_HEADER_BYTES (16 * 1024) /* start line and headers together */
#define HTTP_MAX_HEADERS      64
#define HTTP_MAX_PATH         1024          /* a path, encoded */
#define HTTP_MAX_BODY         (1024 * 1024) /* this many bytes and more are refused */

struct http_header {
	const char *name;
	const char *value;
};

/*
 * A request whose strings point into the caller's buffer, NUL-terminated in place; none is NULL.
 * It points into itself too, so it is not to be copied.
 */
struct http_request {
	const char *method;
	const char *target; /* as received */
	char *path;         /* percent-decoded, starts with "/" */
	const char *query;  /* still encoded, "" when there is none */
	const char *host;   /* value of the one Host header */
	bool is_http_1_0;
	bool keep_alive;
	bool expects_continue;
	bool chunked;
	int64_t content_length; /* -1: none given */
	struct http_header headers[HTTP_MAX_HEADERS];
	size_t n_headers;
	int status; /* what to answer when parsing failed: 400, 414, 417 or 505 */
	char path_storage[HTTP_MAX_PATH];
	char host_storage[256]; /* of an absolute-form target */
	/* Filled by the server before a handler sees it. */
	const char *body; /* NUL-terminated, never NULL */
	size_t body_len;
	const char *client; /* address of the peer, without port */
	bool client_is_peer;
	bool may_wait;             /* the handler has a place of its own, and may block */
	struct exchange *exchange; /* the server's, for relay.h; NULL: no server called */
	char id[24];               /* of this request, in logs and in X-Request-Id */
};

/*
 * Parses the len bytes of one header section, its last empty line included.
 * -1 with the error to answer with: ERR_INVALID for everything malformed or
 * ambiguous: Content-Length with Transfer-Encoding, a repeated or unreadable Content-Length, more
 * than HTTP_MAX_HEADERS headers, no or two Hosts, obs-fold, white space before the colon, a bare CR
 * or NUL, %2f and %00 and bad escapes in the path, a transfer coding other than chunked;
 * absolute-form targets are understood (their authority is the host).
 */
int http_request_parse(char *buffer, size_t len, struct http_request *request, struct error *err);

/*
 * Length of the header section at the start of the len bytes received, with its empty line; 0 when
 * it is not complete. *scanned (0 at first) remembers what was looked at, so that a section that
 * comes byte by byte costs no more.
 */
size_t http_head_length(const char *buffer, size_t len, size_t *scanned);

/* Value of a header, by name in any case; NULL when there is none. */
const char *http_request_header(const struct http_request *request, const char *name);

/*
 * The value of a query parameter, decoded; the caller frees it. NULL when it is
 * not given or its encoding is bad.
 */
char *http_request_query(const struct http_request *request, const char *name);

/*
 * Walks the query's parameters: *position starts as request->query and ends as NULL. 1 and both
 * strings (the caller frees them) for each, 0 at the end, -1 with ERR_INVALID for a bad escape.
 */
int http_query_next(const char **position, char **name, char **value, struct error *err);

/* The start of an answer, as the client receives it. */
struct http_reply {
	int status;
	bool keep_alive;
	bool chunked;
	int64_t content_length; /* -1: none given */
	struct http_header headers[HTTP_MAX_HEADERS];
	size_t n_headers;
};

/* As http_request_parse, for an answer. -1: ERR_FORWARD. */
int http_reply_parse(char *buffer, size_t len, struct http_reply *reply, struct error *err);

/* Takes a chunked body apart (RFC 9112, 7.1) as it comes, without copying. Starts zeroed. */
struct http_chunks {
	int state;
	bool digits;
	unsigned overhead; /* bytes of extensions and trailers so far, which are bounded */
	uint64_t left;     /* of the chunk */
};

enum http_chunk_step { HTTP_CHUNK_DATA, HTTP_CHUNK_MORE, HTTP_CHUNK_END, HTTP_CHUNK_BAD };

/*
 * Looks at the len bytes at input and says how many it *used. HTTP_CHUNK_DATA: the last *data_len
 * of those are body, call again; MORE: all are used up; END: the body is complete, what follows
 * belongs to the next message.
 */
enum http_chunk_step http_chunks_next(
	struct http_chunks *chunks, const char *input, size_t len, size_t *used, size_t *data_len);

/* The value of a hex digit in either case; -1 when it is none. */
int http_hex_value(char c);
/* Percent-decodes text in place; false when an escape is bad or yields NUL. */
bool http_percent_decode(char *text);
/* Percent-encodes for use as one path segment or query value; the caller frees it. */
char *http_percent_encode(const char *text);

#endif
