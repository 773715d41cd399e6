/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who has to go: past a deadline, when all places are taken, when memory runs
 * out, and at the end. Times are absolute, so sending a byte now and then gains nothing.
 */
#include "http/server_private.h"

#include "base/clock.h"
#include <malloc.h>
#include <time.h>

#define TURN_MS 250
#define FLOOD   64 /* connections from which on their memory is worth returning */

/* How badly a connection is placed: tier first, then the score. Larger goes first. */
struct rank {
	int tier;
	int64_t score;
};

/* The caller holds the server's lock and the connection's, which is waiting or queued. */
static struct rank rank_of(const struct connection *connection, int64_t now)
{
	struct rank rank = {.tier = (connection->is_peer ? 0 : 2) + (connection->queued ? 0 : 1)};

	rank.score = (now - connection->since + 1) * (1 + *connection->address_count);
	/* Who was served before and keeps the line open does no harm yet. */
	if (connection->phase == PHASE_IDLE && connection->has_served)
		rank.score /= 4;
	return rank;
}

static bool is_worse(struct rank a, struct rank b)
{
	return a.tier != b.tier ? a.tier > b.tier : a.score > b.score;
}

/* Makes the caller, who holds server->lock, its owner; false when somebody works on it. */
static bool take(struct http_server *server, struct connection *connection)
{
	bool mine;

	if (connection->queued) {
		slow_forget(server, connection);
		return true;
	}
	if (pthread_mutex_trylock(&connection->lock))
		return false;
	mine = connection->waiting;
	connection->waiting = false;
	pthread_mutex_unlock(&connection->lock);
	return mine;
}

/* The caller holds server->lock. */
static bool rank_if_idle(struct connection *connection, int64_t now, struct rank *rank)
{
	bool idle;

	if (pthread_mutex_trylock(&connection->lock))
		return false;
	idle = connection->waiting || connection->queued;
	if (idle)
		*rank = rank_of(connection, now);
	pthread_mutex_unlock(&connection->lock);
	return idle;
}

bool evict_worst(struct http_server *server)
{
	struct connection *worst = NULL;
	struct rank worst_rank = {.tier = -1};
	int64_t now = clock_ms();
	bool mine;

	pthread_mutex_lock(&server->lock);
	for (struct connection *c = server->connections; c; c = c->next) {
		struct rank rank;

		if (rank_if_idle(c, now, &rank) && is_worse(rank, worst_rank)) {
			worst = c;
			worst_rank = rank;
		}
	}
	mine = worst && take(server, worst);
	pthread_mutex_unlock(&server->lock);
	if (!mine)
		return false;
	if (worst->phase == PHASE_QUEUED)
		send_farewell(worst, 503, ERR_UNAVAILABLE, "the server is overloaded; try again");
	atomic_fetch_add(&server->evicted, 1);
	connection_close(server, worst);
	return true;
}

/* Closes the connection with the most buffered bytes if that is more than least. */
static bool evict_largest(struct http_server *server, size_t least)
{
	struct connection *largest = NULL;

	pthread_mutex_lock(&server->lock);
	for (struct connection *c = server->connections; c; c = c->next) {
		if (pthread_mutex_trylock(&c->lock))
			continue;
		if (c->waiting && c->buffered > least) {
			largest = c;
			least = c->buffered;
		}
		pthread_mutex_unlock(&c->lock);
	}
	if (largest && !take(server, largest))
		largest = NULL;
	pthread_mutex_unlock(&server->lock);
	if (!largest)
		return false;
	if (largest->phase == PHASE_BODY)
		send_farewell(largest, 503, ERR_UNAVAILABLE,
			"too many requests are being received; try again");
	atomic_fetch_add(&server->evicted, 1);
	connection_close(server, largest);
	return true;
}

bool budget_take(struct http_server *server, struct connection *connection, size_t bytes)
{
	connection->buffered += bytes;
	atomic_fetch_add(&server->buffered, bytes);
	while (atomic_load(&server->buffered) > server->config.max_buffered) {
		if (evict_largest(server, connection->buffered))
			continue;
		connection->buffered -= bytes;
		atomic_fetch_sub(&server->buffered, bytes);
		return false;
	}
	return true;
}

void budget_return(struct http_server *server, struct connection *connection)
{
	if (connection->buffered)
		atomic_fetch_sub(&server->buffered, connection->buffered);
	connection->buffered = 0;
}

/* Takes those for which the test holds, chained by queue_next; the caller holds no lock. */
static struct connection *take_all(struct http_server *server,
	bool (*test)(const struct connection *connection, int64_t now), unsigned *others)
{
	struct connection *taken = NULL;
	int64_t now = clock_ms();

	*others = 0;
	pthread_mutex_lock(&server->lock);
	for (struct connection *c = server->connections; c; c = c->next) {
		bool mine = false;

		pthread_mutex_lock(&c->lock);
		if ((c->waiting || c->queued) && test(c, now)) {
			mine = true;
			c->waiting = false;
		}
		pthread_mutex_unlock(&c->lock);
		if (!mine) {
			(*others)++;
			continue;
		}
		if (c->queued)
			slow_forget(server, c);
		c->queue_next = taken;
		taken = c;
	}
	pthread_mutex_unlock(&server->lock);
	return taken;
}

static bool is_late(const struct connection *connection, int64_t now)
{
	return !connection->queued && now >= connection->deadline;
}

static void expire(struct http_server *server)
{
	unsigned others;
	struct connection *late = take_all(server, is_late, &others);

	while (late) {
		struct connection *next = late->queue_next;

		if (late->phase == PHASE_HEAD || late->phase == PHASE_BODY)
			send_farewell(late, 408, ERR_TIMEOUT, "the request did not come in time");
		atomic_fetch_add(&server->timed_out, 1);
		connection_close(server, late);
		late = next;
	}
}

static bool waits_for_client(const struct connection *connection, int64_t now)
{
	(void)now;
	return connection->phase != PHASE_WRITE;
}

unsigned evict_waiting(struct http_server *server)
{
	unsigned others;
	struct connection *waiting = take_all(server, waits_for_client, &others);

	while (waiting) {
		struct connection *next = waiting->queue_next;

		if (waiting->phase != PHASE_IDLE && waiting->phase != PHASE_DRAIN)
			send_farewell(waiting, 503, ERR_UNAVAILABLE, "the server is stopping");
		connection_close(server, waiting);
		waiting = next;
	}
	return others;
}

/* A worker that has been at it for a whole turn must not keep the others from polling. */
static void relieve_pollers(struct http_server *server)
{
	int64_t now = clock_ms();

	for (unsigned i = 0; i < server->config.threads; i++) {
		struct worker *worker = &server->workers[i];
		int64_t since = atomic_load(&worker->busy_since);

		if (since && now - since >= TURN_MS)
			reception_cede(worker);
	}
}

/* After a flood the allocator keeps what it had at the top; the rest of the program shall not pay
 * for it. */
static void return_memory(struct http_server *server, unsigned *peak)
{
	unsigned now;

	pthread_mutex_lock(&server->lock);
	now = server->n_connections;
	pthread_mutex_unlock(&server->lock);
	if (now > *peak) {
		*peak = now;
	} else if (*peak >= FLOOD && now < *peak / 2) {
		malloc_trim(0);
		*peak = now;
	}
}

/* Listeners that had no descriptor left may try again. */
static void wake_listeners(struct http_server *server)
{
	for (size_t i = 0; i < server->n_listeners; i++)
		if (atomic_exchange(&server->listeners[i].paused, false))
			reception_arm(server, &server->listeners[i].source, EPOLLIN);
}

void *housekeeping_run(void *argument)
{
	struct http_server *server = argument;
	unsigned peak = 0;

	pthread_mutex_lock(&server->lock);
	while (!atomic_load(&server->ended)) {
		int64_t turn_ends = clock_ms() + TURN_MS;

		pthread_mutex_unlock(&server->lock);
		expire(server);
		relay_expire(server);
		relieve_pollers(server);
		return_memory(server, &peak);
		if (!atomic_load(&server->stopping))
			wake_listeners(server);
		atomic_store(&server->heartbeat, clock_ms());
		pthread_mutex_lock(&server->lock);
		if (!atomic_load(&server->ended))
			clock_wait(&server->changed, &server->lock, turn_ends);
	}
	pthread_mutex_unlock(&server->lock);
	return NULL;
}
