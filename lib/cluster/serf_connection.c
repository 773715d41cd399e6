/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The serf client's thread: one connection after the other, what comes and what goes on it. */
#include "cluster/serf_private.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

static bool is_stopping(struct serf *serf)
{
	pthread_mutex_lock(&serf->lock);
	bool stopping = serf->stopping;
	pthread_mutex_unlock(&serf->lock);
	return stopping;
}

/* ---- connecting ---- */

/* Waits until fd (-1: none) is ready for events or the deadline passes; false when we stop. */
static bool wait_until(struct serf *serf, int fd, short events, int64_t deadline)
{
	for (;;) {
		struct pollfd fds[] = {
			{.fd = serf->wake, .events = POLLIN}, {.fd = fd, .events = events}};
		int64_t left = deadline - clock_ms();
		eventfd_t ignored;

		if (is_stopping(serf))
			return false;
		if (left <= 0)
			return true;
		poll(fds, 2, (int)left);
		if (fds[1].revents)
			return true;
		if (fds[0].revents)
			eventfd_read(serf->wake, &ignored);
	}
}

/* 0 when the connection stands, or the reason as errno. */
static int finish_connect(struct serf *serf, int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);
	struct pollfd ready = {.fd = fd, .events = POLLOUT};

	if (!wait_until(serf, fd, POLLOUT, clock_ms() + serf->config.answer_ms))
		return ECANCELED;
	if (poll(&ready, 1, 0) == 0)
		return ETIMEDOUT;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? errno : error;
}

/* Tries one address; 0 and serf->fd, or the reason as errno. */
static int try_address(struct serf *serf, const struct addrinfo *address)
{
	cleanup_close int fd =
		socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error = 0;

	if (fd < 0)
		return errno;
	if (connect(fd, address->ai_addr, address->ai_addrlen) < 0)
		error = errno == EINPROGRESS ? finish_connect(serf, fd) : errno;
	if (error == 0)
		serf->fd = steal_fd(&fd);
	return error;
}

static int connect_agent(struct serf *serf, struct error *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *list;
	int error = getaddrinfo(serf->host, serf->port, &hints, &list);

	if (error)
		return error_set(err, ERR_UNAVAILABLE, "%s", gai_strerror(error));
	error = EADDRNOTAVAIL;
	for (struct addrinfo *at = list; at && error != 0; at = at->ai_next)
		error = try_address(serf, at);
	freeaddrinfo(list);
	return error ? error_set_errno(err, ERR_UNAVAILABLE, error, "cannot connect") : 0;
}

/* ---- the thread's own requests ---- */

/* Called with the lock held. */
static uint64_t add_own(struct serf *serf, enum serf_request_kind kind, const char *what)
{
	struct serf_request *request = &serf->own[serf->n_own++];

	*request = (struct serf_request){.kind = kind,
		.what = what,
		.body = kind == SERF_REQUEST_MEMBERS ? SERF_MESSAGE_MEMBERS : SERF_MESSAGE_HEADER};
	serf_request_add(serf, request);
	return request->seq;
}

/* All members are asked for now. */
static void expect_answers(struct serf *serf)
{
	int64_t now = clock_ms();

	if (serf->config.on_asking)
		serf->config.on_asking(serf->config.context);

	serf->answer_by = now + serf->config.answer_ms;
	serf->refresh_at = now + serf->config.refresh_ms;
}

/* All that a new connection begins with, in one go: the agent answers in this order. */
static void queue_setup(struct serf *serf)
{
	/* More than any agent takes, so nobody ever gets it. */
	static const char too_large[9300];

	pthread_mutex_lock(&serf->lock);
	serf_rpc_put_handshake(serf->queue, add_own(serf, SERF_REQUEST_SETUP, "handshake"));
	if (*serf->config.key)
		serf_rpc_put_auth(
			serf->queue, add_own(serf, SERF_REQUEST_SETUP, "auth"), serf->config.key);
	serf_rpc_put_stream(serf->queue, add_own(serf, SERF_REQUEST_STREAM, "stream"));
	serf_rpc_put_event(serf->queue, add_own(serf, SERF_REQUEST_LIMIT, "event"), "limit",
		too_large, sizeof(too_large));
	serf_rpc_put_members(serf->queue, add_own(serf, SERF_REQUEST_MEMBERS, "members"));
	/* Last, as the agent answers it only when gossip has spread them, or after 5 s. */
	if (serf->n_tags > 0)
		serf_rpc_put_tags(serf->queue, add_own(serf, SERF_REQUEST_TAGS, "tags"), serf->tags,
			serf->n_tags);
	serf->accepting = true;
	pthread_mutex_unlock(&serf->lock);
	expect_answers(serf);
}

/* Asks for all members again, which also tells whether the agent still answers. */
static void queue_refresh(struct serf *serf)
{
	pthread_mutex_lock(&serf->lock);
	serf_rpc_put_members(serf->queue, add_own(serf, SERF_REQUEST_MEMBERS, "members"));
	pthread_mutex_unlock(&serf->lock);
	expect_answers(serf);
}

/* One of them was answered; the last answer ends the waiting. */
static void own_answered(struct serf *serf, bool last)
{
	if (!last)
		return;
	serf->n_own = 0;
	serf->answer_by = 0;
}

static void tell_connected(struct serf *serf)
{
	pthread_mutex_lock(&serf->lock);
	serf->connected = true;
	pthread_mutex_unlock(&serf->lock);
	if (serf->config.on_connected)
		serf->config.on_connected(serf->config.context);
}

/* ---- what comes ---- */

/* An answer to a request of the thread's own, which was taken out. */
static int handle_own_answer(
	struct serf *serf, const struct serf_request *request, const char *error, struct error *err)
{
	own_answered(serf, request->kind == SERF_REQUEST_MEMBERS);
	if (*error && request->kind == SERF_REQUEST_TAGS) {
		/* It has them all the same when gossip was slow. */
		if (!strstr(error, "timeout"))
			log_warning(
				"the serf agent refused the tags of this host", "reason", error);
	} else if (*error && request->kind != SERF_REQUEST_LIMIT) {
		error_set(err, ERR_UNAVAILABLE, "%s: %s", request->what, error);
		return strcasestr(error, "authentication")
			       ? error_hint(err, "serf_key must be the agent's rpc_auth")
			       : -1;
	}
	if (request->kind == SERF_REQUEST_STREAM)
		tell_connected(serf);
	return 0;
}

static bool is_own(const struct serf_request *request)
{
	return request->kind != SERF_REQUEST_CALL && request->kind != SERF_REQUEST_POST;
}

/* A header: the answer to a request, or of the stream, which nobody waits for. */
static int handle_header(struct serf *serf, const struct serf_message *message, struct error *err)
{
	bool own = false, posted = false;

	pthread_mutex_lock(&serf->lock);
	struct serf_request *request = serf_request_find(serf, message->seq);
	if (request && request->body != SERF_MESSAGE_HEADER && !*message->error) {
		serf->body_for = message->seq;
	} else if (request) {
		own = is_own(request);
		posted = request->kind == SERF_REQUEST_POST;
		serf_request_finish(serf, request, message->error);
	}
	pthread_mutex_unlock(&serf->lock);
	if (posted && *message->error)
		log_warning("the serf agent refused an event", "reason", message->error);
	return own ? handle_own_answer(serf, request, message->error, err) : 0;
}

static void tell_members(struct serf *serf, const struct serf_message *message)
{
	if (serf->config.on_members)
		serf->config.on_members(serf->config.context, message->change, message->members,
			message->n_members);
}

static const char *no_body(enum serf_message_kind kind)
{
	return kind == SERF_MESSAGE_STATS ? "it sent no stats" : "it sent no list of members";
}

/* What follows the header of an answer with a body: what was asked for, or the agent is none. */
static int handle_body(struct serf *serf, struct serf_message *message, struct error *err)
{
	bool own = false, fits = true; /* what nobody waits for any more */
	enum serf_message_kind body = SERF_MESSAGE_MEMBERS;

	pthread_mutex_lock(&serf->lock);
	struct serf_request *request = serf_request_find(serf, serf->body_for);
	serf->body_for = 0;
	if (request) {
		own = is_own(request);
		body = request->body;
		fits = message->kind == body && message->change == SERF_MEMBERS_ALL;
		if (!own && fits) {
			request->members = steal(&message->members);
			request->n_members = message->n_members;
			message->n_members = 0;
			memcpy(request->encrypted, message->encrypted, sizeof(request->encrypted));
		}
		serf_request_finish(serf, request, fits ? "" : no_body(body));
	}
	pthread_mutex_unlock(&serf->lock);
	if (!fits)
		return error_set(err, ERR_UNAVAILABLE, "%s", no_body(body));
	if (own) {
		own_answered(serf, true);
		tell_members(serf, message);
	}
	return 0;
}

static int handle_message(struct serf *serf, struct serf_message *message, struct error *err)
{
	if (serf->body_for)
		return handle_body(serf, message, err);
	switch (message->kind) {
	case SERF_MESSAGE_HEADER:
		return handle_header(serf, message, err);
	case SERF_MESSAGE_MEMBERS:
		if (message->change != SERF_MEMBERS_ALL)
			tell_members(serf, message);
		return 0;
	case SERF_MESSAGE_EVENT:
		if (serf->config.on_event)
			serf->config.on_event(serf->config.context, message->name, message->payload,
				message->payload_len);
		return 0;
	case SERF_MESSAGE_STATS:
	case SERF_MESSAGE_OTHER:
		return 0;
	}
	return 0;
}

/* Reads once, and handles all that is whole then. */
static int receive(struct serf *serf, struct error *err)
{
	size_t room;
	void *at = serf_input_room(serf->input, &room);
	ssize_t len = recv(serf->fd, at, room, 0);
	int found = 1;

	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (len < 0)
		return error_set_errno(err, ERR_UNAVAILABLE, errno, "receiving");
	if (len == 0)
		return error_set(err, ERR_UNAVAILABLE, "it closed the connection");
	serf_input_filled(serf->input, (size_t)len);
	while (found == 1) {
		cleanup_serf_message struct serf_message message;

		found = serf_input_next(serf->input, &message, err);
		if (found == 1 && handle_message(serf, &message, err) < 0)
			return -1;
	}
	return found;
}

/* ---- what goes ---- */

/* Takes what was queued when everything before it is sent; true when there is something to send. */
static bool has_output(struct serf *serf)
{
	if (serf->sent < serf->sending->bpos)
		return true;
	printbuf_reset(serf->sending);
	serf->sent = 0;
	pthread_mutex_lock(&serf->lock);
	struct printbuf *queue = serf->queue;
	serf->queue = serf->sending;
	serf->sending = queue;
	pthread_mutex_unlock(&serf->lock);
	return serf->sending->bpos > 0;
}

static int transmit(struct serf *serf, struct error *err)
{
	ssize_t len = send(serf->fd, serf->sending->buf + serf->sent,
		(size_t)(serf->sending->bpos - serf->sent), MSG_NOSIGNAL);

	if (len < 0 && errno != EAGAIN && errno != EINTR)
		return error_set_errno(err, ERR_UNAVAILABLE, errno, "sending");
	serf->sent += len > 0 ? (int)len : 0;
	return 0;
}

/* ---- a connection ---- */

/* When something must be done although nothing comes. */
static int64_t next_deadline(const struct serf *serf)
{
	return serf->answer_by ? serf->answer_by : serf->refresh_at;
}

static int check_deadlines(struct serf *serf, struct error *err)
{
	if (clock_ms() < next_deadline(serf))
		return 0;
	if (serf->answer_by)
		return error_set(err, ERR_UNAVAILABLE, "it did not answer within %u ms",
			serf->config.answer_ms);
	queue_refresh(serf);
	return 0;
}

static int serve(struct serf *serf, struct error *err)
{
	while (!is_stopping(serf)) {
		short wanted = has_output(serf) ? POLLIN | POLLOUT : POLLIN;
		struct pollfd fds[] = {
			{.fd = serf->wake, .events = POLLIN}, {.fd = serf->fd, .events = wanted}};
		int64_t left = next_deadline(serf) - clock_ms();
		eventfd_t ignored;

		if (poll(fds, 2, left > 0 ? (int)left : 0) < 0 && errno != EINTR)
			return error_set_errno(err, ERR_UNAVAILABLE, errno, "poll");
		if (fds[0].revents)
			eventfd_read(serf->wake, &ignored);
		if ((fds[1].revents & POLLOUT) && transmit(serf, err) < 0)
			return -1;
		if ((fds[1].revents & ~POLLOUT) && receive(serf, err) < 0)
			return -1;
		if (check_deadlines(serf, err) < 0)
			return -1;
	}
	return error_set(err, ERR_UNAVAILABLE, "the client ends");
}

/* Makes everything as before a connection; what waits fails with the cause. */
static void reset(struct serf *serf, const struct error *cause)
{
	pthread_mutex_lock(&serf->lock);
	serf->accepting = serf->connected = false;
	serf->cause = *cause;
	while (serf->requests) {
		struct serf_request *request = serf->requests;

		if (request->kind == SERF_REQUEST_CALL)
			*request->err = *cause;
		serf_request_finish(serf, request, "");
	}
	printbuf_reset(serf->queue);
	pthread_mutex_unlock(&serf->lock);
	printbuf_reset(serf->sending);
	serf->sent = 0;
	serf->n_own = 0;
	serf->body_for = 0;
	serf->answer_by = 0;
	if (serf->fd >= 0)
		close(steal_fd(&serf->fd));
}

void *serf_connection_main(void *data)
{
	struct serf *serf = data;

	while (!is_stopping(serf)) {
		struct error cause = {0};

		serf->input = serf_input_new();
		if (connect_agent(serf, &cause) == 0) {
			queue_setup(serf);
			serve(serf, &cause);
		}
		error_prefix(&cause, "serf agent %s", serf->config.address);
		/* A stream that cannot be read is no fault of the one who asked. */
		cause.code = ERR_UNAVAILABLE;
		reset(serf, &cause);
		serf_input_free(steal(&serf->input));
		if (serf->config.on_disconnected && !is_stopping(serf))
			serf->config.on_disconnected(serf->config.context, &cause);
		wait_until(serf, -1, 0, clock_ms() + serf->config.retry_ms);
	}
	return NULL;
}
