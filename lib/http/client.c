/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The client: builds a request, sends it once or, where that is safe, twice, and reads the answer.
 */
#include "http/client.h"

#include "base/mem.h"
#include "base/str.h"
#include "http/client_head.h"
#include "http/client_socket.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define DEFAULT_PORT         "8080"
#define DEFAULT_CONNECT_MS   5000
#define DEFAULT_TIMEOUT_MS   600000
#define DEFAULT_MAX_RESPONSE ((size_t)256 << 20)

struct http_client {
	char host[256];
	char port[8];
	char authority[272]; /* as the Host header and messages have it */
	int fd;              /* the connection kept alive, -1: none */
};

/* What has been received and not been used yet. */
struct input {
	char *data;
	size_t len;
	size_t capacity;
};

/* One attempt: where its time ends and whether the server said anything. */
struct attempt {
	struct http_client *client;
	struct http_exchange *exchange;
	struct http_reply reply;
	struct input input;
	int64_t deadline;
	bool answered;
};

static bool split_server(struct http_client *client, const char *server)
{
	const char *port = DEFAULT_PORT;
	const char *colon = strrchr(server, ':');
	const char *bracket = strrchr(server, ']');
	size_t len = strlen(server);
	int64_t number;

	if (bracket && colon < bracket)
		colon = NULL;
	if (!bracket && colon && strchr(server, ':') != colon)
		colon = NULL; /* an IPv6 address as it is */
	if (colon) {
		port = colon + 1;
		len = (size_t)(colon - server);
	}
	if (bracket) {
		if (*server != '[' || bracket + 1 != server + len)
			return false;
		server++;
		len -= 2;
	}
	if (len == 0 || len >= sizeof(client->host))
		return false;
	memcpy(client->host, server, len);
	client->host[len] = '\0';
	return client->host[strcspn(client->host, "/@?#[] \t\r\n")] == '\0' &&
	       str_parse_int(port, 1, 65535, &number) &&
	       str_copy(client->port, sizeof(client->port), port);
}

struct http_client *http_client_new(const char *server, struct error *err)
{
	struct http_client *client = xcalloc(1, sizeof(*client));

	client->fd = -1;
	if (!split_server(client, server)) {
		free(client);
		error_set(err, ERR_INVALID,
			"\"%s\" is not a server: HOST, HOST:PORT or [IPV6]:PORT", server);
		return NULL;
	}
	snprintf(client->authority, sizeof(client->authority),
		strchr(client->host, ':') ? "[%s]:%s" : "%s:%s", client->host, client->port);
	return client;
}

static void disconnect(struct http_client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
}

void http_client_free(struct http_client *client)
{
	if (!client)
		return;
	disconnect(client);
	free(client);
}

bool http_client_is_connected(const struct http_client *client)
{
	return client->fd >= 0;
}

int http_client_detach(struct http_client *client)
{
	if (client->fd < 0 || !client_socket_is_quiet(client->fd))
		return -1;
	return steal_fd(&client->fd);
}

static bool is_idempotent(const char *method)
{
	return !str_equal(method, "POST") && !str_equal(method, "PATCH");
}

/* Receives more into the input: 1, 0 at the end of the stream, -1 with err. */
static int receive(struct attempt *attempt, struct error *err)
{
	struct input *input = &attempt->input;
	ssize_t got;

	if (input->len == input->capacity) {
		input->capacity = input->capacity ? input->capacity * 2 : 16 * 1024;
		input->data = xrealloc(input->data, input->capacity);
	}
	got = client_socket_receive(attempt->client->fd, input->data + input->len,
		input->capacity - input->len, attempt->deadline);
	if (got < 0) {
		if (errno == ETIMEDOUT)
			return error_set(err, ERR_TIMEOUT, "%s did not answer in time",
				attempt->client->authority);
		return error_set_errno(err, ERR_FORWARD, errno, "the answer of %s breaks off",
			attempt->client->authority);
	}
	input->len += (size_t)got;
	attempt->answered |= got > 0;
	return got > 0;
}

static void consume(struct input *input, size_t len)
{
	memmove(input->data, input->data + len, input->len - len);
	input->len -= len;
}

static int broken_off(const struct attempt *attempt, struct error *err)
{
	return error_set(err, ERR_FORWARD,
		"%s closed the connection before its answer was complete",
		attempt->client->authority);
}

/* Reads one head; its strings end up in exchange->header_buffer. */
static int read_head(struct attempt *attempt, struct error *err)
{
	struct http_exchange *exchange = attempt->exchange;
	struct input *input = &attempt->input;
	size_t scanned = 0;
	size_t len;

	while (!input->len || !(len = http_head_length(input->data, input->len, &scanned))) {
		int more;

		if (input->len >= HTTP_MAX_HEADER_BYTES)
			return error_set(err, ERR_FORWARD, "the headers of %s are too long",
				attempt->client->authority);
		more = receive(attempt, err);
		if (more < 0)
			return -1;
		if (more == 0)
			return broken_off(attempt, err);
	}
	free(exchange->header_buffer);
	exchange->header_buffer = xmemdup(input->data, len);
	consume(input, len);
	if (http_reply_parse(exchange->header_buffer, len, &attempt->reply, err))
		return error_prefix(err, "%s", attempt->client->authority);
	return 0;
}

static int too_large(const struct attempt *attempt, struct error *err)
{
	return error_set(err, ERR_FORWARD, "the answer of %s is longer than %zu bytes",
		attempt->client->authority, attempt->exchange->max_response);
}

/* Until length bytes are there; a negative length: until the server closes. */
static int read_plain(struct attempt *attempt, int64_t length, struct error *err)
{
	struct http_exchange *exchange = attempt->exchange;
	struct input *input = &attempt->input;

	while (length < 0 || input->len < (uint64_t)length) {
		int more;

		if (length > (int64_t)exchange->max_response || input->len > exchange->max_response)
			return too_large(attempt, err);
		more = receive(attempt, err);
		if (more < 0)
			return -1;
		if (more == 0 && length >= 0)
			return broken_off(attempt, err);
		if (more == 0)
			break;
	}
	/* The input becomes the answer; bytes behind it, which end the connection, are counted. */
	exchange->response_len = length < 0 ? input->len : (size_t)length;
	exchange->response = xrealloc(input->data, exchange->response_len + 1);
	*input = (struct input){.len = input->len - exchange->response_len};
	return 0;
}

/* Appends what the input holds of a chunked body: as http_chunks_next. */
static enum http_chunk_step take_chunks(
	struct attempt *attempt, struct http_chunks *chunks, size_t *capacity)
{
	struct http_exchange *exchange = attempt->exchange;
	enum http_chunk_step step;
	size_t at = 0;

	do {
		size_t used;
		size_t data;

		step = http_chunks_next(
			chunks, attempt->input.data + at, attempt->input.len - at, &used, &data);
		at += used;
		if (exchange->response_len + data >= *capacity) {
			*capacity = (exchange->response_len + data + 1) * 2;
			exchange->response = xrealloc(exchange->response, *capacity);
		}
		memcpy(exchange->response + exchange->response_len, attempt->input.data + at - data,
			data);
		exchange->response_len += data;
	} while (step == HTTP_CHUNK_DATA);
	consume(&attempt->input, at);
	return step;
}

static int read_chunked(struct attempt *attempt, struct error *err)
{
	struct http_exchange *exchange = attempt->exchange;
	struct http_chunks chunks = {0};
	size_t capacity = 4096;

	exchange->response = xmalloc(capacity);
	for (;;) {
		enum http_chunk_step step = HTTP_CHUNK_MORE;
		int more;

		if (attempt->input.len)
			step = take_chunks(attempt, &chunks, &capacity);
		if (exchange->response_len > exchange->max_response)
			return too_large(attempt, err);
		if (step == HTTP_CHUNK_END)
			return 0;
		if (step == HTTP_CHUNK_BAD)
			return error_set(err, ERR_FORWARD, "%s sends malformed chunks",
				attempt->client->authority);
		more = receive(attempt, err);
		if (more < 0)
			return -1;
		if (more == 0)
			return broken_off(attempt, err);
	}
}

static int read_reply(struct attempt *attempt, struct error *err)
{
	struct http_exchange *exchange = attempt->exchange;
	const struct http_reply *reply = &attempt->reply;
	int result;

	do {
		if (read_head(attempt, err))
			return -1;
	} while (reply->status < 200);
	if (str_equal(exchange->method, "HEAD") || reply->status == 204 || reply->status == 304)
		result = read_plain(attempt, 0, err);
	else if (reply->chunked)
		result = read_chunked(attempt, err);
	else
		result = read_plain(attempt, reply->content_length, err);
	if (result)
		return -1;
	exchange->response[exchange->response_len] = '\0';
	exchange->status = reply->status;
	exchange->n_response_headers = reply->n_headers;
	memcpy(exchange->response_headers, reply->headers, sizeof(reply->headers));
	return 0;
}

/* Sends the request and reads the answer on the open connection. */
static int attempt_run(struct attempt *attempt, const char *head, struct error *err)
{
	struct http_exchange *exchange = attempt->exchange;
	struct http_client *client = attempt->client;
	struct iovec parts[2] = {
		{(char *)head, strlen(head)},
		{(char *)exchange->body, exchange->body ? exchange->body_len : 0},
	};
	int sent = client_socket_send(client->fd, parts, 2, attempt->deadline);

	/* A server may refuse a request while it is being sent: then its answer is there to read.
	 */
	if (sent < 0 && errno == ETIMEDOUT)
		return error_set(
			err, ERR_TIMEOUT, "%s did not take the request in time", client->authority);
	if (read_reply(attempt, err))
		return -1;
	if (sent < 0 || !attempt->reply.keep_alive || attempt->input.len ||
		(!attempt->reply.chunked && attempt->reply.content_length < 0 &&
			attempt->reply.status != 204 && attempt->reply.status != 304))
		disconnect(client);
	return 0;
}

static void set_defaults(struct http_exchange *exchange)
{
	if (!exchange->connect_timeout_ms)
		exchange->connect_timeout_ms = DEFAULT_CONNECT_MS;
	if (!exchange->timeout_ms)
		exchange->timeout_ms = DEFAULT_TIMEOUT_MS;
	if (!exchange->max_response)
		exchange->max_response = DEFAULT_MAX_RESPONSE;
}

int http_client_exchange(
	struct http_client *client, struct http_exchange *exchange, struct error *err)
{
	cleanup_buf struct printbuf *head = buf_new();

	http_exchange_clear(exchange);
	set_defaults(exchange);
	if (client_head_write(head, exchange, client->authority, err) < 0)
		return -1;
	for (;;) {
		struct attempt attempt = {.client = client, .exchange = exchange};
		struct error cause = {0};
		bool reused = client->fd >= 0 && client_socket_is_quiet(client->fd);
		int result;

		if (!reused) {
			disconnect(client);
			client->fd = client_socket_open(client->host, client->port,
				client->authority, exchange->connect_timeout_ms, err);
			if (client->fd < 0)
				return -1;
		}
		attempt.deadline = client_socket_deadline(exchange->timeout_ms);
		result = attempt_run(&attempt, head->buf, &cause);
		free(attempt.input.data);
		if (result == 0)
			return 0;
		disconnect(client);
		http_exchange_clear(exchange);
		/* The server may have closed a kept connection just as the request was sent. */
		if (reused && !attempt.answered && cause.code == ERR_FORWARD &&
			is_idempotent(exchange->method))
			continue;
		*err = cause;
		return -1;
	}
}

const char *http_exchange_header(const struct http_exchange *exchange, const char *name)
{
	for (size_t i = 0; i < exchange->n_response_headers; i++)
		if (strcasecmp(exchange->response_headers[i].name, name) == 0)
			return exchange->response_headers[i].value;
	return NULL;
}

void http_exchange_clear(struct http_exchange *exchange)
{
	free(exchange->response);
	free(exchange->header_buffer);
	exchange->response = NULL;
	exchange->header_buffer = NULL;
	exchange->response_len = 0;
	exchange->n_response_headers = 0;
	exchange->status = 0;
}
