/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clients that mean no good: the server lets go of them and serves the others meanwhile. */
#include "base/clock.h"
#include "http_raw.h"

#include "http/server.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/resource.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define N_SLOW    300
#define BIG       (8 << 20)

static struct http_body *shared;
static atomic_bool peers;

static void handle(
	void *context, const struct http_request *request, struct http_response *response)
{
	(void)context;
	if (str_equal(request->path, "/shared"))
		response->body = http_body_ref(shared);
	else if (str_equal(request->path, "/private"))
		response->body = http_body_new(xcalloc(1, BIG), BIG);
	else
		http_response_text(response, 200, "text/plain", "here");
}

static bool is_peer(void *context, const struct sockaddr *address)
{
	(void)context;
	(void)address;
	return atomic_load(&peers);
}

static struct http_server *start(struct http_server_config config)
{
	static const char *const listen[] = {"127.0.0.1:0", NULL};
	struct http_server *server;
	struct error err = {0};

	config.listen = listen;
	config.handle = handle;
	config.is_peer = is_peer;
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

static int64_t time_of_request(struct http_server *server)
{
	int64_t begin = clock_ms();
	int fd = dial(server);

	raw_send(fd, GET("/"));
	assert_int_equal(raw_status(fd), 200);
	close(fd);
	return clock_ms() - begin;
}

/* A byte now and then does not extend a header section's time. */
static void test_slow_header(void **state)
{
	struct http_server *server = start((struct http_server_config){.header_ms = 400});
	int silent = dial(server);
	int fd = dial(server);
	int64_t begin = clock_ms();
	struct pollfd entry = {.fd = fd, .events = POLLIN};

	(void)state;
	raw_send(fd, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
	while (poll(&entry, 1, 50) == 0) {
		raw_send(fd, "x");
		assert_true(clock_ms() - begin < RAW_DEADLINE_MS);
	}
	assert_true(clock_ms() - begin >= 390);
	assert_int_equal(raw_status(fd), 408);
	assert_true(raw_is_closed(fd));
	assert_true(raw_is_closed(silent));
	WAIT_FOR(stats_of(server).connections == 0);
	assert_int_equal(stats_of(server).timed_out, 2);
	close(fd);
	close(silent);
	http_server_stop(server, 0);
}

static void test_slow_body(void **state)
{
	struct http_server *server = start((struct http_server_config){.transfer_ms = 400});
	int fd = dial(server);

	(void)state;
	raw_send(fd, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\nx");
	assert_int_equal(raw_status(fd), 408);
	assert_true(raw_is_closed(fd));
	WAIT_FOR(stats_of(server).buffered == 0);
	close(fd);
	http_server_stop(server, 0);
}

static void test_slow_reader(void **state)
{
	struct http_server *server = start((struct http_server_config){.transfer_ms = 1});
	int shared_reader = raw_connect(http_server_address(server, 0), 4096);
	int private_reader = raw_connect(http_server_address(server, 0), 4096);

	(void)state;
	/* 8 MiB have 128 s, so these are not the deadline's; they show what counts as buffered. */
	raw_send(shared_reader, GET("/shared"));
	WAIT_FOR(stats_of(server).requests == 1);
	assert_int_equal(stats_of(server).buffered, 0);
	raw_send(private_reader, GET("/private"));
	WAIT_FOR(stats_of(server).buffered == BIG);
	close(private_reader);
	WAIT_FOR(stats_of(server).buffered == 0);
	close(shared_reader);
	WAIT_FOR(stats_of(server).connections == 0);
	http_server_stop(server, 0);
}

static void test_reader_that_never_reads(void **state)
{
	struct http_server *server =
		start((struct http_server_config){.transfer_ms = 200, .drain_ms = 200});
	int fd = raw_connect(http_server_address(server, 0), 4096);

	(void)state;
	/* Many small answers that nobody reads fill the socket; then the deadline ends it. */
	for (int i = 0; i < 100000 && stats_of(server).timed_out == 0; i++)
		if (send(fd, GET("/"), strlen(GET("/")), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			poll(NULL, 0, 1);
	WAIT_FOR(stats_of(server).timed_out == 1);
	WAIT_FOR(stats_of(server).connections == 0);
	close(fd);
	http_server_stop(server, 0);
}

static void test_idle_connections_end(void **state)
{
	struct http_server *server = start((struct http_server_config){.idle_ms = 100});
	int fd = dial(server);

	(void)state;
	raw_send(fd, GET("/"));
	assert_int_equal(raw_status(fd), 200);
	assert_true(raw_is_closed(fd));
	close(fd);
	http_server_stop(server, 0);
}

/* 300 slow ones of three kinds, and everybody else is served at once. */
static void test_slow_clients_delay_nobody(void **state)
{
	static const char *const kinds[] = {"GET / HTTP/1.1\r\nHost", GET("/shared"),
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc"};
	struct http_server *server = start((struct http_server_config){0});
	int slow[N_SLOW];
	int late = 0;

	(void)state;
	for (int i = 0; i < N_SLOW; i++) {
		slow[i] = raw_connect(http_server_address(server, 0), 4096);
		raw_send(slow[i], kinds[i % 3]);
	}
	WAIT_FOR(stats_of(server).connections == N_SLOW);
	for (int i = 0; i < 100; i++)
		late += time_of_request(server) > 200;
	assert_in_range(late, 0, 1); /* p99 */
	assert_true(clock_ms() - http_server_heartbeat(server) < 2000);
	for (int i = 0; i < N_SLOW; i++)
		close(slow[i]);
	WAIT_FOR(stats_of(server).connections == 0);
	assert_int_equal(stats_of(server).buffered, 0);
	http_server_stop(server, 0);
}

/* With all places taken a new client gets one, and who waits longest for nothing loses it. */
static void test_eviction(void **state)
{
	struct http_server *server = start((struct http_server_config){.max_connections = 20});
	int slow[20];

	(void)state;
	for (int i = 0; i < 20; i++) {
		slow[i] = dial(server);
		raw_send(slow[i], "GET /");
		WAIT_FOR(stats_of(server).connections == (unsigned)i + 1);
	}
	for (int i = 0; i < 30; i++)
		assert_true(time_of_request(server) < 2000);
	assert_true(stats_of(server).evicted >= 1);
	assert_true(stats_of(server).connections <= 20);
	for (int i = 0; i < 20; i++)
		close(slow[i]);
	http_server_stop(server, 0);
}

static void test_peers_are_evicted_last(void **state)
{
	struct http_server *server = start((struct http_server_config){.max_connections = 8});
	int others[40];
	int peer;

	(void)state;
	atomic_store(&peers, true);
	peer = dial(server);
	WAIT_FOR(stats_of(server).connections == 1);
	atomic_store(&peers, false);
	for (int i = 0; i < 40; i++) {
		others[i] = dial(server);
		WAIT_FOR(
			stats_of(server).connections + stats_of(server).evicted == (unsigned)i + 2);
	}
	assert_int_equal(stats_of(server).evicted, 33);
	raw_send(peer, GET("/"));
	assert_int_equal(raw_status(peer), 200);
	for (int i = 0; i < 40; i++)
		close(others[i]);
	close(peer);
	http_server_stop(server, 0);
}

/* Bodies beyond the budget cost the largest of them its place; small requests go on. */
static void test_budget(void **state)
{
	struct http_server *server = start((struct http_server_config){.max_buffered = 1 << 20});
	cleanup_free char *half = xmalloc(500001);
	int fds[4];
	int alive = 0;

	(void)state;
	memset(half, 'x', 500000);
	half[500000] = '\0';
	for (int i = 0; i < 4; i++) {
		fds[i] = dial(server);
		raw_send(fds[i], "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500001\r\n\r\n");
		raw_send(fds[i], half);
		/* All that was sent has arrived: each is there whole, or gone. */
		WAIT_FOR(stats_of(server).buffered >=
			 500000 * ((size_t)i + 1 - stats_of(server).evicted));
		/* Counted first, then somebody has to go. */
		WAIT_FOR(stats_of(server).buffered <= 1 << 20);
	}
	assert_true(time_of_request(server) < 2000);
	for (int i = 0; i < 4; i++) {
		struct pollfd entry = {.fd = fds[i], .events = POLLIN};

		if (poll(&entry, 1, 0) == 0) {
			raw_send(fds[i], "x");
			assert_int_equal(raw_status(fds[i]), 200);
			alive++;
		} else {
			assert_int_equal(raw_status(fds[i]), 503);
		}
		close(fds[i]);
	}
	assert_in_range(alive, 1, 2);
	WAIT_FOR(stats_of(server).buffered == 0);
	http_server_stop(server, 0);
}

/* The largest of all may be the one that asks for more: it is told so. */
static void test_body_beyond_the_budget(void **state)
{
	struct http_server *server = start((struct http_server_config){.max_buffered = 64 * 1024});
	cleanup_free char *body = xmalloc(200001);
	int fd = dial(server);

	(void)state;
	memset(body, 'x', 200000);
	body[200000] = '\0';
	raw_send(fd, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n");
	raw_send(fd, body);
	assert_int_equal(raw_status(fd), 503);
	close(fd);
	WAIT_FOR(stats_of(server).buffered == 0);
	http_server_stop(server, 0);
}

/* Announcing much costs nothing: memory follows what arrived. */
static void test_announced_bodies_take_no_memory(void **state)
{
	struct http_server *server = start((struct http_server_config){0});
	int fds[100];

	(void)state;
	for (int i = 0; i < 100; i++) {
		fds[i] = dial(server);
		raw_send(
			fds[i], "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc");
	}
	WAIT_FOR(stats_of(server).buffered >= 100 * 1024);
	assert_int_equal(stats_of(server).buffered, 100 * 1024);
	for (int i = 0; i < 100; i++)
		close(fds[i]);
	WAIT_FOR(stats_of(server).buffered == 0);
	http_server_stop(server, 0);
}

/* Without descriptors left one connection gives way, and later everything works again. */
static void test_no_descriptors_left(void **state)
{
	struct http_server *server = start((struct http_server_config){0});
	struct rlimit old;
	struct rlimit low;
	int idle[10];
	int filler[256];
	int n_filler = 0;
	int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	(void)state;
	to.sin_port =
		htons((uint16_t)strtoul(strchr(http_server_address(server, 0), ':') + 1, NULL, 10));
	for (int i = 0; i < 10; i++)
		idle[i] = dial(server);
	WAIT_FOR(stats_of(server).connections == 10);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = 128;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	while (n_filler < 256 && (filler[n_filler] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		n_filler++;
	assert_int_equal(errno, EMFILE);
	assert_int_equal(connect(late, (struct sockaddr *)&to, sizeof(to)), 0);
	raw_send(late, GET("/"));
	assert_int_equal(raw_status(late), 200);
	assert_true(stats_of(server).evicted >= 1);
	while (n_filler)
		close(filler[--n_filler]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_true(time_of_request(server) < 2000);
	close(late);
	for (int i = 0; i < 10; i++)
		close(idle[i]);
	http_server_stop(server, 0);
}

static int setup(void **state)
{
	(void)state;
	shared = http_body_new(xcalloc(1, BIG), BIG);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	http_body_unref(shared);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slow_header),
		cmocka_unit_test(test_slow_body),
		cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_reader_that_never_reads),
		cmocka_unit_test(test_idle_connections_end),
		cmocka_unit_test(test_slow_clients_delay_nobody),
		cmocka_unit_test(test_eviction),
		cmocka_unit_test(test_peers_are_evicted_last),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_body_beyond_the_budget),
		cmocka_unit_test(test_announced_bodies_take_no_memory),
		cmocka_unit_test(test_no_descriptors_left),
	};

	return cmocka_run_group_tests_name("http attack", tests, setup, teardown);
}
