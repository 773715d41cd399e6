/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Request heads with their path and query, answers' heads, and chunked bodies. */
#include "base/mem.h"
#include "base/str.h"
#include "http/message.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold for the rest of the program to be safe. */
static void check(bool condition)
{
	if (!condition)
		abort();
}

static void walk_query(const struct http_request *request)
{
	const char *position = request->query;

	while (position) {
		struct error err = {0};
		char *name;
		char *value;
		int found = http_query_next(&position, &name, &value, &err);

		check(found == 1 ? name && value && str_is_utf8(name) && str_is_utf8(value)
				 : !name && !value);
		check((found == -1) == error_is_set(&err));
		free(http_request_query(request, found == 1 ? name : "x"));
		free(name);
		free(value);
	}
}

static void fuzz_request(const uint8_t *data, size_t size)
{
	cleanup_free char *buffer = xmemdup(data, size);
	struct http_request request;
	struct error err = {0};
	size_t scanned = 0;
	size_t len = http_head_length(buffer, size, &scanned);

	check(len <= size);
	if (http_request_parse(buffer, len ? len : size, &request, &err)) {
		check(err.code == ERR_INVALID && request.status >= 400);
		check(request.method && request.target && request.path && request.query);
		return;
	}
	check(request.path[0] == '/' && str_is_utf8(request.path) &&
		!str_has_control(request.path));
	check(*request.host && *request.method && request.n_headers <= HTTP_MAX_HEADERS);
	check(!request.chunked || request.content_length < 0);
	for (size_t i = 0; i < request.n_headers; i++)
		check(http_request_header(&request, request.headers[i].name) != NULL);
	walk_query(&request);

	cleanup_free char *encoded = http_percent_encode(request.path);
	check(http_percent_decode(encoded) && str_equal(encoded, request.path));
}

static void fuzz_reply(const uint8_t *data, size_t size)
{
	cleanup_free char *buffer = xmemdup(data, size);
	struct http_reply reply;
	struct error err = {0};

	if (http_reply_parse(buffer, size, &reply, &err) == 0)
		check(reply.status >= 100 && reply.n_headers <= HTTP_MAX_HEADERS);
}

/* Decodes in pieces of that size: the number of body bytes, -1 when it is no whole body. */
static int64_t decode(const uint8_t *data, size_t size, size_t piece)
{
	struct http_chunks chunks = {0};
	enum http_chunk_step step = HTTP_CHUNK_MORE;
	int64_t total = 0;

	for (size_t at = 0; at < size && step <= HTTP_CHUNK_MORE;) {
		size_t some = size - at < piece ? size - at : piece;
		size_t used;
		size_t body;

		step = http_chunks_next(&chunks, (const char *)data + at, some, &used, &body);
		check(used > 0 && used <= some && body <= used);
		check((step == HTTP_CHUNK_DATA) == (body > 0));
		at += used;
		total += (int64_t)body;
	}
	return step == HTTP_CHUNK_END ? total : -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > HTTP_MAX_HEADER_BYTES)
		return 0;
	fuzz_request(data, size);
	fuzz_reply(data, size);
	check(decode(data, size, size) == decode(data, size, 1));
	return 0;
}
