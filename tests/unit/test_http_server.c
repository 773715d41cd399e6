/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The server over real sockets: what it answers, in what order, and when it lets go. */
#include "http_raw.h"

#include "base/buf.h"
#include "http/server.h"

#include <pthread.h>
#include <stdatomic.h>

#define CHUNKED   "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
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

static void gate_set(bool open)
{
	pthread_mutex_lock(&gate.lock);
	gate.open = open;
	pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
}

static unsigned gate_inside(void)
{
	unsigned inside;

	pthread_mutex_lock(&gate.lock);
	inside = gate.inside;
	pthread_mutex_unlock(&gate.lock);
	return inside;
}

static void pass_gate(const char *path)
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

static enum http_class classify(void *context, const struct http_request *request)
{
	(void)context;
	return str_starts_with(request->path, "/slow") ? HTTP_SLOW : HTTP_FAST;
}

static void handle(
	void *context, const struct http_request *request, struct http_response *response)
{
	(void)context;
	if (str_starts_with(request->path, "/slow") || str_equal(request->path, "/stuck"))
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

static bool is_peer(void *context, const struct sockaddr *address)
{
	(void)context;
	(void)address;
	return atomic_load(&gate.peers);
}

static void on_done(
	void *context, const struct http_request *request, int status, int64_t microseconds)
{
	(void)context;
	pthread_mutex_lock(&gate.lock);
	snprintf(gate.done, sizeof(gate.done), "%s %s %d %s %s", request->method, request->target,
		status, request->client, microseconds >= 0 ? "ok" : "bad");
	pthread_mutex_unlock(&gate.lock);
}

/* A server on a free port; members of config that are set stay. */
static struct http_server *start(struct http_server_config config)
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

static int dial(struct http_server *server)
{
	return raw_connect(http_server_address(server, 0), 0);
}

static struct http_server_stats stats_of(struct http_server *server)
{
	struct http_server_stats stats;

	http_server_get_stats(server, &stats);
	return stats;
}

static bool done_is(const char *text)
{
	bool same;

	pthread_mutex_lock(&gate.lock);
	same = str_equal(gate.done, text);
	pthread_mutex_unlock(&gate.lock);
	return same;
}

/* One request on a connection of its own; its status. */
static int ask(struct http_server *server, const char *request)
{
	int fd = dial(server);
	int status;

	raw_send(fd, request);
	status = raw_status(fd);
	close(fd);
	return status;
}

static void stop(struct http_server *server)
{
	gate_set(true);
	assert_int_equal(http_server_stop(server, 5000), 0);
}

static void test_answer(void **state)
{
	struct http_server *server = start((struct http_server_config){0});
	int fd = dial(server);
	struct raw_answer answer;

	(void)state;
	raw_send(fd, GET("/hello?x"));
	answer = raw_read(fd, false);
	assert_int_equal(answer.status, 200);
	assert_string_equal(answer.body, "/hello");
	assert_string_equal(raw_header(&answer, "Content-Type"), "text/plain");
	assert_string_equal(raw_header(&answer, "Content-Length"), "6");
	assert_int_equal(strlen(raw_header(&answer, "X-Request-Id")), 17);
	assert_int_equal(strlen(raw_header(&answer, "Date")), 29);
	assert_null(raw_header(&answer, "Connection"));
	assert_null(raw_header(&answer, "Access-Control-Allow-Origin"));
	free(answer.body);
	WAIT_FOR(done_is("GET /hello?x 200 127.0.0.1 ok"));

	raw_send(fd, GET("/none"));
	answer = raw_read(fd, false);
	assert_int_equal(answer.status, 204);
	assert_null(raw_header(&answer, "Content-Length"));
	free(answer.body);

	raw_send(fd, "HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n" GET("/next"));
	answer = raw_read(fd, true);
	assert_string_equal(raw_header(&answer, "Content-Length"), "6");
	free(answer.body);
	answer = raw_read(fd, false);
	assert_string_equal(answer.body, "/next");
	free(answer.body);

	raw_send(fd, GET("/close"));
	answer = raw_read(fd, false);
	assert_string_equal(raw_header(&answer, "Connection"), "close");
	assert_string_equal(answer.body, "bye");
	free(answer.body);
	assert_true(raw_is_closed(fd));
	close(fd);
	assert_int_equal(stats_of(server).requests, 5);
	stop(server);
}

static void test_http_1_0(void **state)
{
	struct http_server *server = start((struct http_server_config){0});
	int fd = dial(server);
	struct raw_answer answer;

	(void)state;
	raw_send(fd, "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
	answer = raw_read(fd, false);
	assert_string_equal(raw_header(&answer, "Connection"), "keep-alive");
	free(answer.body);
	raw_send(fd, "GET / HTTP/1.0\r\nHost: a\r\n\r\n");
	assert_int_equal(raw_status(fd), 200);
	assert_true(raw_is_closed(fd));
	close(fd);
	stop(server);
}

static void test_bodies(void **state)
{
	static const char *const requests[] = {
		"POST /echo?q HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
		CHUNKED "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
		"\r\n\r\nDELETE /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
	};
	struct http_server *server = start((struct http_server_config){0});
	int fd = dial(server);

	(void)state;
	/* Whole, and byte by byte. */
	for (size_t i = 0; i < 6; i++) {
		const char *request = requests[i % 3];
		struct raw_answer answer;

		for (const char *c = request; i >= 3 && *c; c++)
			raw_send(fd, (char[]){*c, '\0'});
		if (i < 3)
			raw_send(fd, request);
		answer = raw_read(fd, false);
		assert_int_equal(answer.status, 201);
		assert_string_equal(answer.body, "hello");
		free(answer.body);
	}
	close(fd);
	stop(server);
}

/* A body of almost 1 MiB comes through, with a second request right behind it. */
static void test_largest_body(void **state)
{
	struct http_server *server = start((struct http_server_config){0});
	size_t len = HTTP_MAX_BODY - 1;
	cleanup_free char *body = xmalloc(len + 1);
	int fd = dial(server);
	struct raw_answer answer;

	(void)state;
	memset(body, 'x', len);
	body[len] = '\0';
	for (int chunked = 0; chunked < 2; chunked++) {
		cleanup_free char *head =
			chunked ? xasprintf("POST /echo HTTP/1.1\r\nHost: a\r\n"
					    "Transfer-Encoding: chunked\r\n\r\n%zx\r\n",
					  len)
				: xasprintf("POST /echo HTTP/1.1\r\nHost: a\r\n"
					    "Content-Length: %zu\r\n\r\n",
					  len);

		raw_send(fd, head);
		raw_send(fd, body);
		raw_send(fd, chunked ? "\r\n0\r\n\r\n" GET("/next") : GET("/next"));
		answer = raw_read(fd, false);
		assert_int_equal(answer.status, 201);
		assert_int_equal(answer.body_len, len);
		assert_memory_equal(answer.body, body, len);
		free(answer.body);
		answer = raw_read(fd, false);
		assert_string_equal(answer.body, "/next");
		free(answer.body);
	}
	close(fd);
	WAIT_FOR(stats_of(server).buffered == 0);
	stop(server);
}

/* A head of 10 KB, a body in chunks and 100 further requests, all at once. */
static void test_large_head(void **state)
{
	struct http_server *server = start((struct http_server_config){0});
	cleanup_buf struct printbuf *text = buf_new();
	int fd = dial(server);
	struct raw_answer answer;

	(void)state;
	buf_text(text, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX: ");
	for (int i = 0; i < 1000; i++)
		buf_text(text, "0123456789");
	buf_text(text, "\r\n\r\n");
	for (int i = 0; i < 50; i++)
		buf_text(text, "A\r\n0123456789\r\n");
	buf_text(text, "0\r\n\r\n");
	for (int i = 0; i < 100; i++)
		buf_format(text, "GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", i);
	raw_send(fd, text->buf);
	answer = raw_read(fd, false);
	assert_int_equal(answer.status, 201);
	assert_int_equal(answer.body_len, 500);
	free(answer.body);
	for (int i = 0; i < 100; i++) {
		answer = raw_read(fd, false);
		assert_int_equal(strtol(answer.body + 1, NULL, 10), i);
		free(answer.body);
	}
	close(fd);
	stop(server);
}

static void test_expect_continue(void **state)
{
	struct http_server *server = start((struct http_server_config){0});
	int fd = dial(server);
	struct raw_answer answer;

	(void)state;
	raw_send(fd, "PUT /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: "
		     "2\r\n\r\n");
	assert_int_equal(raw_status(fd), 100);
	raw_send(fd, "ok");
	answer = raw_read(fd, false);
	assert_string_equal(answer.body, "ok");
	free(answer.body);
	/* One that is too long is told so at once. */
	raw_send(fd, "PUT /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
		     "Content-Length: 1048576\r\n\r\n");
	assert_int_equal(raw_status(fd), 413);
	close(fd);
	stop(server);
}

/* Sends a body that is too long to its end, as most clients do, and still sees the answer. */
static void send_too_much(struct http_server *server, const char *framing, const char *first)
{
	int fd = dial(server);
	cleanup_free char *piece = xmalloc(64 * 1024 + 1);
	cleanup_free char *head =
		xasprintf("POST /echo HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n%s", framing, first);
	struct raw_answer answer;

	memset(piece, 'x', 64 * 1024);
	piece[64 * 1024] = '\0';
	raw_send(fd, head);
	for (int i = 0; i < 64; i++)
		raw_send(fd, piece);
	answer = raw_read(fd, false);
	assert_int_equal(answer.status, 413);
	assert_string_equal(raw_header(&answer, "Content-Type"), "application/problem+json");
	assert_string_equal(raw_header(&answer, "Connection"), "close");
	assert_non_null(strstr(answer.body, "\"code\":\"too-large\""));
	free(answer.body);
	assert_true(raw_is_closed(fd));
	close(fd);
}

static void test_too_large(void **state)
{
	struct http_server *server = start((struct http_server_config){0});

	(void)state;
	send_too_much(server, "Content-Length: 4194304", "");
	send_too_much(server, "Transfer-Encoding: chunked", "400000\r\n");
	WAIT_FOR(stats_of(server).connections == 0);
	assert_int_equal(stats_of(server).buffered, 0);
	stop(server);
}

static void test_malformed_requests_are_answered_and_closed(void **state)
{
	struct http_server *server = start((struct http_server_config){0});
	cleanup_free char *long_head = xcalloc(1, 20000);
	struct {
		const char *text;
		int status;
	} rows[] = {
		{"GET /a%2fb HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: "
		 "chunked\r\n\r\nx",
			400},
		{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400},
		{"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505},
		{"\x16\x03\x01\x02\x00\x01\n\n", 400},
		{long_head, 431},
	};

	(void)state;
	memset(long_head, 'a', 19999);
	memcpy(long_head, "GET /", 5);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = dial(server);
		struct raw_answer answer;

		raw_send(fd, rows[i].text);
		raw_send(fd, GET("/smuggled"));
		answer = raw_read(fd, false);
		assert_int_equal(answer.status, rows[i].status);
		assert_string_equal(
			raw_header(&answer, "Content-Type"), "application/problem+json");
		assert_non_null(raw_header(&answer, "X-Request-Id"));
		free(answer.body);
		/* Nothing behind it is taken for a request. */
		assert_true(raw_is_closed(fd));
		close(fd);
	}
	assert_int_equal(stats_of(server).refused, sizeof(rows) / sizeof(rows[0]));
	stop(server);
}

/* What stands in a body stays body, however much it looks like a request. */
static void test_nothing_is_smuggled(void **state)
{
	struct http_server *server = start((struct http_server_config){0});
	const char *inner = GET("/inner");
	cleanup_free char *text =
		xasprintf("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n%s%s",
			strlen(inner), inner, GET("/outer"));
	int fd = dial(server);
	struct raw_answer answer;

	(void)state;
	raw_send(fd, text);
	answer = raw_read(fd, false);
	assert_string_equal(answer.body, inner);
	free(answer.body);
	answer = raw_read(fd, false);
	assert_string_equal(answer.body, "/outer");
	free(answer.body);
	close(fd);
	assert_int_equal(stats_of(server).requests, 2);
	stop(server);
}

static void test_header_injection(void **state)
{
	struct http_server *server = start((struct http_server_config){0});
	int fd = dial(server);
	struct raw_answer answer;

	(void)state;
	raw_send(fd, GET("/echo?a%0d%0aX-Evil:%201"));
	answer = raw_read(fd, false);
	assert_string_equal(raw_header(&answer, "X-Echo"), "a%0d%0aX-Evil:%201");
	assert_null(raw_header(&answer, "X-Evil"));
	free(answer.body);
	close(fd);
	stop(server);
}

/* 500 pipelined requests get 500 answers in order, and a large one in between does not mix them. */
static void test_pipelining(void **state)
{
	struct http_server *server = start((struct http_server_config){0});
	int fd = dial(server);

	(void)state;
	for (int i = 0; i < 500; i++) {
		cleanup_free char *text =
			xasprintf("GET /%s%d HTTP/1.1\r\nHost: a\r\n\r\n", i % 3 ? "" : "slow/", i);
		raw_send(fd, text);
		if (i == 250)
			raw_send(fd, GET("/large"));
	}
	gate_set(true);
	for (int i = 0; i < 500; i++) {
		cleanup_free char *path = xasprintf("/%s%d", i % 3 ? "" : "slow/", i);
		struct raw_answer answer = raw_read(fd, false);

		assert_string_equal(answer.body, path);
		free(answer.body);
		if (i == 250) {
			answer = raw_read(fd, false);
			assert_int_equal(answer.body_len, 8 << 20);
			free(answer.body);
		}
	}
	close(fd);
	stop(server);
}

static void test_slow_handlers_do_not_block_fast_ones(void **state)
{
	struct http_server *server =
		start((struct http_server_config){.threads = 3, .slow_threads = 2});
	int slow[20];

	(void)state;
	for (int i = 0; i < 20; i++) {
		slow[i] = dial(server);
		raw_send(slow[i], GET("/slow"));
	}
	WAIT_FOR(stats_of(server).slow_waiting == 18);
	assert_int_equal(gate_inside(), 2);
	for (int i = 0; i < 50; i++)
		assert_int_equal(ask(server, GET("/fast")), 200);
	assert_int_equal(stats_of(server).slow_running, 2);
	gate_set(true);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(raw_status(slow[i]), 200);
		close(slow[i]);
	}
	WAIT_FOR(stats_of(server).slow_running == 0);
	stop(server);
}

/* A fast handler that blocks after all holds up one thread only. */
static void test_fast_handlers_may_block(void **state)
{
	struct http_server *server = start((struct http_server_config){0});
	int blocked[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		blocked[i] = dial(server);
		raw_send(blocked[i], GET("/stuck"));
		WAIT_FOR(gate_inside() == i + 1);
		assert_int_equal(ask(server, GET("/fast")), 200);
	}
	gate_set(true);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(raw_status(blocked[i]), 200);
		close(blocked[i]);
	}
	stop(server);
}

/* They wait in order of arrival, a peer's in front of the others'. */
static void test_order_of_slow_requests(void **state)
{
	struct http_server *server =
		start((struct http_server_config){.threads = 2, .slow_threads = 1});
	static const char *const requests[] = {
		GET("/slow/0"), GET("/slow/1"), GET("/slow/2"), GET("/slow/p"), GET("/slow/q")};
	int fds[5];

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		atomic_store(&gate.peers, i >= 3);
		fds[i] = dial(server);
		raw_send(fds[i], requests[i]);
		WAIT_FOR(stats_of(server).slow_running + stats_of(server).slow_waiting == i + 1);
	}
	atomic_store(&gate.peers, false);
	gate_set(true);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(raw_status(fds[i]), 200);
		close(fds[i]);
	}
	assert_string_equal(gate.order, "0pq12");
	stop(server);
}

/* When nothing but queued requests is left to evict, one of them is told to try again. */
static void test_queued_requests_can_be_evicted(void **state)
{
	struct http_server *server = start(
		(struct http_server_config){.threads = 2, .slow_threads = 1, .max_connections = 8});
	int slow[8];
	int refused = 0;

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		slow[i] = dial(server);
		raw_send(slow[i], GET("/slow"));
		WAIT_FOR(stats_of(server).slow_running + stats_of(server).slow_waiting == i + 1);
	}
	assert_int_equal(ask(server, GET("/fast")), 200);
	assert_int_equal(stats_of(server).slow_waiting, 6);
	gate_set(true);
	for (int i = 0; i < 8; i++) {
		refused += raw_status(slow[i]) == 503;
		close(slow[i]);
	}
	assert_int_equal(refused, 1);
	stop(server);
}

static void test_addresses(void **state)
{
	static const char *const lists[][3] = {{"nonsense", NULL}, {"127.0.0.1", NULL},
		{"127.0.0.1:x", NULL}, {"localhost:0", NULL},
		{"127.0.0.1:0", "127.0.0.1:99999", NULL}};
	struct http_server *server = start((struct http_server_config){0});
	const char *taken[] = {http_server_address(server, 0), NULL};
	struct http_server_config config = {.listen = taken, .handle = handle};
	struct error err = {0};

	(void)state;
	assert_string_equal(http_server_address(server, 1), "");
	assert_null(http_server_start(&config, &err));
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.message, taken[0]));
	assert_non_null(strstr(err.message, "in use"));
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		config.listen = lists[i];
		error_clear(&err);
		if (http_server_start(&config, &err))
			fail_msg("accepted: %s", lists[i][0]);
		assert_int_equal(err.code, ERR_INVALID);
	}
	stop(server);

	config.listen = (const char *const[]){":0", "[::1]:0", "127.0.0.1:0", NULL};
	error_clear(&err);
	server = http_server_start(&config, &err);
	if (!server) /* a machine without IPv6 */
		config.listen = (const char *const[]){":0", "127.0.0.1:0", NULL};
	error_clear(&err);
	server = server ? server : http_server_start(&config, &err);
	assert_non_null(server);
	int fd = raw_connect(http_server_address(server, 0), 0);
	raw_send(fd, GET("/"));
	assert_int_equal(raw_status(fd), 200);
	close(fd);
	stop(server);
}

/* Opens the gate once the queued request was sent away, which is after stopping began. */
static void *open_later(void *queued)
{
	struct pollfd entry = {.fd = *(int *)queued, .events = POLLIN};

	poll(&entry, 1, RAW_DEADLINE_MS);
	gate_set(true);
	return NULL;
}

static void test_stop_waits_for_handlers(void **state)
{
	struct http_server *server =
		start((struct http_server_config){.threads = 2, .slow_threads = 1});
	int running = dial(server);
	int queued = dial(server);
	int idle = dial(server);
	pthread_t opener;

	(void)state;
	raw_send(running, GET("/slow/a"));
	WAIT_FOR(gate_inside() == 1);
	raw_send(queued, GET("/slow/b"));
	WAIT_FOR(stats_of(server).slow_waiting == 1);
	raw_send(idle, GET("/"));
	assert_int_equal(raw_status(idle), 200);

	assert_int_equal(pthread_create(&opener, NULL, open_later, &queued), 0);
	assert_int_equal(http_server_stop(server, 10000), 0);
	pthread_join(opener, NULL);
	assert_int_equal(raw_status(running), 200);
	assert_int_equal(raw_status(queued), 503);
	assert_true(raw_is_closed(idle));
	close(running);
	close(queued);
	close(idle);
}

static void test_stop_leaves_a_stuck_handler(void **state)
{
	struct http_server *server = start((struct http_server_config){0});
	int fd = dial(server);

	(void)state;
	raw_send(fd, GET("/slow/a"));
	WAIT_FOR(gate_inside() == 1);
	assert_int_equal(http_server_stop(server, 50), 1);
	gate_set(true);
	/* What is left of the server still answers before it falls silent. */
	assert_int_equal(raw_status(fd), 200);
	close(fd);
}

static int setup(void **state)
{
	(void)state;
	large = http_body_new(xcalloc(1, 8 << 20), 8 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	http_body_unref(large);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_http_1_0),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_largest_body),
		cmocka_unit_test(test_large_head),
		cmocka_unit_test(test_expect_continue),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_malformed_requests_are_answered_and_closed),
		cmocka_unit_test(test_nothing_is_smuggled),
		cmocka_unit_test(test_header_injection),
		cmocka_unit_test(test_pipelining),
		cmocka_unit_test(test_slow_handlers_do_not_block_fast_ones),
		cmocka_unit_test(test_fast_handlers_may_block),
		cmocka_unit_test(test_order_of_slow_requests),
		cmocka_unit_test(test_queued_requests_can_be_evicted),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_stop_waits_for_handlers),
		cmocka_unit_test(test_stop_leaves_a_stuck_handler),
	};

	return cmocka_run_group_tests_name("http server", tests, setup, teardown);
}
