/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The workers' loop. Who gets an event works on it to the end, so a fast request is never handed
 * from thread to thread.
 *
 * Only a few workers at a time hold a poller's place and wait for events; more of them would only
 * wake each other (a third of the processor time of a request). Before a handler that may block the
 * place goes to another worker; housekeeping does that for one that blocks although it should not.
 */
#include "http/server_private.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>

void reception_arm(const struct http_server *server, struct source *source, uint32_t events)
{
	struct epoll_event event = {.events = events | EPOLLONESHOT, .data.ptr = source};

	epoll_ctl(server->epoll, EPOLL_CTL_MOD, source->fd, &event);
}

static bool claim(struct connection *connection)
{
	bool mine;

	pthread_mutex_lock(&connection->lock);
	mine = connection->waiting;
	connection->waiting = false;
	pthread_mutex_unlock(&connection->lock);
	return mine;
}

void reception_cede(struct worker *worker)
{
	if (atomic_exchange(&worker->polls, false))
		sem_post(&worker->server->pollers);
}

void reception_give_back(struct worker *worker)
{
	relay_flush(worker);
	reception_cede(worker);
	while (worker->event + 1 < worker->n_events) {
		struct source *source = worker->events[++worker->event].data.ptr;
		struct connection *connection = (struct connection *)source;

		if (source->kind == SOURCE_LISTENER)
			reception_arm(worker->server, source, EPOLLIN);
		if (source->kind == SOURCE_CHANNEL)
			relay_give_back(worker->server, source);
		if (source->kind != SOURCE_CONNECTION)
			continue;
		pthread_mutex_lock(&connection->lock);
		if (connection->waiting)
			reception_arm(worker->server, source, connection->events);
		pthread_mutex_unlock(&connection->lock);
	}
}

static void handle_event(struct worker *worker, struct source *source)
{
	struct http_server *server = worker->server;
	struct connection *connection;

	if (source->kind == SOURCE_LISTENER) {
		listener_accept(server, (struct listener *)source);
		return;
	}
	if (source->kind == SOURCE_CHANNEL) {
		relay_work(worker, source);
		return;
	}
	connection = (struct connection *)source;
	if (source->kind == SOURCE_WAKE || !claim(connection))
		return;
	while (connection) {
		connection_work(worker, connection);
		connection = worker->holds != HTTP_FAST ? slow_leave(worker) : NULL;
	}
}

void *reception_run(void *argument)
{
	struct worker *worker = argument;
	struct http_server *server = worker->server;
	bool detached;

	while (!atomic_load(&server->ended)) {
		atomic_store(&worker->busy_since, 0);
		if (!atomic_load(&worker->polls)) {
			if (sem_wait(&server->pollers))
				continue;
			atomic_store(&worker->polls, true);
		}
		worker->n_events = epoll_wait(server->epoll, worker->events, EVENT_BATCH, -1);
		atomic_store(&worker->busy_since, clock_ms());
		for (worker->event = 0; worker->event < worker->n_events; worker->event++)
			handle_event(worker, worker->events[worker->event].data.ptr);
		relay_flush(worker);
	}
	free(worker->spare);
	pthread_mutex_lock(&server->lock);
	worker->done = true;
	detached = worker->detached;
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->lock);
	if (detached)
		server_release(server);
	return NULL;
}
