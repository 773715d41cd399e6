/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Start, stop and figures of the server. */
#include "http/server.h"

#include "base/clock.h"
#include "base/mem.h"
#include "http/server_private.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>

#define STACK_SIZE \
	(512 * 1024)       /* address space; handlers call libraries, only touched pages count */
#define RESERVED_FILES  64 /* descriptors left to the rest of the program */
#define MIN_CONNECTIONS 8
#define STOP_POLL_MS    5

static void set_unsigned(unsigned *value, unsigned standard)
{
	if (*value == 0)
		*value = standard;
}

static void set_defaults(struct http_server_config *config)
{
	struct rlimit files;

	set_unsigned(&config->threads, 8);
	if (config->threads < 2)
		config->threads = 2;
	set_unsigned(&config->slow_threads, config->threads > 3 ? config->threads - 2 : 1);
	if (config->slow_threads >= config->threads)
		config->slow_threads = config->threads - 1;
	set_unsigned(&config->max_connections, 1024);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 &&
		files.rlim_cur < config->max_connections + (rlim_t)RESERVED_FILES)
		config->max_connections = files.rlim_cur > RESERVED_FILES + MIN_CONNECTIONS
						  ? (unsigned)files.rlim_cur - RESERVED_FILES
						  : MIN_CONNECTIONS;
	if (config->max_buffered == 0)
		config->max_buffered = (size_t)64 << 20;
	set_unsigned(&config->header_ms, 5000);
	set_unsigned(&config->transfer_ms, 10000);
	set_unsigned(&config->idle_ms, 60000);
	set_unsigned(&config->drain_ms, 2000);
}

/* Clients and handlers need processors too; one thread stays out to take over. */
static unsigned poller_places(unsigned threads)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned places = processors > 3 ? (unsigned)processors / 2 : 1;

	return places < threads ? places : threads - 1;
}

static struct http_server *server_new(const struct http_server_config *config)
{
	struct http_server *server = xcalloc(1, sizeof(*server));
	unsigned random = 0;

	server->config = *config;
	set_defaults(&server->config);
	server->config.listen = NULL; /* the caller's; opened at once */
	pthread_mutex_init(&server->lock, NULL);
	pthread_mutex_init(&server->channels_lock, NULL);
	pthread_cond_init(&server->changed, NULL);
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		random = (unsigned)clock_us();
	snprintf(server->id_prefix, sizeof(server->id_prefix), "%08x", random);
	atomic_store(&server->heartbeat, clock_ms());
	sem_init(&server->pollers, 0, poller_places(server->config.threads));
	server->epoll = -1;
	server->wake = (struct source){SOURCE_WAKE, -1};
	return server;
}

static void close_listeners(struct http_server *server)
{
	for (size_t i = 0; i < server->n_listeners; i++) {
		if (server->listeners[i].source.fd >= 0)
			close(server->listeners[i].source.fd);
		server->listeners[i].source.fd = -1;
	}
}

/* Threads have ended or never ran, connections are closed. */
static void server_free(struct http_server *server)
{
	close_listeners(server);
	relay_free(server);
	while (server->unused) {
		struct connection *next = server->unused->next;

		pthread_mutex_destroy(&server->unused->lock);
		free(server->unused);
		server->unused = next;
	}
	if (server->epoll >= 0)
		close(server->epoll);
	if (server->wake.fd >= 0)
		close(server->wake.fd);
	sem_destroy(&server->pollers);
	pthread_cond_destroy(&server->changed);
	pthread_mutex_destroy(&server->channels_lock);
	pthread_mutex_destroy(&server->lock);
	free(server->listeners);
	free(server->workers);
	free(server);
}

static int open_listeners(struct http_server *server, const char *const *listen, struct error *err)
{
	size_t count = 0;

	while (listen[count])
		count++;
	server->listeners = xcalloc(count + 1, sizeof(*server->listeners));
	for (; server->n_listeners < count; server->n_listeners++)
		if (listener_open(&server->listeners[server->n_listeners],
			    listen[server->n_listeners], err))
			return -1;
	return 0;
}

static int watch(struct http_server *server, struct source *source, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = source};

	return epoll_ctl(server->epoll, EPOLL_CTL_ADD, source->fd, &event);
}

static int open_epoll(struct http_server *server, struct error *err)
{
	server->epoll = epoll_create1(EPOLL_CLOEXEC);
	server->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (server->epoll < 0 || server->wake.fd < 0 || watch(server, &server->wake, EPOLLIN))
		return error_set_errno(err, ERR_UNAVAILABLE, errno, "cannot serve HTTP");
	for (size_t i = 0; i < server->n_listeners; i++)
		if (watch(server, &server->listeners[i].source, EPOLLIN | EPOLLONESHOT))
			return error_set_errno(err, ERR_UNAVAILABLE, errno, "cannot serve HTTP");
	return 0;
}

/* Waits until each worker is done or in a handler; the caller holds server->lock. */
static void wait_for_workers(struct http_server *server)
{
	for (unsigned i = 0; i < server->n_workers; i++) {
		struct worker *worker = &server->workers[i];

		/* Outside handlers nothing blocks, so this ends. */
		while (!worker->done && !atomic_load(&worker->in_handler))
			clock_wait(&server->changed, &server->lock, clock_ms() + 1000);
	}
}

/*
 * Ends the threads. Those still in a handler are left running, each with a reference to the server,
 * and counted.
 */
static unsigned end_threads(struct http_server *server)
{
	unsigned left = 0;

	pthread_mutex_lock(&server->lock);
	atomic_store(&server->ended, true);
	pthread_cond_broadcast(&server->changed);
	eventfd_write(server->wake.fd, 1);
	for (unsigned i = 0; i < server->n_workers; i++)
		sem_post(&server->pollers);
	wait_for_workers(server);
	for (unsigned i = 0; i < server->n_workers; i++) {
		struct worker *worker = &server->workers[i];

		worker->detached = !worker->done;
		left += worker->detached;
	}
	atomic_store(&server->references, left + 1);
	for (unsigned i = 0; i < server->n_workers; i++)
		if (server->workers[i].detached)
			pthread_detach(server->workers[i].thread);
	pthread_mutex_unlock(&server->lock);
	for (unsigned i = 0; i < server->n_workers; i++)
		if (!server->workers[i].detached)
			pthread_join(server->workers[i].thread, NULL);
	pthread_join(server->housekeeper, NULL);
	return left;
}

void server_release(struct http_server *server)
{
	if (atomic_fetch_sub(&server->references, 1) > 1)
		return;
	while (server->connections)
		connection_close(server, server->connections);
	server_free(server);
}

/* The housekeeper and the workers; 0 or an errno value. */
static int create_threads(struct http_server *server, const pthread_attr_t *attributes)
{
	int failure = pthread_create(&server->housekeeper, attributes, housekeeping_run, server);

	if (failure)
		return failure;
	for (unsigned i = 0; i < server->config.threads; i++) {
		struct worker *worker = &server->workers[i];

		worker->server = server;
		failure = pthread_create(&worker->thread, attributes, reception_run, worker);
		if (failure) {
			end_threads(server);
			return failure;
		}
		server->n_workers++;
	}
	return 0;
}

static int start_threads(struct http_server *server, struct error *err)
{
	pthread_attr_t attributes;
	sigset_t all;
	sigset_t old;
	int failure;

	server->workers = xcalloc(server->config.threads, sizeof(*server->workers));
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	/* Signals are for the program's main thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	failure = create_threads(server, &attributes);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attributes);
	if (failure)
		return error_set_errno(err, ERR_UNAVAILABLE, failure, "cannot start a thread");
	return 0;
}

struct http_server *http_server_start(const struct http_server_config *config, struct error *err)
{
	struct http_server *server = server_new(config);

	if (open_listeners(server, config->listen, err) || open_epoll(server, err) ||
		start_threads(server, err)) {
		server_free(server);
		return NULL;
	}
	return server;
}

const char *http_server_address(const struct http_server *server, size_t index)
{
	return index < server->n_listeners ? server->listeners[index].address : "";
}

void http_server_get_stats(struct http_server *server, struct http_server_stats *stats)
{
	pthread_mutex_lock(&server->lock);
	stats->connections = server->n_connections;
	stats->slow_running = server->running[HTTP_SLOW] + server->running[HTTP_LONG] +
			      server->running[HTTP_REMOTE];
	stats->slow_waiting = server->n_queued;
	pthread_mutex_unlock(&server->lock);
	stats->requests = atomic_load(&server->requests);
	stats->evicted = atomic_load(&server->evicted);
	stats->timed_out = atomic_load(&server->timed_out);
	stats->refused = atomic_load(&server->refused);
	stats->buffered = atomic_load(&server->buffered);
}

int64_t http_server_heartbeat(struct http_server *server)
{
	return atomic_load(&server->heartbeat);
}

unsigned http_server_stop(struct http_server *server, unsigned grace_ms)
{
	int64_t deadline = clock_ms() + grace_ms;
	unsigned left;

	atomic_store(&server->stopping, true);
	/* Refuses new connections at once; workers may still hold the descriptors. */
	for (size_t i = 0; i < server->n_listeners; i++)
		shutdown(server->listeners[i].source.fd, SHUT_RDWR);
	while (evict_waiting(server) && clock_ms() < deadline)
		nanosleep(&(struct timespec){.tv_nsec = STOP_POLL_MS * 1000000L}, NULL);
	left = end_threads(server);
	close_listeners(server);
	server_release(server);
	return left;
}
