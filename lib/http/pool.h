/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections to many servers, kept alive between exchanges and shared by threads. At most
 * HTTP_POOL_PER_SERVER idle ones are kept for a server and HTTP_POOL_IDLE altogether; beyond that
 * the one that has been idle longest is closed. How many are in use at once is the callers' affair.
 */
#ifndef HTTP_POOL_H
#define HTTP_POOL_H

#include "http/client.h"

#define HTTP_POOL_PER_SERVER 8
#define HTTP_POOL_IDLE       128

struct http_pool;

/* idle_ms: how long a connection is kept unused; less than the servers keep theirs. */
struct http_pool *http_pool_new(unsigned idle_ms);
/* No exchange may be under way. */
void http_pool_free(struct http_pool *pool);

/*
 * As http_client_exchange, on an idle connection to `server` ("address:port") or a new one. One
 * that the server closed meanwhile is replaced, and an idempotent request sent once more.
 */
int http_pool_exchange(struct http_pool *pool, const char *server, struct http_exchange *exchange,
	struct error *err);

/* The descriptor of an idle connection to that server, which is the caller's now; -1: none. */
int http_pool_take(struct http_pool *pool, const char *server);

/* Closes what has been idle too long; each exchange does so too. */
void http_pool_trim(struct http_pool *pool);
/* How many are idle. */
size_t http_pool_count(struct http_pool *pool);

#endif
