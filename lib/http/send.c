/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers on the wire: head and body leave in one call; what the socket does not take is kept. */
#include "http/server_private.h"

#include "base/mem.h"
#include "base/str.h"
#include "http/problem.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#define FIXED_HEAD 512 /* all lines but the handler's */

struct writer {
	char *at;
};

static void put(struct writer *out, const char *text)
{
	size_t len = strlen(text);

	memcpy(out->at, text, len);
	out->at += len;
}

static void put_number(struct writer *out, size_t number)
{
	char digits[24];
	char *c = digits + sizeof(digits) - 1;

	*c = '\0';
	do
		*--c = (char)('0' + number % 10);
	while (number /= 10);
	put(out, c);
}

/* "Date: ..." (RFC 9110, 5.6.7), made once per second and worker. */
static const char *date_line(struct worker *worker)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (now.tv_sec == worker->date_second)
		return worker->date;
	worker->date_second = now.tv_sec;
	if (gmtime_r(&now.tv_sec, &tm))
		snprintf(worker->date, sizeof(worker->date),
			"Date: %.3s, %02d %.3s %04d %02d:%02d:%02d GMT\r\n", days + 3 * tm.tm_wday,
			tm.tm_mday, months + 3 * tm.tm_mon, (tm.tm_year + 1900) % 10000, tm.tm_hour,
			tm.tm_min, tm.tm_sec);
	return worker->date;
}

static bool status_has_body(int status)
{
	return status >= 200 && status != 204 && status != 304;
}

/* Writes the head to text, which has room; returns its length. */
static size_t make_head(struct worker *worker, const struct connection *connection,
	const struct http_response *response, char *text)
{
	const struct http_request *request = &connection->exchange->request;
	int status = response->status ? response->status : 200;
	struct writer out = {text};

	put(&out, "HTTP/1.1 ");
	put_number(&out, (size_t)status);
	put(&out, " ");
	put(&out, http_status_reason(status));
	put(&out, "\r\n");
	put(&out, date_line(worker));
	if (response->body && status_has_body(status)) {
		put(&out, "Content-Type: ");
		put(&out, response->type ? response->type : "application/json");
		put(&out, "\r\n");
	}
	if (status_has_body(status)) {
		put(&out, "Content-Length: ");
		put_number(&out, response->body ? http_body_len(response->body) : 0);
		put(&out, "\r\n");
	}
	put(&out, "X-Request-Id: ");
	put(&out, request->id);
	put(&out, "\r\n");
	if (connection->close)
		put(&out, "Connection: close\r\n");
	else if (request->is_http_1_0)
		put(&out, "Connection: keep-alive\r\n");
	if (response->headers)
		put(&out, response->headers);
	put(&out, "\r\n");
	return (size_t)(out.at - text);
}

/* One attempt; how much went out, -1 when the connection is broken. */
static ssize_t send_some(const struct connection *connection, struct iovec *parts, size_t count)
{
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
	int more = connection->corked ? MSG_MORE : 0;
	ssize_t sent = sendmsg(connection->source.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT | more);

	if (sent < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return sent;
}

/* Keeps what a first attempt left over. */
static void keep_rest(struct connection *connection, const char *head, size_t head_len,
	struct http_body *body, size_t sent)
{
	size_t head_sent = sent < head_len ? sent : head_len;

	connection->out_len = head_len - head_sent;
	connection->out =
		connection->out_len ? xmemdup(head + head_sent, connection->out_len) : NULL;
	connection->out_sent = 0;
	connection->out_body = body ? http_body_ref(body) : NULL;
	connection->out_body_sent = sent - head_sent;
}

enum send_result send_response(
	struct worker *worker, struct connection *connection, struct http_response *response)
{
	const struct http_request *request = &connection->exchange->request;
	size_t room = FIXED_HEAD + (response->headers ? strlen(response->headers) : 0) +
		      (response->type ? strlen(response->type) : 0);
	char small[1024];
	cleanup_free char *large = room > sizeof(small) ? xmalloc(room) : NULL;
	char *head = large ? large : small;
	size_t head_len = make_head(worker, connection, response, head);
	bool with_body = response->body && !str_equal(request->method, "HEAD") &&
			 status_has_body(response->status ? response->status : 200);
	size_t body_len = with_body ? http_body_len(response->body) : 0;
	struct iovec parts[2] = {
		{head, head_len},
		{body_len ? (char *)http_body_data(response->body) : NULL, body_len},
	};
	ssize_t sent = send_some(connection, parts, body_len ? 2 : 1);
	enum send_result result = SEND_DONE;

	if (sent < 0)
		result = SEND_BROKEN;
	else if ((size_t)sent < head_len + body_len) {
		keep_rest(
			connection, head, head_len, body_len ? response->body : NULL, (size_t)sent);
		result = SEND_PART;
	}
	http_response_clear(response);
	return result;
}

static void forget_rest(struct connection *connection)
{
	free(connection->out);
	connection->out = NULL;
	http_body_unref(connection->out_body);
	connection->out_body = NULL;
}

enum send_result send_rest(struct connection *connection)
{
	size_t head_left = connection->out_len - connection->out_sent;
	size_t body_len = connection->out_body ? http_body_len(connection->out_body) : 0;
	size_t body_left = body_len - connection->out_body_sent;
	struct iovec parts[2];
	size_t count = 0;
	ssize_t sent;

	if (head_left)
		parts[count++] = (struct iovec){connection->out + connection->out_sent, head_left};
	if (body_left)
		parts[count++] = (struct iovec){
			(char *)http_body_data(connection->out_body) + connection->out_body_sent,
			body_left};
	sent = send_some(connection, parts, count);
	if (sent < 0)
		return SEND_BROKEN;
	if ((size_t)sent < head_left) {
		connection->out_sent += (size_t)sent;
		return SEND_PART;
	}
	connection->out_sent = connection->out_len;
	connection->out_body_sent += (size_t)sent - head_left;
	if (connection->out_body_sent < body_len)
		return SEND_PART;
	forget_rest(connection);
	return SEND_DONE;
}

void send_farewell(struct connection *connection, int status, enum error_code code, const char *why)
{
	struct http_response response = {0};
	struct error err = {0};
	char head[256];
	struct iovec parts[2];

	error_set(&err, code, "%s", why);
	http_problem_set(&response, NULL, &err, status, NULL);
	parts[1].iov_base = (char *)http_body_data(response.body);
	parts[1].iov_len = http_body_len(response.body);
	parts[0].iov_base = head;
	parts[0].iov_len = (size_t)snprintf(head, sizeof(head),
		"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: "
		"close\r\n\r\n",
		status, http_status_reason(status), response.type, parts[1].iov_len);
	send_some(connection, parts, 2);
	http_response_clear(&response);
}
