/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a handler answers with: shared bodies, headers, and its bytes on the wire. */
#include "http/server_private.h"

#include "base/mem.h"

#include <json-c/json.h>
#include <string.h>

struct http_body {
	atomic_uint references;
	size_t len;
	char *data;
};

struct http_body *http_body_new(char *data, size_t len)
{
	struct http_body *body = xmalloc(sizeof(*body));

	atomic_init(&body->references, 1);
	body->len = len;
	body->data = data;
	return body;
}

struct http_body *http_body_ref(struct http_body *body)
{
	atomic_fetch_add_explicit(&body->references, 1, memory_order_relaxed);
	return body;
}

void http_body_unref(struct http_body *body)
{
	if (!body || atomic_fetch_sub_explicit(&body->references, 1, memory_order_acq_rel) > 1)
		return;
	free(body->data);
	free(body);
}

const char *http_body_data(const struct http_body *body)
{
	return body->data;
}

size_t http_body_len(const struct http_body *body)
{
	return body->len;
}

bool http_body_is_shared(const struct http_body *body)
{
	return atomic_load_explicit(&body->references, memory_order_relaxed) > 1;
}

void http_response_header(struct http_response *response, const char *name, const char *value)
{
	size_t old = response->headers ? strlen(response->headers) : 0;
	size_t room = strlen(name) + strlen(value) + sizeof(": \r\n");
	char *out;

	response->headers = xrealloc(response->headers, old + room);
	out = response->headers + old;
	for (const char *c = name; *c; c++)
		if (*c != '\r' && *c != '\n' && *c != ':')
			*out++ = *c;
	*out++ = ':';
	*out++ = ' ';
	for (const char *c = value; *c; c++)
		if (*c != '\r' && *c != '\n')
			*out++ = *c;
	memcpy(out, "\r\n", 3);
}

static void set_body(
	struct http_response *response, int status, const char *type, const char *data, size_t len)
{
	char *copy = xmalloc(len + 1);

	memcpy(copy, data, len);
	copy[len] = '\0';
	http_body_unref(response->body);
	response->status = status;
	response->type = type;
	response->body = http_body_new(copy, len);
}

void http_response_text(
	struct http_response *response, int status, const char *type, const char *text)
{
	set_body(response, status, type, text, strlen(text));
}

void http_response_json(struct http_response *response, int status, struct json_object *json)
{
	size_t len = 0;
	const char *text = json_object_to_json_string_length(
		json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);

	set_body(response, status, "application/json", text, len);
}

void http_response_clear(struct http_response *response)
{
	http_body_unref(response->body);
	free(response->headers);
	*response = (struct http_response){0};
}
