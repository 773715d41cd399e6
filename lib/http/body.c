/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Receives request bodies into memory that grows with what arrived, never with what was announced.
 */
#include "http/server_private.h"

#include "base/mem.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define FIRST_BODY 1024

/* Room for len more bytes and the NUL. */
static bool reserve(struct http_server *server, struct connection *connection, size_t len)
{
	struct exchange *exchange = connection->exchange;
	size_t need = exchange->body_len + len + 1;
	size_t capacity = exchange->body_capacity ? exchange->body_capacity : FIRST_BODY;

	if (need <= exchange->body_capacity)
		return true;
	while (capacity < need)
		capacity *= 2;
	if (!budget_take(server, connection, capacity - exchange->body_capacity))
		return false;
	exchange->body = xrealloc(exchange->body, capacity);
	exchange->body_capacity = capacity;
	return true;
}

static enum body_result append(
	struct http_server *server, struct connection *connection, const char *data, size_t len)
{
	struct exchange *exchange = connection->exchange;

	if (exchange->body_len + len >= HTTP_MAX_BODY)
		return BODY_TOO_LARGE;
	if (!reserve(server, connection, len))
		return BODY_NO_MEMORY;
	memcpy(exchange->body + exchange->body_len, data, len);
	exchange->body_len += len;
	exchange->body[exchange->body_len] = '\0';
	return BODY_MORE;
}

/* Takes len bytes behind the head away. */
static void consume(struct exchange *exchange, size_t len)
{
	char *behind = exchange->input + exchange->head_len;

	exchange->input_len -= len;
	memmove(behind, behind + len, exchange->input_len - exchange->head_len);
}

/* As recv without waiting; 0 for nothing there, -1 when the client has gone. */
static ssize_t receive(const struct connection *connection, char *buffer, size_t size)
{
	ssize_t got = recv(connection->source.fd, buffer, size, MSG_DONTWAIT);

	if (got > 0)
		return got;
	return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static enum body_result receive_plain(struct http_server *server, struct connection *connection)
{
	struct exchange *exchange = connection->exchange;
	size_t length = (size_t)exchange->request.content_length;
	size_t early = exchange->input_len - exchange->head_len;
	enum body_result result;

	if (early > length - exchange->body_len)
		early = length - exchange->body_len;
	if (early) {
		result = append(server, connection, exchange->input + exchange->head_len, early);
		if (result != BODY_MORE)
			return result;
		consume(exchange, early);
	}
	while (exchange->body_len < length) {
		size_t room;
		ssize_t got;

		if (!reserve(server, connection, 1))
			return BODY_NO_MEMORY;
		room = exchange->body_capacity - 1 - exchange->body_len;
		if (room > length - exchange->body_len)
			room = length - exchange->body_len;
		got = receive(connection, exchange->body + exchange->body_len, room);
		if (got <= 0)
			return got ? BODY_CLOSED : BODY_MORE;
		exchange->body_len += (size_t)got;
		exchange->body[exchange->body_len] = '\0';
	}
	return BODY_COMPLETE;
}

/* Decodes what stands behind the head. */
static enum body_result take_chunks(struct http_server *server, struct connection *connection)
{
	struct exchange *exchange = connection->exchange;

	for (;;) {
		char *input = exchange->input + exchange->head_len;
		enum body_result result = BODY_MORE;
		size_t used;
		size_t data;
		enum http_chunk_step step = http_chunks_next(&exchange->chunks, input,
			exchange->input_len - exchange->head_len, &used, &data);

		if (data)
			result = append(server, connection, input + used - data, data);
		consume(exchange, used);
		if (result != BODY_MORE)
			return result;
		if (step == HTTP_CHUNK_BAD)
			return BODY_MALFORMED;
		if (step != HTTP_CHUNK_DATA)
			return step == HTTP_CHUNK_END ? BODY_COMPLETE : BODY_MORE;
	}
}

static enum body_result receive_chunked(struct http_server *server, struct connection *connection)
{
	struct exchange *exchange = connection->exchange;

	/* Bounded, so that an endless stream of tiny chunks does not keep a worker. */
	for (int turns = 0; turns < 64; turns++) {
		enum body_result result = take_chunks(server, connection);
		ssize_t got;

		if (result != BODY_MORE)
			return result;
		got = receive(connection, exchange->input + exchange->input_len,
			exchange->input_capacity - exchange->input_len);
		if (got <= 0)
			return got ? BODY_CLOSED : BODY_MORE;
		exchange->input_len += (size_t)got;
	}
	return take_chunks(server, connection);
}

enum body_result body_receive(struct http_server *server, struct connection *connection)
{
	return connection->exchange->request.chunked ? receive_chunked(server, connection)
						     : receive_plain(server, connection);
}
