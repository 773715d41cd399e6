/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A channel is a connection to another server and the requests that are under way on it, in their
 * order. Workers append requests; what they have appended leaves at the end of their turn, in one
 * call. Its replies are an event like those of clients: who gets it owns the channel's reading side
 * and answers the clients. Only the owner ends a channel; others shut its socket down, which is an
 * event too. Channels are never freed while the server lives, for the reason that connections are
 * not (server_private.h).
 */
#include "http/relay.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/client_head.h"
#include "http/server_private.h"

#include <errno.h>
#include <string.h>

/* Requests under way; less than the kernel takes for a socket, so that sending never waits. */
#define MAX_UNDER_WAY ((size_t)64 * 1024)
#define FIRST_ROOM    ((size_t)32 * 1024)

/* A request under way. */
struct relayed {
	struct relayed *next;
	struct connection *connection;
	int64_t since; /* ms */
	size_t size;   /* bytes of the request */
	bool (*take)(void *context, struct http_exchange *exchange, struct http_response *response);
	void *context;
};

struct channel {
	struct source source; /* fd -1: closed */
	struct channel *next;
	/* Under lock. */
	pthread_mutex_t lock;
	char server[80];
	bool waiting;                /* for its event: nobody owns the reading side */
	bool broken;                 /* nothing is sent any more */
	bool ended;                  /* by its owner; closed as soon as nobody sends */
	bool sending;                /* a worker sends; what is appended meanwhile it sends too */
	bool listed;                 /* a worker is to send */
	struct channel *next_unsent; /* of that worker */
	struct printbuf *out, *spare;
	struct relayed *first, **end;
	size_t under_way; /* bytes */
	/* The owner's. */
	char *input;
	size_t input_len, input_capacity, scanned;
	struct http_exchange exchange; /* header_buffer: a head is there, its body may not be */
	struct http_reply reply;
};

/* ---- channels ---- */

/* The channel to that server, or with NULL a closed one, with its lock held; NULL when there is
 * none. The caller holds channels_lock. */
static struct channel *look_up(struct http_server *server, const char *name)
{
	for (struct channel *channel = server->channels; channel; channel = channel->next) {
		pthread_mutex_lock(&channel->lock);
		bool open = channel->source.fd >= 0;
		if (name ? open && str_equal(channel->server, name) : !open && !channel->listed)
			return channel;
		pthread_mutex_unlock(&channel->lock);
	}
	return NULL;
}

static struct channel *find(struct http_server *server, const char *name)
{
	pthread_mutex_lock(&server->channels_lock);
	struct channel *channel = look_up(server, name);
	pthread_mutex_unlock(&server->channels_lock);
	return channel;
}

static struct channel *channel_new(void)
{
	struct channel *channel = xcalloc(1, sizeof(*channel));

	channel->source = (struct source){SOURCE_CHANNEL, -1};
	pthread_mutex_init(&channel->lock, NULL);
	channel->out = buf_new();
	channel->spare = buf_new();
	channel->end = &channel->first;
	return channel;
}

/* A closed one for that server, with its lock held; NULL when it has one already. */
static struct channel *take_closed(struct http_server *server, const char *name)
{
	pthread_mutex_lock(&server->channels_lock);
	struct channel *channel = look_up(server, name);
	if (channel) {
		pthread_mutex_unlock(&channel->lock);
		pthread_mutex_unlock(&server->channels_lock);
		return NULL;
	}
	channel = look_up(server, NULL);
	if (!channel) {
		channel = channel_new();
		pthread_mutex_lock(&channel->lock);
		channel->next = server->channels;
		server->channels = channel;
	}
	str_copy(channel->server, sizeof(channel->server), name);
	pthread_mutex_unlock(&server->channels_lock);
	return channel;
}

/* The caller holds the lock. What waits on the socket, or will, gets an event. */
static void break_off(struct channel *channel)
{
	channel->broken = true;
	shutdown(channel->source.fd, SHUT_RDWR);
}

/* The caller holds the lock. */
static void close_ended(struct channel *channel)
{
	if (!channel->ended || channel->sending)
		return;
	close(channel->source.fd);
	channel->source.fd = -1;
	channel->broken = channel->ended = false;
}

/* The owner's: everything that is under way goes the ordinary way. */
static void end(struct http_server *server, struct channel *channel)
{
	struct relayed *left;

	free(steal(&channel->input));
	channel->input_len = channel->input_capacity = channel->scanned = 0;
	http_exchange_clear(&channel->exchange);
	pthread_mutex_lock(&channel->lock);
	break_off(channel);
	left = steal(&channel->first);
	channel->end = &channel->first;
	channel->under_way = 0;
	printbuf_reset(channel->out);
	channel->ended = true;
	close_ended(channel);
	pthread_mutex_unlock(&channel->lock);
	while (left) {
		struct relayed *next = left->next;

		connection_again(server, left->connection);
		free(left->context);
		free(left);
		left = next;
	}
}

bool http_relay_is_open(const struct http_request *request, const char *server)
{
	struct channel *channel = NULL;

	if (request->exchange)
		channel = find(request->exchange->worker->server, server);
	if (channel)
		pthread_mutex_unlock(&channel->lock);
	return channel;
}

void http_relay_lend(const struct http_request *request, const char *name, int fd)
{
	struct http_server *server = request->exchange->worker->server;
	struct channel *channel = take_closed(server, name);
	struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = channel};

	if (!channel) {
		close(fd);
		return;
	}
	channel->waiting = epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
	if (channel->waiting)
		channel->source.fd = fd;
	else
		close(fd);
	pthread_mutex_unlock(&channel->lock);
}

/* ---- requests ---- */

/* The caller holds the lock, which is let go of while bytes leave. */
static void send_out(struct channel *channel)
{
	if (channel->sending)
		return;
	channel->sending = true;
	while (channel->out->bpos && !channel->broken) {
		struct printbuf *out = channel->out;
		int fd = channel->source.fd;

		channel->out = channel->spare;
		pthread_mutex_unlock(&channel->lock);
		ssize_t sent = send(fd, out->buf, (size_t)out->bpos, MSG_NOSIGNAL | MSG_DONTWAIT);
		bool complete = sent == out->bpos;
		printbuf_reset(out);
		pthread_mutex_lock(&channel->lock);
		channel->spare = out;
		if (!complete)
			break_off(channel);
	}
	channel->sending = false;
	close_ended(channel);
}

void relay_flush(struct worker *worker)
{
	struct channel *channel;

	while ((channel = worker->unsent)) {
		worker->unsent = channel->next_unsent;
		pthread_mutex_lock(&channel->lock);
		channel->listed = false;
		send_out(channel);
		pthread_mutex_unlock(&channel->lock);
	}
}

bool http_relay_send(const struct http_request *request, const struct http_relay_call *call,
	struct http_response *response)
{
	struct exchange *exchange = request->exchange;
	struct worker *worker = exchange->worker;
	cleanup_buf struct printbuf *head = buf_new();
	struct error ignored = {0};
	struct channel *channel;

	if (client_head_write(head, call->exchange, call->server, &ignored) < 0)
		return false;
	channel = find(worker->server, call->server);
	if (!channel)
		return false;
	if (channel->broken || channel->under_way + (size_t)head->bpos > MAX_UNDER_WAY) {
		pthread_mutex_unlock(&channel->lock);
		return false;
	}
	struct relayed *relayed = xmalloc(sizeof(*relayed));
	*relayed = (struct relayed){.connection = exchange->connection,
		.since = clock_ms(),
		.size = (size_t)head->bpos,
		.take = call->take,
		.context = call->context};
	connection_lend(exchange->connection);
	response->fate = HTTP_LATER;
	*channel->end = relayed;
	channel->end = &relayed->next;
	channel->under_way += relayed->size;
	buf_append(channel->out, head->buf, (size_t)head->bpos);
	if (!channel->listed) {
		channel->listed = true;
		channel->next_unsent = worker->unsent;
		worker->unsent = channel;
	}
	pthread_mutex_unlock(&channel->lock);
	return true;
}

/* ---- replies ---- */

static bool receive(struct channel *channel)
{
	ssize_t got;

	if (channel->input_capacity - channel->input_len < FIRST_ROOM / 2) {
		channel->input_capacity =
			channel->input_capacity ? channel->input_capacity * 2 : FIRST_ROOM;
		channel->input = xrealloc(channel->input, channel->input_capacity);
	}
	got = recv(channel->source.fd, channel->input + channel->input_len,
		channel->input_capacity - channel->input_len, MSG_DONTWAIT);
	if (got > 0)
		channel->input_len += (size_t)got;
	return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

static bool has_body(const struct http_reply *reply)
{
	return reply->status != 204 && reply->status != 304;
}

/* Reads a head at *at, if a whole one is there; false when it is none that can be here. */
static bool take_head(struct channel *channel, size_t *at)
{
	const char *text = channel->input + *at;
	size_t left = channel->input_len - *at;
	size_t len = left ? http_head_length(text, left, &channel->scanned) : 0;
	struct http_reply *reply = &channel->reply;
	struct error ignored = {0};

	if (len == 0)
		return left < HTTP_MAX_HEADER_BYTES;
	channel->scanned = 0;
	*at += len;
	channel->exchange.header_buffer = xmemdup(text, len);
	if (http_reply_parse(channel->exchange.header_buffer, len, reply, &ignored) < 0 ||
		reply->status < 200 || reply->chunked)
		return false;
	return !has_body(reply) ||
	       (reply->content_length >= 0 && reply->content_length <= RELAY_MAX_ANSWER);
}

/* The request whose reply comes next; NULL when there is none. */
static struct relayed *pop(struct channel *channel)
{
	pthread_mutex_lock(&channel->lock);
	struct relayed *relayed = channel->first;
	if (relayed) {
		channel->first = relayed->next;
		if (!channel->first)
			channel->end = &channel->first;
		channel->under_way -= relayed->size;
	}
	pthread_mutex_unlock(&channel->lock);
	return relayed;
}

/* Answers the client whose reply is complete; false when that is no good one. */
static bool pass_on(struct worker *worker, struct channel *channel)
{
	struct http_exchange *exchange = &channel->exchange;
	const struct http_reply *reply = &channel->reply;
	struct relayed *relayed = pop(channel);
	struct http_response response = {0};

	if (!relayed)
		return false;
	exchange->status = reply->status;
	exchange->n_response_headers = reply->n_headers;
	memcpy(exchange->response_headers, reply->headers,
		reply->n_headers * sizeof(reply->headers[0]));
	bool good = relayed->take(relayed->context, exchange, &response);
	if (good)
		connection_answer(worker, relayed->connection, &response);
	else
		connection_again(worker->server, relayed->connection);
	http_exchange_clear(exchange);
	free(relayed->context);
	free(relayed);
	return good && reply->keep_alive;
}

/* Takes the complete replies out of the input; false when the channel is of no more use. */
static bool take_replies(struct worker *worker, struct channel *channel)
{
	struct http_exchange *exchange = &channel->exchange;
	bool good = true;
	size_t at = 0;

	while (good) {
		if (!exchange->header_buffer && !(good = take_head(channel, &at)))
			break;
		if (!exchange->header_buffer)
			break;
		size_t len = has_body(&channel->reply) ? (size_t)channel->reply.content_length : 0;
		if (channel->input_len - at < len)
			break;
		exchange->response = xmalloc(len + 1);
		memcpy(exchange->response, channel->input + at, len);
		exchange->response[len] = '\0';
		exchange->response_len = len;
		at += len;
		good = pass_on(worker, channel);
	}
	if (at)
		memmove(channel->input, channel->input + at, channel->input_len - at);
	channel->input_len -= at;
	if (!channel->input_len) { /* there may be a hundred channels, mostly idle */
		free(steal(&channel->input));
		channel->input_capacity = 0;
	}
	return good;
}

void relay_work(struct worker *worker, struct source *source)
{
	struct channel *channel = (struct channel *)source;

	pthread_mutex_lock(&channel->lock);
	bool mine = channel->waiting;
	channel->waiting = false;
	pthread_mutex_unlock(&channel->lock);
	if (!mine)
		return;
	if (!receive(channel) || !take_replies(worker, channel)) {
		end(worker->server, channel);
		return;
	}
	pthread_mutex_lock(&channel->lock);
	channel->waiting = true;
	reception_arm(worker->server, &channel->source, EPOLLIN);
	pthread_mutex_unlock(&channel->lock);
}

void relay_give_back(const struct http_server *server, struct source *source)
{
	struct channel *channel = (struct channel *)source;

	pthread_mutex_lock(&channel->lock);
	if (channel->waiting)
		reception_arm(server, source, EPOLLIN);
	pthread_mutex_unlock(&channel->lock);
}

/* ---- housekeeping ---- */

void relay_expire(struct http_server *server)
{
	int64_t oldest = clock_ms() - RELAY_PATIENCE_MS;

	pthread_mutex_lock(&server->channels_lock);
	for (struct channel *channel = server->channels; channel; channel = channel->next) {
		pthread_mutex_lock(&channel->lock);
		if (channel->first && channel->first->since <= oldest && !channel->broken)
			break_off(channel);
		pthread_mutex_unlock(&channel->lock);
	}
	pthread_mutex_unlock(&server->channels_lock);
}

static void channel_free(struct channel *channel)
{
	while (channel->first) {
		struct relayed *next = channel->first->next;

		free(channel->first->context);
		free(channel->first);
		channel->first = next;
	}
	if (channel->source.fd >= 0)
		close(channel->source.fd);
	buf_free(channel->out);
	buf_free(channel->spare);
	free(channel->input);
	http_exchange_clear(&channel->exchange);
	pthread_mutex_destroy(&channel->lock);
	free(channel);
}

void relay_free(struct http_server *server)
{
	while (server->channels) {
		struct channel *next = server->channels->next;

		channel_free(server->channels);
		server->channels = next;
	}
}
