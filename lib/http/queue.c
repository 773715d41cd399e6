/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Places for slow requests: at most slow_threads run, half of them long ones, a quarter for other
 * hosts; the rest waits in order, peers first, and one whose kind has no place holds no other up.
 */
#include "http/server_private.h"

/* Behind the last one of its kind; the caller holds server->lock. */
static void enqueue(struct http_server *server, struct connection *connection)
{
	struct connection **at = &server->queue;

	while (*at && ((*at)->is_peer || !connection->is_peer))
		at = &(*at)->queue_next;
	connection->queue_next = *at;
	*at = connection;
	connection->queued = true;
	server->n_queued++;
}

void slow_forget(struct http_server *server, struct connection *connection)
{
	struct connection **at = &server->queue;

	while (*at != connection)
		at = &(*at)->queue_next;
	*at = connection->queue_next;
	connection->queued = false;
	server->n_queued--;
}

static bool has_room(const struct http_server *server, enum http_class class)
{
	const unsigned *running = server->running;
	unsigned places = server->config.slow_threads;

	if (running[HTTP_SLOW] + running[HTTP_LONG] + running[HTTP_REMOTE] >= places)
		return false;
	if (class == HTTP_LONG)
		return running[HTTP_LONG] < (places + 1) / 2;
	return class != HTTP_REMOTE || running[HTTP_REMOTE] < (places + 3) / 4;
}

bool slow_enter(struct worker *worker, struct connection *connection, enum http_class class)
{
	struct http_server *server = worker->server;
	bool enter;

	pthread_mutex_lock(&server->lock);
	connection->class = class;
	/* A worker that has a place already comes from a pipelined request: others go first. */
	if (worker->holds != HTTP_FAST)
		enter = worker->holds == class && !server->queue;
	else
		enter = has_room(server, class);
	if (!enter) {
		connection->phase = PHASE_QUEUED;
		enqueue(server, connection);
	} else if (worker->holds == HTTP_FAST) {
		worker->holds = class;
		server->running[class]++;
	}
	pthread_mutex_unlock(&server->lock);
	return enter;
}

struct connection *slow_leave(struct worker *worker)
{
	struct http_server *server = worker->server;
	struct connection *next;

	pthread_mutex_lock(&server->lock);
	server->running[worker->holds]--;
	worker->holds = HTTP_FAST;
	next = server->queue;
	while (next && !has_room(server, next->class))
		next = next->queue_next;
	if (next) {
		slow_forget(server, next);
		worker->holds = next->class;
		server->running[next->class]++;
	}
	pthread_mutex_unlock(&server->lock);
	return next;
}
