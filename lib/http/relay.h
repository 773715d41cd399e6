/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests that a handler sends on to another server while no thread waits: many at a time share
 * one connection (pipelining, RFC 9112, 9.3.2), and a worker of the server answers each client when
 * its reply has come. With a thread and a connection for each, threads that wait and wake were most
 * of what passing a request on cost.
 *
 * It is a short cut and promises nothing. A connection is lent to it by who has opened one and
 * knows that it works; requests are such as may be sent twice and are answered there from memory,
 * for one that is slow holds up those behind it. Whatever does not come back in RELAY_PATIENCE_MS,
 * in order and good, ends the connection, and all that were on it go to the handler again with
 * request->may_wait set, to take the ordinary way, which finds out and says what is wrong.
 *
 * Called in handlers only, with the request that they were given.
 */
#ifndef HTTP_RELAY_H
#define HTTP_RELAY_H

#include "http/client.h"
#include "http/server.h"

#define RELAY_PATIENCE_MS 1000
#define RELAY_MAX_ANSWER \
	(1024 * 1024) /* bytes of a body; for longer ones there is the ordinary way */

/* What is to be done with one request's reply. */
struct http_relay_call {
	const char *server; /* "address:port" */
	struct http_exchange
		*exchange; /* the request: method, target, host, headers, without body */
	/*
	 * Makes the response of a reply, on a thread of the server; may take exchange->response.
	 * False when it is not good. context was made with malloc, and is freed by the relay.
	 */
	bool (*take)(void *context, struct http_exchange *exchange, struct http_response *response);
	void *context;
};

/* True while requests can be sent there. */
bool http_relay_is_open(const struct http_request *request, const char *server);

/*
 * Sends it; true when that is under way, and then the response is not the handler's any more, nor
 * is the request: it returns at once. Takes the context over only then.
 */
bool http_relay_send(const struct http_request *request, const struct http_relay_call *call,
	struct http_response *response);

/* Lends a connection to that server, on which nothing is under way, for a request that a server
 * called the handler with. Takes fd over; closes it when there is one already. */
void http_relay_lend(const struct http_request *request, const char *server, int fd);

#endif
