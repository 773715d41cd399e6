/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A list of idle clients, the last used first; sockets are opened and closed outside the lock. */
#include "http/pool.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <pthread.h>

struct idle {
	struct idle *next;
	struct http_client *client;
	char *server;
	int64_t since_ms;
};

struct http_pool {
	unsigned idle_ms;
	pthread_mutex_t lock; /* of everything below */
	struct idle *idle;    /* youngest first */
};

struct http_pool *http_pool_new(unsigned idle_ms)
{
	struct http_pool *pool = xcalloc(1, sizeof(*pool));

	pool->idle_ms = idle_ms;
	pthread_mutex_init(&pool->lock, NULL);
	return pool;
}

static void idle_free(struct idle *idle)
{
	while (idle) {
		struct idle *next = idle->next;

		http_client_free(idle->client);
		free(idle->server);
		free(idle);
		idle = next;
	}
}

void http_pool_free(struct http_pool *pool)
{
	if (!pool)
		return;
	idle_free(pool->idle);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

/* Takes out what is too old or too much, for the caller to free. Called with the lock held. */
static struct idle *take_surplus(struct http_pool *pool, const char *server)
{
	int64_t oldest = clock_ms() - pool->idle_ms;
	size_t all = 0, same = 0;
	struct idle *surplus = NULL;
	struct idle **at = &pool->idle;

	while (*at) {
		struct idle *idle = *at;

		all++;
		same += server && str_equal(idle->server, server);
		if (idle->since_ms > oldest && all <= HTTP_POOL_IDLE &&
			(same <= HTTP_POOL_PER_SERVER || !str_equal(idle->server, server))) {
			at = &idle->next;
			continue;
		}
		*at = idle->next;
		idle->next = surplus;
		surplus = idle;
	}
	return surplus;
}

void http_pool_trim(struct http_pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	struct idle *surplus = take_surplus(pool, NULL);
	pthread_mutex_unlock(&pool->lock);
	idle_free(surplus);
}

/* The youngest to that server; NULL when there is none. */
static struct idle *take(struct http_pool *pool, const char *server)
{
	pthread_mutex_lock(&pool->lock);
	struct idle **at = &pool->idle;
	while (*at && !str_equal((*at)->server, server))
		at = &(*at)->next;
	struct idle *found = *at;
	if (found)
		*at = found->next;
	pthread_mutex_unlock(&pool->lock);
	if (found)
		found->next = NULL;
	return found;
}

static void give_back(struct http_pool *pool, struct idle *used)
{
	used->since_ms = clock_ms();
	pthread_mutex_lock(&pool->lock);
	used->next = pool->idle;
	pool->idle = used;
	struct idle *surplus = take_surplus(pool, used->server);
	pthread_mutex_unlock(&pool->lock);
	idle_free(surplus);
}

int http_pool_exchange(struct http_pool *pool, const char *server, struct http_exchange *exchange,
	struct error *err)
{
	http_pool_trim(pool);
	struct idle *used = take(pool, server);
	if (!used) {
		struct http_client *client = http_client_new(server, err);

		if (!client)
			return -1;
		used = xcalloc(1, sizeof(*used));
		used->client = client;
		used->server = xstrdup(server);
	}
	int result = http_client_exchange(used->client, exchange, err);
	if (http_client_is_connected(used->client))
		give_back(pool, used);
	else
		idle_free(used);
	return result;
}

int http_pool_take(struct http_pool *pool, const char *server)
{
	struct idle *used = take(pool, server);
	int fd = used ? http_client_detach(used->client) : -1;

	idle_free(used);
	return fd;
}

size_t http_pool_count(struct http_pool *pool)
{
	size_t count = 0;

	pthread_mutex_lock(&pool->lock);
	for (const struct idle *idle = pool->idle; idle; idle = idle->next)
		count++;
	pthread_mutex_unlock(&pool->lock);
	return count;
}
