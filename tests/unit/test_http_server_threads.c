/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who runs when: slow and fast handlers, queue, start and stop of the server. */
#include "http_server_fixture.h"

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

/* Requests that take minutes have half of the places; a slow one passes those that wait. */
static void test_long_handlers_do_not_block_slow_ones(void **state)
{
	struct http_server *server =
		start((struct http_server_config){.threads = 5, .slow_threads = 4});
	int waiting[7];

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		waiting[i] = dial(server);
		raw_send(waiting[i], GET("/long"));
		WAIT_FOR(stats_of(server).slow_running + stats_of(server).slow_waiting == i + 1);
	}
	WAIT_FOR(gate_inside() == 2);
	assert_int_equal(stats_of(server).slow_waiting, 3);
	for (unsigned i = 5; i < 7; i++) {
		waiting[i] = dial(server);
		raw_send(waiting[i], GET("/slow"));
		WAIT_FOR(gate_inside() == i - 2);
	}
	assert_int_equal(ask(server, GET("/fast")), 200);
	gate_set(true);
	for (int i = 0; i < 7; i++) {
		assert_int_equal(raw_status(waiting[i]), 200);
		close(waiting[i]);
	}
	WAIT_FOR(stats_of(server).slow_running == 0);
	stop(server);
}

/* With long ones and others that wait for other hosts, a slow one still finds a place. */
static void test_other_hosts_do_not_block_slow_ones(void **state)
{
	static const char *const requests[] = {GET("/remote"), GET("/remote"), GET("/remote"),
		GET("/long"), GET("/long"), GET("/long")};
	struct http_server *server =
		start((struct http_server_config){.threads = 5, .slow_threads = 4});
	int waiting[7];

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		waiting[i] = dial(server);
		raw_send(waiting[i], requests[i]);
		WAIT_FOR(stats_of(server).slow_running + stats_of(server).slow_waiting == i + 1);
	}
	/* One of the first kind, two of the second. */
	WAIT_FOR(gate_inside() == 3);
	assert_int_equal(stats_of(server).slow_waiting, 3);
	waiting[6] = dial(server);
	raw_send(waiting[6], GET("/slow"));
	WAIT_FOR(gate_inside() == 4);
	gate_set(true);
	for (int i = 0; i < 7; i++) {
		assert_int_equal(raw_status(waiting[i]), 200);
		close(waiting[i]);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slow_handlers_do_not_block_fast_ones),
		cmocka_unit_test(test_long_handlers_do_not_block_slow_ones),
		cmocka_unit_test(test_other_hosts_do_not_block_slow_ones),
		cmocka_unit_test(test_fast_handlers_may_block),
		cmocka_unit_test(test_order_of_slow_requests),
		cmocka_unit_test(test_queued_requests_can_be_evicted),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_stop_waits_for_handlers),
		cmocka_unit_test(test_stop_leaves_a_stuck_handler),
	};

	return cmocka_run_group_tests_name(
		"http server threads", tests, server_setup, server_teardown);
}
