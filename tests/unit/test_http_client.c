/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The client against a server that says exactly what the test wants, and against ours. */
#include "http_raw.h"

#include "base/buf.h"
#include "http/client.h"
#include "http/server.h"

#include <pthread.h>

/* What the scripted server does after each request, in order over all connections. */
struct line {
	const char *answer; /* NULL: nothing */
	bool close;         /* close then */
	bool stall;         /* wait for the client to go away then */
};

struct script {
	const struct line *lines; /* ended by one that is all zero */
	int listener;
	char address[32];
	pthread_t thread;
	unsigned accepted;
	char requests[8192]; /* everything received */
};

/* Receives one head and its Content-Length; false at the end of the stream. */
static bool take_request(struct script *script, int fd)
{
	char *start = script->requests + strlen(script->requests);
	char *at = start;
	const char *length;
	size_t left;

	while (!strstr(start, "\r\n\r\n")) {
		if (recv(fd, at, 1, 0) <= 0)
			return false;
		at++;
	}
	length = strcasestr(start, "\r\nContent-Length: ");
	for (left = length ? strtoul(length + 18, NULL, 10) : 0; left; left--)
		if (recv(fd, at++, 1, 0) <= 0)
			return false;
	return true;
}

static void *serve(void *argument)
{
	struct script *script = argument;
	const struct line *line = script->lines;

	while (line->answer || line->close || line->stall) {
		int fd = accept(script->listener, NULL, NULL);
		bool open = fd >= 0;

		script->accepted++;
		while (open && (line->answer || line->close || line->stall) &&
			take_request(script, fd)) {
			if (line->answer)
				raw_send(fd, line->answer);
			if (line->stall)
				recv(fd, (char[1]){0}, 1, 0);
			open = !line->close && !line->stall;
			line++;
		}
		close(fd);
	}
	return NULL;
}

static void script_start(struct script *script, const struct line *lines)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);

	*script = (struct script){.lines = lines};
	script->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(script->listener, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(script->listener, 8), 0);
	getsockname(script->listener, (struct sockaddr *)&address, &len);
	snprintf(script->address, sizeof(script->address), "127.0.0.1:%d", ntohs(address.sin_port));
	assert_int_equal(pthread_create(&script->thread, NULL, serve, script), 0);
}

static void script_end(struct script *script)
{
	pthread_join(script->thread, NULL);
	close(script->listener);
}

static struct http_client *client_for(const char *address)
{
	struct error err = {0};
	struct http_client *client = http_client_new(address, &err);

	if (!client)
		fail_msg("%s", err.message);
	return client;
}

#define OK(body_len, body) "HTTP/1.1 200 OK\r\nContent-Length: " body_len "\r\n\r\n" body

static void test_bodies(void **state)
{
	static const struct line lines[] = {
		{.answer = OK("5", "hello")},
		{.answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nLink: y\r\n\r\n" OK(
			 "0", "")},
		{.answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
			   "3\r\nhel\r\n2;x\r\nlo\r\n0\r\nT: x\r\n\r\n"},
		{.answer = "HTTP/1.1 204 No Content\r\n\r\n"},
		{.answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nX-A: b\r\n\r\nno"},
		{.answer = "HTTP/1.0 200 OK\r\n\r\nuntil the end", .close = true},
		{0},
	};
	static const struct {
		int status;
		const char *body;
	} expected[] = {{200, "hello"}, {200, ""}, {200, "hello"}, {204, ""}, {404, "no"},
		{200, "until the end"}};
	struct script script;
	struct http_client *client;

	(void)state;
	script_start(&script, lines);
	client = client_for(script.address);
	for (size_t i = 0; i < 6; i++) {
		struct http_exchange exchange = {.method = "GET", .target = "/x"};
		struct error err = {0};

		if (http_client_exchange(client, &exchange, &err))
			fail_msg("%zu: %s", i, err.message);
		assert_int_equal(exchange.status, expected[i].status);
		assert_string_equal(exchange.response, expected[i].body);
		assert_int_equal(exchange.response_len, strlen(expected[i].body));
		if (i == 4)
			assert_string_equal(http_exchange_header(&exchange, "x-a"), "b");
		assert_null(http_exchange_header(&exchange, "X-None"));
		http_exchange_clear(&exchange);
	}
	http_client_free(client);
	script_end(&script);
	assert_int_equal(script.accepted, 1);
}

/* What follows an answer that nobody asked for is not taken for the next one. */
static void test_bytes_behind_an_answer(void **state)
{
	static const struct line lines[] = {
		{.answer = OK("5", "hello") OK("4", "evil"), .close = true},
		{.answer = OK("5", "again")}, {0}};
	static const char *const expected[] = {"hello", "again"};
	struct script script;
	struct http_client *client;

	(void)state;
	script_start(&script, lines);
	client = client_for(script.address);
	for (size_t i = 0; i < 2; i++) {
		struct http_exchange exchange = {.method = "GET", .target = "/"};
		struct error err = {0};

		if (http_client_exchange(client, &exchange, &err))
			fail_msg("%zu: %s", i, err.message);
		assert_int_equal(exchange.response_len, 5);
		assert_string_equal(exchange.response, expected[i]);
		assert_int_equal(http_client_is_connected(client), i == 1);
		http_exchange_clear(&exchange);
	}
	http_client_free(client);
	script_end(&script);
	assert_int_equal(script.accepted, 2);
}

static void test_large_chunked_answer(void **state)
{
	cleanup_buf struct printbuf *answer = buf_new();
	struct http_exchange exchange = {.method = "GET", .target = "/"};
	struct script script;
	struct http_client *client;
	struct error err = {0};

	(void)state;
	buf_text(answer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 10000; i++)
		buf_format(answer, "5\r\n%05d\r\n", i);
	buf_text(answer, "0\r\n\r\n");
	const struct line lines[] = {{.answer = answer->buf}, {0}};
	script_start(&script, lines);
	client = client_for(script.address);
	if (http_client_exchange(client, &exchange, &err))
		fail_msg("%s", err.message);
	assert_int_equal(exchange.response_len, 50000);
	assert_int_equal(strlen(exchange.response), 50000);
	assert_string_equal(exchange.response + 49990, "0999809999");
	http_exchange_clear(&exchange);
	http_client_free(client);
	script_end(&script);
}

static void test_what_is_sent(void **state)
{
	static const struct line lines[] = {{.answer = OK("0", "")}, {.answer = OK("0", "")},
		{.answer = OK("0", "")}, {.answer = OK("0", ""), .close = true}, {0}};
	static const char *const headers[][2] = {
		{"Content-Type", "text/x"}, {"X-VirtX-Loop", "1"}, {NULL, NULL}};
	struct script script;
	struct http_client *client;
	struct error err = {0};
	struct http_exchange get = {.method = "GET", .target = "/a?b=%20"};
	struct http_exchange delete = {.method = "DELETE", .target = "/b"};
	struct http_exchange post = {.method = "POST", .target = "/c", .body = "{}", .body_len = 2};
	struct http_exchange put = {
		.method = "PUT", .target = "/d", .body = "xyz", .body_len = 3, .headers = headers};
	cleanup_free char *expected = NULL;

	(void)state;
	script_start(&script, lines);
	client = client_for(script.address);
	assert_int_equal(http_client_exchange(client, &get, &err), 0);
	assert_int_equal(http_client_exchange(client, &delete, &err), 0);
	assert_int_equal(http_client_exchange(client, &post, &err), 0);
	assert_int_equal(http_client_exchange(client, &put, &err), 0);
	script_end(&script);
	expected = xasprintf("GET /a?b=%%20 HTTP/1.1\r\nHost: %s\r\n\r\n"
			     "DELETE /b HTTP/1.1\r\nHost: %s\r\nContent-Length: 0\r\n\r\n"
			     "POST /c HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
			     "Content-Length: 2\r\n\r\n{}"
			     "PUT /d HTTP/1.1\r\nHost: %s\r\nContent-Type: text/x\r\n"
			     "X-VirtX-Loop: 1\r\nContent-Length: 3\r\n\r\nxyz",
		script.address, script.address, script.address, script.address);
	assert_string_equal(script.requests, expected);
	http_exchange_clear(&get);
	http_exchange_clear(&delete);
	http_exchange_clear(&post);
	http_exchange_clear(&put);
	http_client_free(client);
}

/* One request for a scripted answer, which fails. */
static struct error failure_of(const struct line *lines, size_t max_response, unsigned timeout_ms)
{
	struct http_exchange exchange = {.method = "GET",
		.target = "/",
		.max_response = max_response,
		.timeout_ms = timeout_ms};
	struct script script;
	struct http_client *client;
	struct error err = {0};

	script_start(&script, lines);
	client = client_for(script.address);
	assert_int_equal(http_client_exchange(client, &exchange, &err), -1);
	assert_null(exchange.response);
	http_client_free(client);
	script_end(&script);
	assert_non_null(strstr(err.message, script.address));
	return err;
}

static void test_bad_answers(void **state)
{
	static const char *const answers[] = {
		"",
		"SSH-2.0-x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Le",
		OK("5", "hell"),
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxx\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		const struct line lines[] = {{.answer = answers[i], .close = true}, {0}};
		struct error err = failure_of(lines, 0, 0);

		if (err.code != ERR_FORWARD)
			fail_msg("%s: %d %s", answers[i], err.code, err.message);
	}
}

static void test_too_long_answers(void **state)
{
	static const char *const answers[] = {
		OK("101", ""),
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n60\r\n"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaaaa\r\n"
		"5\r\nbbbbb\r\n0\r\n\r\n",
		"HTTP/1.0 200 OK\r\n\r\n"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaaaabbbbb",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		const struct line lines[] = {{.answer = answers[i], .close = true}, {0}};
		struct error err = failure_of(lines, 100, 0);

		assert_int_equal(err.code, ERR_FORWARD);
		assert_non_null(strstr(err.message, "longer than 100 bytes"));
	}
}

static void test_timeout(void **state)
{
	static const struct line silent[] = {{.stall = true}, {0}};
	static const struct line half[] = {{.answer = OK("5", "h"), .stall = true}, {0}};

	(void)state;
	assert_int_equal(failure_of(silent, 0, 100).code, ERR_TIMEOUT);
	assert_int_equal(failure_of(half, 0, 100).code, ERR_TIMEOUT);
}

/* The server closes a kept connection: noticed before, or only once the request was sent. */
static void test_reconnect(void **state)
{
	static const struct line lines[] = {{.answer = OK("1", "a"), .close = true},
		{.answer = OK("1", "b")}, {.close = true}, {.answer = OK("1", "c")},
		{.close = true}, {0}};
	static const char *const expected[] = {"a", "b", "c"};
	struct script script;
	struct http_client *client;
	struct http_exchange post = {.method = "POST", .target = "/"};
	struct error err = {0};

	(void)state;
	script_start(&script, lines);
	client = client_for(script.address);
	for (int i = 0; i < 3; i++) {
		struct http_exchange exchange = {.method = "GET", .target = "/"};

		if (http_client_exchange(client, &exchange, &err))
			fail_msg("%d: %s", i, err.message);
		assert_string_equal(exchange.response, expected[i]);
		http_exchange_clear(&exchange);
	}
	/* What is not idempotent is never sent twice. */
	assert_int_equal(http_client_exchange(client, &post, &err), -1);
	assert_int_equal(err.code, ERR_FORWARD);
	http_client_free(client);
	script_end(&script);
	assert_int_equal(script.accepted, 3);
}

static void test_unreachable(void **state)
{
	static const struct line lines[] = {{0}};
	struct script script;
	struct http_client *client;
	struct http_exchange exchange = {.method = "GET", .target = "/"};
	struct error err = {0};
	cleanup_free char *expected = NULL;

	(void)state;
	script_start(&script, lines);
	script_end(&script);
	client = client_for(script.address);
	assert_int_equal(http_client_exchange(client, &exchange, &err), -1);
	assert_int_equal(err.code, ERR_CONNECT);
	expected = xasprintf("cannot reach %s: Connection refused", script.address);
	assert_string_equal(err.message, expected);
	http_client_free(client);

	client = client_for("no-such-host.invalid");
	error_clear(&err);
	assert_int_equal(http_client_exchange(client, &exchange, &err), -1);
	assert_int_equal(err.code, ERR_CONNECT);
	assert_true(str_starts_with(err.message, "cannot reach no-such-host.invalid:8080: "));
	http_client_free(client);
}

static void test_server_names(void **state)
{
	static const char *const good[] = {
		"localhost", "a:1", "[::1]", "[::1]:80", "::1", "virt1:65535"};
	static const char *const bad[] = {"", ":80", "a:", "a:0", "a:65536", "a:x", "[::1", "::1]",
		"[::1]x:1", "http://a", "a/b", "u@a", "a b", "[]:1", "[]"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		http_client_free(client_for(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error err = {0};

		if (http_client_new(bad[i], &err))
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(err.code, ERR_INVALID);
	}
	http_client_free(NULL);
}

static void test_bad_requests_are_not_sent(void **state)
{
	static const char *const headers[][2] = {{"X", "a\r\nY: b"}, {NULL, NULL}};
	struct http_exchange exchanges[] = {
		{.method = "GET", .target = "x"},
		{.method = "GET", .target = "/a b"},
		{.method = "GET", .target = "/a\r\nX: y"},
		{.method = "GET", .target = "/", .headers = headers},
		{.method = "GET", .target = "/", .host = "a\r\nX: b"},
	};
	struct http_client *client = client_for("127.0.0.1:1");

	(void)state;
	for (size_t i = 0; i < sizeof(exchanges) / sizeof(exchanges[0]); i++) {
		struct error err = {0};

		assert_int_equal(http_client_exchange(client, &exchanges[i], &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
	}
	http_client_free(client);
}

static void echo(void *context, const struct http_request *request, struct http_response *response)
{
	(void)context;
	http_response_text(response, 200, "text/plain", request->body);
	http_response_header(response, "X-Host", request->host);
}

/* Both ends are ours: sizes around every limit, over IPv6 where the machine has it. */
static void test_with_our_server(void **state)
{
	static const char *const lists[][2] = {{"127.0.0.1:0", NULL}, {"[::1]:0", NULL}};
	static const size_t sizes[] = {0, 1, 1023, 1024, 4096, 65536, HTTP_MAX_BODY - 1};
	cleanup_free char *body = xmalloc(4 * HTTP_MAX_BODY);

	(void)state;
	memset(body, 'x', 4 * HTTP_MAX_BODY);
	for (size_t i = 0; i < 2; i++) {
		struct http_server_config config = {.listen = lists[i], .handle = echo};
		struct http_exchange large = {.method = "PUT",
			.target = "/",
			.body = body,
			.body_len = 4 * HTTP_MAX_BODY};
		struct error err = {0};
		struct http_server *server = http_server_start(&config, &err);
		struct http_client *client;

		if (!server && i == 1)
			continue; /* no IPv6 here */
		assert_non_null(server);
		client = client_for(http_server_address(server, 0));
		for (size_t n = 0; n < sizeof(sizes) / sizeof(sizes[0]); n++) {
			struct http_exchange exchange = {
				.method = "PUT", .target = "/", .body = body, .body_len = sizes[n]};

			if (http_client_exchange(client, &exchange, &err))
				fail_msg("%zu: %s", sizes[n], err.message);
			assert_int_equal(exchange.status, 200);
			assert_int_equal(exchange.response_len, sizes[n]);
			assert_memory_equal(exchange.response, body, sizes[n]);
			assert_string_equal(http_exchange_header(&exchange, "X-Host"),
				http_server_address(server, 0));
			http_exchange_clear(&exchange);
		}
		/* The refusal is seen although the request was not taken to its end. */
		assert_int_equal(http_client_exchange(client, &large, &err), 0);
		assert_int_equal(large.status, 413);
		http_exchange_clear(&large);
		http_client_free(client);
		assert_int_equal(http_server_stop(server, 1000), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_bytes_behind_an_answer),
		cmocka_unit_test(test_large_chunked_answer),
		cmocka_unit_test(test_what_is_sent),
		cmocka_unit_test(test_bad_answers),
		cmocka_unit_test(test_too_long_answers),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_reconnect),
		cmocka_unit_test(test_unreachable),
		cmocka_unit_test(test_server_names),
		cmocka_unit_test(test_bad_requests_are_not_sent),
		cmocka_unit_test(test_with_our_server),
	};

	return cmocka_run_group_tests_name("http client", tests, NULL, NULL);
}
