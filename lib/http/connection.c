/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One connection's life: a head, its body, the handler, the answer, and again.
 * Each step either goes on at once or says what it waits for.
 */
#include "http/server_private.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/problem.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

enum step { STEP_ON, STEP_READ, STEP_WRITE, STEP_CLOSE, STEP_LEFT };

#define MAX_INPUT (HTTP_MAX_HEADER_BYTES + 4096)
#define BODY_ROOM 512 /* behind a head, so that chunks are not read in crumbs */

static struct exchange *exchange_new(struct worker *worker)
{
	struct exchange *exchange = worker->spare ? worker->spare : xmalloc(sizeof(*exchange));

	worker->spare = NULL;
	exchange->chunks = (struct http_chunks){0};
	exchange->input = exchange->first_input;
	exchange->input_capacity = sizeof(exchange->first_input);
	exchange->input_len = exchange->scanned = exchange->head_len = 0;
	exchange->body = NULL;
	exchange->body_len = exchange->body_capacity = 0;
	return exchange;
}

static void free_buffers(struct exchange *exchange)
{
	if (exchange->input != exchange->first_input)
		free(exchange->input);
	free(exchange->body);
}

void exchange_free(struct worker *worker, struct exchange *exchange)
{
	if (!exchange)
		return;
	free_buffers(exchange);
	if (worker && !worker->spare)
		worker->spare = exchange;
	else
		free(exchange);
}

static void grow_input(struct exchange *exchange)
{
	char *larger;

	if (exchange->input != exchange->first_input)
		return;
	larger = xmalloc(MAX_INPUT);
	memcpy(larger, exchange->input, exchange->input_len);
	exchange->input = larger;
	exchange->input_capacity = MAX_INPUT;
}

static void enter(struct connection *connection, enum phase phase, unsigned ms)
{
	connection->phase = phase;
	connection->since = clock_ms();
	connection->deadline = connection->since + ms;
}

/* Absolute, and in proportion to what is to be moved. */
static unsigned transfer_time(const struct http_server *server, size_t bytes)
{
	return server->config.transfer_ms + (unsigned)(bytes / (64 * 1024)) * 1000;
}

/*
 * The exchange is over: what came behind it is the start of the next one.
 * True when there is such a thing.
 */
static bool finish_exchange(struct worker *worker, struct connection *connection)
{
	struct exchange *exchange = connection->exchange;
	struct exchange *next;
	size_t left = exchange->input_len - exchange->head_len;

	budget_return(worker->server, connection);
	connection->exchange = NULL;
	if (left == 0 || connection->close) {
		exchange_free(worker, exchange);
		return false;
	}
	next = exchange_new(worker);
	if (left > next->input_capacity)
		grow_input(next);
	memcpy(next->input, exchange->input + exchange->head_len, left);
	next->input_len = left;
	connection->exchange = next;
	exchange_free(worker, exchange);
	return true;
}

/* Whether a whole head of another request is there already, whose answer may go with this one. */
static bool has_next(const struct connection *connection)
{
	const struct exchange *exchange = connection->exchange;
	size_t scanned = 0;

	return !connection->close && exchange->input_len > exchange->head_len &&
	       http_head_length(exchange->input + exchange->head_len,
		       exchange->input_len - exchange->head_len, &scanned);
}

/* What the kernel holds back leaves now. */
static void uncork(struct connection *connection)
{
	if (connection->corked)
		setsockopt(connection->source.fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	connection->corked = false;
}

/* An answer has left completely. */
static enum step after_answer(struct http_server *server, struct connection *connection)
{
	if (connection->close) {
		shutdown(connection->source.fd, SHUT_WR);
		enter(connection, PHASE_DRAIN, server->config.drain_ms);
		return STEP_READ;
	}
	connection->has_served = true;
	connection->may_receive = false;
	if (connection->exchange) {
		enter(connection, PHASE_HEAD, server->config.header_ms);
		return STEP_ON;
	}
	enter(connection, PHASE_IDLE, server->config.idle_ms);
	return STEP_READ;
}

/* Sends the answer of the connection's exchange and ends that. */
static enum step answer(
	struct worker *worker, struct connection *connection, struct http_response *response)
{
	struct http_server *server = worker->server;
	struct exchange *exchange = connection->exchange;
	int status = response->status ? response->status : 200;
	enum send_result sent;
	size_t rest;

	if (response->close || atomic_load(&server->stopping))
		connection->close = true;
	connection->corked = has_next(connection);
	sent = send_response(worker, connection, response);
	atomic_fetch_add_explicit(&server->requests, 1, memory_order_relaxed);
	if (server->config.on_done)
		server->config.on_done(server->config.context, &exchange->request, status,
			clock_us() - exchange->started_us);
	finish_exchange(worker, connection);
	if (sent == SEND_BROKEN)
		return STEP_CLOSE;
	if (sent == SEND_DONE)
		return after_answer(server, connection);
	rest = connection->out_body ? http_body_len(connection->out_body) : 0;
	if (connection->out_body && !http_body_is_shared(connection->out_body) &&
		!budget_take(server, connection, rest))
		return STEP_CLOSE;
	enter(connection, PHASE_WRITE, transfer_time(server, rest));
	return STEP_WRITE;
}

/* Answers a request that no handler gets to see; the connection is of no more use then. */
static enum step refuse(
	struct worker *worker, struct connection *connection, int status, const struct error *err)
{
	struct http_request *request = &connection->exchange->request;
	struct http_response response = {0};

	connection->close = true;
	connection->exchange->head_len = connection->exchange->input_len;
	atomic_fetch_add_explicit(&worker->server->refused, 1, memory_order_relaxed);
	http_problem_set(&response, request, err, status, worker->server->config.host_name);
	return answer(worker, connection, &response);
}

static enum step refuse_with(struct worker *worker, struct connection *connection, int status,
	enum error_code code, const char *why)
{
	struct error err = {0};

	error_set(&err, code, "%s", why);
	return refuse(worker, connection, status, &err);
}

static enum step run_handler(struct worker *worker, struct connection *connection);

/* For a handler that has to wait and was called where it must not. */
static enum step try_again(struct worker *worker, struct connection *connection)
{
	if (worker->holds != HTTP_FAST)
		return refuse_with(
			worker, connection, 500, ERR_INTERNAL, "the handler does not want to wait");
	uncork(connection);
	return slow_enter(worker, connection, HTTP_REMOTE) ? run_handler(worker, connection)
							   : STEP_LEFT;
}

static enum step run_handler(struct worker *worker, struct connection *connection)
{
	const struct http_server_config *config = &worker->server->config;
	struct exchange *exchange = connection->exchange;
	struct http_request *request = &exchange->request;
	struct http_response response = {0};

	exchange->connection = connection;
	exchange->worker = worker;
	request->exchange = exchange;
	request->may_wait = worker->holds != HTTP_FAST;
	request->body = exchange->body ? exchange->body : "";
	request->body_len = exchange->body_len;
	log_set_context(request->id, request->client);
	if (request->may_wait) {
		uncork(connection);
		reception_give_back(worker);
	}
	atomic_store(&worker->in_handler, true);
	config->handle(config->context, request, &response);
	atomic_store(&worker->in_handler, false);
	if (response.fate == HTTP_LATER) /* somebody may be answering it by now */
		return STEP_LEFT;
	if (response.fate == HTTP_AGAIN)
		return try_again(worker, connection);
	return answer(worker, connection, &response);
}

static enum step dispatch(struct worker *worker, struct connection *connection)
{
	const struct http_server_config *config = &worker->server->config;
	const struct http_request *request = &connection->exchange->request;
	enum http_class class =
		config->classify ? config->classify(config->context, request) : HTTP_FAST;

	if (class != HTTP_FAST) {
		uncork(connection);
		if (!slow_enter(worker, connection, class))
			return STEP_LEFT;
	}
	return run_handler(worker, connection);
}

static enum step read_body(struct worker *worker, struct connection *connection)
{
	switch (body_receive(worker->server, connection)) {
	case BODY_MORE:
		return STEP_READ;
	case BODY_COMPLETE:
		return dispatch(worker, connection);
	case BODY_MALFORMED:
		return refuse_with(
			worker, connection, 400, ERR_INVALID, "the chunked body is malformed");
	case BODY_TOO_LARGE:
		return refuse_with(worker, connection, 413, ERR_TOO_LARGE,
			"the body is longer than 1 MiB less one byte");
	case BODY_NO_MEMORY:
		return refuse_with(worker, connection, 503, ERR_UNAVAILABLE,
			"too many requests are being received; try again");
	default:
		return STEP_CLOSE;
	}
}

/* Completes what a parsed head leaves open, and goes on to its body or handler. */
static enum step begin_request(struct worker *worker, struct connection *connection)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct exchange *exchange = connection->exchange;
	const struct http_request *request = &exchange->request;
	int64_t length = request->content_length;

	connection->close = !request->keep_alive;
	if (length >= HTTP_MAX_BODY)
		return refuse_with(worker, connection, 413, ERR_TOO_LARGE,
			"the body is longer than 1 MiB less one byte");
	if (!request->chunked && length <= 0)
		return dispatch(worker, connection);
	if (request->expects_continue && exchange->input_len == exchange->head_len &&
		send(connection->source.fd, go_on, sizeof(go_on) - 1, MSG_NOSIGNAL) < 0)
		return STEP_CLOSE;
	enter(connection, PHASE_BODY,
		transfer_time(worker->server, length > 0 ? (size_t)length : HTTP_MAX_BODY));
	return STEP_ON;
}

/* A name for the request that is unique among this server's, and improbable elsewhere. */
static void make_id(struct http_server *server, char id[static 24])
{
	static const char digits[] = "0123456789abcdef";
	unsigned number = atomic_fetch_add_explicit(&server->next_id, 1, memory_order_relaxed);

	memcpy(id, server->id_prefix, 8);
	id[8] = '-';
	for (int i = 0; i < 8; i++)
		id[9 + i] = digits[(number >> (28 - 4 * i)) & 15];
	id[17] = '\0';
}

/* What no parser wrote must still be readable by an access log. */
static void blank_request(struct exchange *exchange)
{
	struct error ignored = {0};

	http_request_parse((char[]){"\r\n"}, 2, &exchange->request, &ignored);
}

static enum step parse_head(struct worker *worker, struct connection *connection, size_t len)
{
	struct exchange *exchange = connection->exchange;
	struct http_request *request = &exchange->request;
	struct error err = {0};
	bool fits = len && len <= HTTP_MAX_HEADER_BYTES;
	bool good = false;

	if (fits && len + BODY_ROOM > exchange->input_capacity)
		grow_input(exchange);
	exchange->head_len = len;
	exchange->started_us = clock_us();
	if (fits)
		good = http_request_parse(exchange->input, len, request, &err) == 0;
	else
		blank_request(exchange);
	make_id(worker->server, request->id);
	request->client = connection->client;
	request->client_is_peer = connection->is_peer;
	if (good)
		return begin_request(worker, connection);
	if (fits)
		return refuse(worker, connection, request->status, &err);
	return refuse_with(worker, connection, 431, ERR_INVALID, "the header section is too long");
}

/* Drops empty lines before a request (RFC 9112, 2.2). */
static void skip_empty_lines(struct exchange *exchange)
{
	size_t skip = 0;

	while (skip + 1 < exchange->input_len && exchange->input[skip] == '\r' &&
		exchange->input[skip + 1] == '\n')
		skip += 2;
	if (skip == 0)
		return;
	exchange->input_len -= skip;
	exchange->scanned = 0;
	memmove(exchange->input, exchange->input + skip, exchange->input_len);
}

/* 1 when bytes came, 0 when none are there, -1 when the client has gone. */
static int receive_head(struct connection *connection)
{
	struct exchange *exchange = connection->exchange;
	ssize_t got;

	if (!connection->may_receive)
		return 0;
	connection->may_receive = false;
	got = recv(connection->source.fd, exchange->input + exchange->input_len,
		exchange->input_capacity - exchange->input_len, MSG_DONTWAIT);
	if (got == 0)
		return -1;
	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	exchange->input_len += (size_t)got;
	return 1;
}

static enum step read_head(struct worker *worker, struct connection *connection)
{
	bool is_new = !connection->exchange;
	struct exchange *exchange = is_new ? exchange_new(worker) : connection->exchange;
	size_t len;
	int got;

	if (is_new && connection->is_peer) /* hosts send many at once (relay.h) */
		grow_input(exchange);

	connection->exchange = exchange;
	got = receive_head(connection);
	if (got < 0)
		return STEP_CLOSE;
	skip_empty_lines(exchange);
	if (exchange->input_len == 0 && is_new && got == 0) {
		connection->exchange = NULL;
		exchange_free(worker, exchange);
		return STEP_READ;
	}
	len = http_head_length(exchange->input, exchange->input_len, &exchange->scanned);
	if (len || exchange->input_len >= HTTP_MAX_HEADER_BYTES)
		return parse_head(worker, connection, len);
	if (exchange->input_len == exchange->input_capacity)
		grow_input(exchange);
	if (connection->phase == PHASE_IDLE)
		enter(connection, PHASE_HEAD, worker->server->config.header_ms);
	return STEP_READ;
}

static enum step write_rest(struct worker *worker, struct connection *connection)
{
	switch (send_rest(connection)) {
	case SEND_PART:
		return STEP_WRITE;
	case SEND_DONE:
		budget_return(worker->server, connection);
		return after_answer(worker->server, connection);
	default:
		return STEP_CLOSE;
	}
}

/* Reads and forgets, so that closing does not reset what the client has still to read. */
static enum step drain(struct connection *connection)
{
	char scrap[16 * 1024];

	for (int turns = 0; turns < 16; turns++) {
		ssize_t got = recv(connection->source.fd, scrap, sizeof(scrap), MSG_DONTWAIT);

		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return STEP_READ;
		if (got <= 0)
			return STEP_CLOSE;
	}
	return STEP_READ;
}

static enum step take_step(struct worker *worker, struct connection *connection)
{
	switch (connection->phase) {
	case PHASE_IDLE:
	case PHASE_HEAD:
		return read_head(worker, connection);
	case PHASE_BODY:
		return read_body(worker, connection);
	case PHASE_QUEUED:
		return run_handler(worker, connection);
	case PHASE_AGAIN:
		return try_again(worker, connection);
	case PHASE_WRITE:
		return write_rest(worker, connection);
	default:
		return drain(connection);
	}
}

/* Nobody owns it from here on. */
static void await(const struct http_server *server, struct connection *connection, uint32_t events)
{
	pthread_mutex_lock(&connection->lock);
	connection->events = events;
	connection->waiting = true;
	reception_arm(server, &connection->source, events);
	pthread_mutex_unlock(&connection->lock);
}

static void leave(struct worker *worker, struct connection *connection, enum step step)
{
	if (step == STEP_LEFT)
		return;
	if (step == STEP_CLOSE) {
		connection_close(worker->server, connection);
		return;
	}
	if (step == STEP_READ)
		uncork(connection);
	/* A writable socket is an event at once: for a request that is there already. */
	await(worker->server, connection,
		step == STEP_WRITE ? EPOLLOUT
		: step == STEP_ON  ? EPOLLIN | EPOLLOUT
				   : EPOLLIN);
}

void connection_work(struct worker *worker, struct connection *connection)
{
	enum step step;

	connection->may_receive = true;
	do
		step = take_step(worker, connection);
	while (step == STEP_ON);
	leave(worker, connection, step);
}

void connection_lend(struct connection *connection)
{
	uncork(connection);
	connection->phase = PHASE_LENT;
}

void connection_answer(
	struct worker *worker, struct connection *connection, struct http_response *response)
{
	leave(worker, connection, answer(worker, connection, response));
}

void connection_again(const struct http_server *server, struct connection *connection)
{
	enter(connection, PHASE_AGAIN, server->config.transfer_ms);
	await(server, connection, EPOLLOUT);
}

void connection_close(struct http_server *server, struct connection *connection)
{
	exchange_free(NULL, connection->exchange);
	connection->exchange = NULL;
	http_body_unref(connection->out_body);
	connection->out_body = NULL;
	free(connection->out);
	connection->out = NULL;
	budget_return(server, connection);
	close(connection->source.fd);
	connection->source.fd = -1;
	pthread_mutex_lock(&server->lock);
	if (connection->previous)
		connection->previous->next = connection->next;
	else
		server->connections = connection->next;
	if (connection->next)
		connection->next->previous = connection->previous;
	(*connection->address_count)--;
	server->n_connections--;
	connection->next = server->unused;
	server->unused = connection;
	pthread_mutex_unlock(&server->lock);
}
