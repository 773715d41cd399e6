/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The server over real sockets: what it answers to what, and in what order. */
#include "http_server_fixture.h"

#include "base/buf.h"

#define CHUNKED "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

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
	struct http_server *server = start((struct http_server_config){.host_name = "virt1"});
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
		assert_non_null(strstr(answer.body, "\"host\":\"virt1\""));
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
	};

	return cmocka_run_group_tests_name("http server", tests, server_setup, server_teardown);
}
