/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Places for slow requests: at most slow_threads run, the others wait in order, peers first. */
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

bool slow_enter(struct worker *worker, struct connection *connection)
{
	struct http_server *server = worker->server;
	bool enter;

	pthread_mutex_lock(&server->lock);
	/* A worker that has a place already comes from a pipelined request: others go first. */
	enter = worker->holds_slow ? !server->queue
				   : server->slow_running < server->config.slow_threads;
	if (!enter) {
		connection->phase = PHASE_QUEUED;
		enqueue(server, connection);
	} else if (!worker->holds_slow) {
		server->slow_running++;
	}
	pthread_mutex_unlock(&server->lock);
	worker->holds_slow |= enter;
	return enter;
}

struct connection *slow_leave(struct worker *worker)
{
	struct http_server *server = worker->server;
	struct connection *next;

	pthread_mutex_lock(&server->lock);
	next = server->queue;
	if (next)
		slow_forget(server, next);
	else
		server->slow_running--;
	pthread_mutex_unlock(&server->lock);
	worker->holds_slow = next != NULL;
	return next;
}
