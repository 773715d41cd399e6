/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * http/relay.h in a server with two threads. The other server is the test itself, at the far end of
 * the connection that it lends: it sees what comes, and answers well, badly or not at all.
 */
#include "http_raw.h"

#include "http/relay.h"

#include <fcntl.h>

#define MANY 20 /* far more than there are threads */

static int far = -1, near = -1; /* the two ends; the near one is lent by GET /lend */

static bool take(void *context, struct http_exchange *exchange, struct http_response *response)
{
	const char *mark = http_exchange_header(exchange, "X-Mark");

	if (!str_equal(mark ? mark : "", context))
		return false;
	response->status = exchange->status;
	if (exchange->response_len)
		response->body = http_body_new(steal(&exchange->response), exchange->response_len);
	return true;
}

/* /lend, /local, and all others go to the far end; where they may wait they are answered here. */
static void handle(
	void *context, const struct http_request *request, struct http_response *response)
{
	const char *const headers[][2] = {{"X-Request-Id", request->id}, {NULL, NULL}};
	struct http_exchange exchange = {
		.method = "GET", .target = request->target, .headers = headers};
	struct http_relay_call call = {"far:1", &exchange, take, NULL};

	(void)context;
	if (str_equal(request->path, "/lend")) {
		http_relay_lend(request, "far:1", near);
		near = -1;
		http_response_text(response, http_relay_is_open(request, "far:1") ? 200 : 500,
			"text/plain", "");
	} else if (str_equal(request->path, "/local") || request->may_wait) {
		cleanup_free char *text = xasprintf("here: %s", request->target);
		http_response_text(response, 200, "text/plain", text);
	} else {
		call.context = xstrdup("good");
		if (http_relay_send(request, &call, response))
			return;
		free(call.context);
		response->fate = HTTP_AGAIN;
	}
}

static struct http_server *start(void)
{
	struct error err = {0};
	struct http_server *server = http_server_start(
		&(struct http_server_config){.listen = (const char *const[]){"127.0.0.1:0", NULL},
			.threads = 2,
			.handle = handle},
		&err);

	if (!server)
		fail_msg("%s", err.message);
	return server;
}

static void ask(int fd, const char *path)
{
	cleanup_free char *request = xasprintf("GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);

	raw_send(fd, request);
}

/* The next answer there has that body. */
static void expect(int fd, const char *body)
{
	struct raw_answer answer = raw_read(fd, false);

	assert_int_equal(answer.status, 200);
	assert_string_equal(answer.body, body);
	free(answer.body);
}

static int dial(struct http_server *server)
{
	return raw_connect(http_server_address(server, 0), 0);
}

static void ask_here(struct http_server *server, const char *path, const char *body)
{
	int fd = dial(server);

	ask(fd, path);
	expect(fd, body);
	close(fd);
}

static void lend(struct http_server *server)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	near = ends[0];
	if (far >= 0)
		close(far);
	far = ends[1];
	ask_here(server, "/lend", "");
}

/* One request as it came to the far end: its target. */
static char *far_request(void)
{
	char head[2048] = "", *end;

	for (size_t len = 0; !strstr(head, "\r\n\r\n"); len++) {
		assert_true(len < sizeof(head) - 1);
		assert_int_equal(raw_receive(far, head + len, 1), 1);
	}
	assert_non_null(strstr(head, "\r\nHost: far:1\r\n"));
	assert_non_null(strstr(head, "\r\nX-Request-Id: "));
	assert_true(str_starts_with(head, "GET /"));
	end = strchr(head + 4, ' ');
	assert_non_null(end);
	return xstrndup(head + 4, (size_t)(end - head - 4));
}

static void far_answer(const char *mark, const char *body)
{
	cleanup_free char *text =
		xasprintf("HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nX-Mark: %s\r\n\r\n%s",
			strlen(body), mark, body);

	raw_send(far, text);
}

static void far_request_is(const char *target)
{
	cleanup_free char *came = far_request();

	assert_string_equal(came, target);
}

static void stop(struct http_server *server)
{
	assert_int_equal(http_server_stop(server, 5000), 0);
	close(far);
	far = -1;
}

static void test_nothing_lent(void **state)
{
	struct http_server *server = start();

	(void)state;
	ask_here(server, "/x?y", "here: /x?y");
	stop(server);
}

/* More than there are threads are under way, and none of those waits. */
static void test_many(void **state)
{
	struct http_server *server = start();
	int clients[MANY];

	(void)state;
	lend(server);
	for (int i = 0; i < MANY; i++) {
		cleanup_free char *path = xasprintf("/%d", i);
		clients[i] = dial(server);
		ask(clients[i], path);
		far_request_is(path);
	}
	ask_here(server, "/local", "here: /local");
	for (int i = 0; i < MANY; i++) {
		cleanup_free char *body = xasprintf("far %d", i);
		far_answer("good", body);
	}
	for (int i = MANY - 1; i >= 0; i--) {
		cleanup_free char *body = xasprintf("far %d", i);
		expect(clients[i], body);
		close(clients[i]);
	}
	stop(server);
}

/* What one client sends at once is answered in its order, here and there mixed. */
static void test_pipelined(void **state)
{
	struct http_server *server = start();
	int client = dial(server);

	(void)state;
	lend(server);
	raw_send(client,
		"GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /local HTTP/1.1\r\nHost: a\r\n\r\n"
		"GET /local HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n");
	far_request_is("/a");
	far_answer("good", "far a");
	far_request_is("/b");
	far_answer("good", "far b");
	expect(client, "far a");
	expect(client, "here: /local");
	expect(client, "here: /local");
	expect(client, "far b");
	close(client);
	stop(server);
}

static void test_pieces(void **state)
{
	struct http_server *server = start();
	cleanup_free char *body = xmalloc(300001), *head = NULL;
	int client = dial(server);

	(void)state;
	memset(body, 'x', 300000);
	body[300000] = '\0';
	head = xasprintf("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\nX-Mark: good\r\n\r\n");
	lend(server);
	ask(client, "/long");
	far_request_is("/long");
	for (const char *c = head; *c; c++)
		raw_send(far, (char[]){*c, '\0'});
	for (size_t at = 0; at < 300000; at += 50000) {
		cleanup_free char *piece = xstrndup(body + at, 50000);
		raw_send(far, piece);
	}
	expect(client, body);
	close(client);
	stop(server);
}

/* Whatever the far end does to two requests that are under way: both are answered here, another
 * connection is taken, and goes. */
static void check_bad(const char *answer, const char *first)
{
	struct http_server *server = start();
	int one = dial(server), two = dial(server);

	lend(server);
	ask(one, "/one");
	far_request_is("/one");
	ask(two, "/two");
	far_request_is("/two");
	if (answer)
		raw_send(far, answer);
	else
		shutdown(far, SHUT_RDWR);
	expect(one, first);
	expect(two, "here: /two");
	lend(server);
	ask(two, "/again");
	far_request_is("/again");
	far_answer("good", "far again");
	expect(two, "far again");
	close(one);
	close(two);
	stop(server);
}

static void test_bad_answers(void **state)
{
	static const char here[] = "here: /one";

	(void)state;
	check_bad(NULL, here);
	check_bad("hello\r\n\r\n", here);
	check_bad("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Mark: bad\r\n\r\nno", here);
	check_bad("HTTP/1.1 200 OK\r\nX-Mark: good\r\n\r\n", here);
	check_bad("HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\nX-Mark: good\r\n\r\n", here);
	check_bad("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Mark: good\r\n\r\n0\r\n\r\n",
		here);
	check_bad("HTTP/1.1 100 Continue\r\n\r\n", here);
	/* A good one first: it counts, what follows does not. */
	check_bad("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-Mark: good\r\n\r\nfar"
		  "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
		"far");
	check_bad("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-Mark: good\r\nConnection: close\r\n"
		  "\r\nfar",
		"far");
}

static void test_unasked(void **state)
{
	struct http_server *server = start();

	(void)state;
	lend(server);
	far_answer("good", "unasked");
	assert_true(raw_is_closed(far));
	ask_here(server, "/x", "here: /x");
	stop(server);
}

static void test_endless_head(void **state)
{
	struct http_server *server = start();
	cleanup_free char *line = xmalloc(20001);

	(void)state;
	memset(line, 'x', 20000);
	line[20000] = '\0';
	lend(server);
	raw_send(far, line);
	assert_true(raw_is_closed(far));
	stop(server);
}

/* Silence for longer than the relay waits. */
static void test_silence(void **state)
{
	struct http_server *server = start();
	int client = dial(server);
	int64_t begin = clock_ms();

	(void)state;
	lend(server);
	ask(client, "/silent");
	far_request_is("/silent");
	expect(client, "here: /silent");
	assert_true(clock_ms() - begin >= RELAY_PATIENCE_MS);
	assert_true(raw_is_closed(far));
	close(client);
	stop(server);
}

/* Nobody reads at the far end: what does not fit goes the ordinary way at once, the rest later. */
static void test_too_many(void **state)
{
	struct http_server *server = start();
	int clients[300], here = 0;

	(void)state;
	lend(server);
	for (int i = 0; i < 300; i++) {
		cleanup_free char *path = xasprintf("/%0*d", 500, i);
		clients[i] = dial(server);
		ask(clients[i], path);
	}
	for (int i = 0; i < 300; i++) {
		struct raw_answer answer = raw_read(clients[i], false);
		here += answer.status == 200 && str_starts_with(answer.body, "here: /0");
		free(answer.body);
		close(clients[i]);
	}
	assert_int_equal(here, 300);
	stop(server);
}

/* Who asked is gone when the answer comes. */
static void test_client_gone(void **state)
{
	struct http_server *server = start();
	int client = dial(server);

	(void)state;
	lend(server);
	ask(client, "/gone");
	far_request_is("/gone");
	raw_send(client, "rubbish");
	assert_int_equal(setsockopt(client, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1},
				 sizeof(struct linger)),
		0);
	close(client);
	far_answer("good", "far");
	client = dial(server);
	ask(client, "/next");
	far_request_is("/next");
	far_answer("good", "far next");
	expect(client, "far next");
	close(client);
	stop(server);
}

/* The server stops while requests are under way that nobody answers. */
static void test_stop(void **state)
{
	struct http_server *server = start();
	int client = dial(server);

	(void)state;
	lend(server);
	ask(client, "/last");
	far_request_is("/last");
	assert_int_equal(http_server_stop(server, 0), 0);
	assert_true(raw_is_closed(client));
	assert_true(raw_is_closed(far));
	close(client);
	close(far);
	far = -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_lent),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_pipelined),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_bad_answers),
		cmocka_unit_test(test_unasked),
		cmocka_unit_test(test_endless_head),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_client_gone),
		cmocka_unit_test(test_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
