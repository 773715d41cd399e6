/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A server whose slow handlers wait at a gate that the test opens. */
#ifndef HTTP_SERVER_FIXTURE_H
#define HTTP_SERVER_FIXTURE_H

#include "http_raw.h"

#include "http/server.h"

#include <pthread.h>
#include <stdatomic.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

/* The handlers' side: slow requests wait at a gate that the test opens. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool open;
	unsigned inside;
	char order[64]; /* last characters of the paths of slow requests, as they ran */
	char done[256]; /* of the last on_done */
	atomic_bool peers;
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static struct http_body *large; /* 8 MiB, shared */

static inline void gate_set(bool open)
{
	pthread_mutex_lock(&gate.lock);
	gate.open = open;
	pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
}

static inline unsigned gate_inside(void)
{
	unsigned inside;

	pthread_mutex_lock(&gate.lock);
	inside = gate.inside;
	pthread_mutex_unlock(&gate.lock);
	return inside;
}

static inline void pass_gate(const char *path)
{
	size_t len;

	pthread_mutex_lock(&gate.lock);
	gate.inside++;
	len = strlen(gate.order);
	if (len < sizeof(gate.order) - 1)
		gate.order[len] = path[strlen(path) - 1];
	while (!gate.open)
		pthread_cond_wait(&gate.changed, &gate.lock);
	gate.inside--;
	pthread_mutex_unlock(&gate.lock);
}

static inline enum http_class classify(void *context, const struct http_request *request)
{
	(void)context;
	if (str_starts_with(request->path, "/slow"))
		return HTTP_SLOW;
	if (str_starts_with(request->path, "/remote"))
		return HTTP_REMOTE;
	return str_starts_with(request->path, "/long") ? HTTP_LONG : HTTP_FAST;
}

static inline void handle(
	void *context, const struct http_request *request, struct http_response *response)
{
	(void)context;
	if (str_starts_with(request->path, "/slow") || str_starts_with(request->path, "/long") ||
		str_starts_with(request->path, "/remote") || str_equal(request->path, "/stuck"))
		pass_gate(request->path);
	if (str_equal(request->path, "/large")) {
		response->body = http_body_ref(large);
	} else if (str_equal(request->path, "/private")) {
		char *data = xcalloc(1, 8 << 20);

		response->body = http_body_new(data, 8 << 20);
	} else if (str_equal(request->path, "/none")) {
		response->status = 204;
	} else if (str_equal(request->path, "/close")) {
		http_response_text(response, 200, "text/plain", "bye");
		response->close = true;
	} else if (str_equal(request->path, "/echo")) {
		assert_int_equal(strlen(request->body), request->body_len);
		http_response_header(response, "X-Echo", request->query);
		http_response_text(response, 201, "text/plain", request->body);
	} else {
		http_response_text(response, 200, "text/plain", request->path);
	}
}

static inline bool is_peer(void *context, const struct sockaddr *address)
{
	(void)context;
	(void)address;
	return atomic_load(&gate.peers);
}

static inline void on_done(
	void *context, const struct http_request *request, int status, int64_t microseconds)
{
	(void)context;
	pthread_mutex_lock(&gate.lock);
	snprintf(gate.done, sizeof(gate.done), "%s %s %d %s %s", request->method, request->target,
		status, request->client, microseconds >= 0 ? "ok" : "bad");
	pthread_mutex_unlock(&gate.lock);
}

/* A server on a free port; members of config that are set stay. */
static inline struct http_server *start(struct http_server_config config)
{
	static const char *const listen[] = {"127.0.0.1:0", NULL};
	struct http_server *server;
	struct error err = {0};

	pthread_mutex_lock(&gate.lock);
	gate.open = false;
	memset(gate.order, 0, sizeof(gate.order));
	pthread_mutex_unlock(&gate.lock);
	config.listen = listen;
	config.handle = handle;
	config.classify = classify;
	config.is_peer = is_peer;
	config.on_done = on_done;
	server = http_server_start(&config, &err);
	if (!server)
		fail_msg("%s", err.message);
	return server;
}

static inline int dial(struct http_server *server)
{
	return raw_connect(http_server_address(server, 0), 0);
}

static inline struct http_server_stats stats_of(struct http_server *server)
{
	struct http_server_stats stats;

	http_server_get_stats(server, &stats);
	return stats;
}

static inline bool done_is(const char *text)
{
	bool same;

	pthread_mutex_lock(&gate.lock);
	same = str_equal(gate.done, text);
	pthread_mutex_unlock(&gate.lock);
	return same;
}

/* One request on a connection of its own; its status. */
static inline int ask(struct http_server *server, const char *request)
{
	int fd = dial(server);
	int status;

	raw_send(fd, request);
	status = raw_status(fd);
	close(fd);
	return status;
}

static inline void stop(struct http_server *server)
{
	gate_set(true);
	assert_int_equal(http_server_stop(server, 5000), 0);
}

static inline int server_setup(void **state)
{
	(void)state;
	large = http_body_new(xcalloc(1, 8 << 20), 8 << 20);
	return 0;
}

static inline int server_teardown(void **state)
{
	(void)state;
	http_body_unref(large);
	return 0;
}

#endif
