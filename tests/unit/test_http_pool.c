/* SPDX-License-Identifier: GPL-2.0-or-later */
/* http/pool.h against our own server: what is kept, what is closed, what is tried again. */
#include "http_raw.h"

#include "http/pool.h"
#include "http/server.h"

#include <pthread.h>

static void handle(
	void *context, const struct http_request *request, struct http_response *response)
{
	(void)context;
	if (str_equal(request->path, "/close"))
		response->close = true;
	cleanup_free char *text = xasprintf("%s %s", request->method, request->body);
	http_response_text(response, 200, "text/plain", text);
}

static enum http_class classify(void *context, const struct http_request *request)
{
	(void)context;
	(void)request;
	return HTTP_SLOW;
}

static struct http_server *start(unsigned idle_ms, const char *address)
{
	struct error err = {0};
	struct http_server *server = http_server_start(
		&(struct http_server_config){
			.listen = (const char *const[]){address, NULL},
			.threads = 8,
			.classify = classify,
			.handle = handle,
			.idle_ms = idle_ms,
			.drain_ms = 50,
		},
		&err);

	if (!server)
		fail_msg("%s", err.message);
	return server;
}

static unsigned connections(struct http_server *server)
{
	struct http_server_stats stats;

	http_server_get_stats(server, &stats);
	return stats.connections;
}

static void exchange_ok(struct http_pool *pool, const char *address, const char *method,
	const char *target, const char *body)
{
	struct http_exchange exchange = {.method = method,
		.target = target,
		.body = body,
		.body_len = body ? strlen(body) : 0,
		.timeout_ms = 10000};
	cleanup_free char *expected = xasprintf("%s %s", method, body ? body : "");
	struct error err = {0};

	if (http_pool_exchange(pool, address, &exchange, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(exchange.status, 200);
	assert_string_equal(exchange.response, expected);
	http_exchange_clear(&exchange);
}

static void test_one_connection_serves_many(void **state)
{
	struct http_server *one = start(0, "127.0.0.1:0"), *two = start(0, "127.0.0.1:0");
	struct http_pool *pool = http_pool_new(60000);

	(void)state;
	for (int i = 0; i < 20; i++) {
		exchange_ok(pool, http_server_address(one, 0), "POST", "/x", "{}");
		exchange_ok(pool, http_server_address(two, 0), "GET", "/x", NULL);
	}
	assert_int_equal(http_pool_count(pool), 2);
	assert_int_equal(connections(one), 1);
	assert_int_equal(connections(two), 1);
	/* An answer that closes leaves nothing to keep. */
	exchange_ok(pool, http_server_address(one, 0), "GET", "/close", NULL);
	assert_int_equal(http_pool_count(pool), 1);
	http_pool_free(pool);
	WAIT_FOR(connections(one) == 0 && connections(two) == 0);
	http_server_stop(one, 0);
	http_server_stop(two, 0);
}

static void test_idle_ones_are_closed(void **state)
{
	struct http_server *server = start(0, "127.0.0.1:0");
	struct http_pool *pool = http_pool_new(50);

	(void)state;
	exchange_ok(pool, http_server_address(server, 0), "GET", "/", NULL);
	assert_int_equal(http_pool_count(pool), 1);
	WAIT_FOR((http_pool_trim(pool), http_pool_count(pool) == 0));
	WAIT_FOR(connections(server) == 0);
	http_pool_free(pool);
	http_server_stop(server, 0);
}

/* The server closes it while it lies in the pool; then it goes and comes back. */
static void test_a_stale_one_is_replaced(void **state)
{
	struct http_server *server = start(50, "127.0.0.1:0");
	struct http_pool *pool = http_pool_new(60000);
	cleanup_free char *address = xstrdup(http_server_address(server, 0));
	struct http_exchange exchange = {.method = "GET", .target = "/"};
	struct error err = {0};

	(void)state;
	exchange_ok(pool, address, "GET", "/", NULL);
	WAIT_FOR(connections(server) == 0);
	exchange_ok(pool, address, "POST", "/", "{}");
	http_server_stop(server, 0);
	assert_int_equal(http_pool_exchange(pool, address, &exchange, &err), -1);
	assert_int_equal(err.code, ERR_CONNECT);
	assert_int_equal(http_pool_count(pool), 0);
	server = start(0, address);
	exchange_ok(pool, address, "GET", "/", NULL);
	http_pool_free(pool);
	http_server_stop(server, 0);
}

struct burst {
	struct http_pool *pool;
	const char *address;
};

static void *run_burst(void *context)
{
	struct burst *burst = context;

	for (int i = 0; i < 30; i++)
		exchange_ok(burst->pool, burst->address, "PUT", "/x", "body");
	return NULL;
}

static void test_threads_share_it_within_bounds(void **state)
{
	enum { THREADS = 2 * HTTP_POOL_PER_SERVER };
	struct http_server *server = start(0, "127.0.0.1:0");
	struct http_pool *pool = http_pool_new(60000);
	struct burst burst = {pool, http_server_address(server, 0)};
	pthread_t threads[THREADS];

	(void)state;
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_burst, &burst), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	size_t kept = http_pool_count(pool);
	assert_in_range(kept, 1, HTTP_POOL_PER_SERVER);
	WAIT_FOR(connections(server) == kept);
	http_pool_free(pool);
	http_server_stop(server, 0);
}

static void test_what_is_no_server(void **state)
{
	struct http_pool *pool = http_pool_new(1000);
	struct http_exchange exchange = {.method = "GET", .target = "/"};
	struct error err = {0};

	(void)state;
	assert_int_equal(http_pool_exchange(pool, "no/server", &exchange, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	http_pool_free(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_connection_serves_many),
		cmocka_unit_test(test_idle_ones_are_closed),
		cmocka_unit_test(test_a_stale_one_is_replaced),
		cmocka_unit_test(test_threads_share_it_within_bounds),
		cmocka_unit_test(test_what_is_no_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
