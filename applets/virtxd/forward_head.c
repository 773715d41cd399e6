/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Headers of one connection stay on it (RFC 9110, 7.6.1), and nobody may claim to be a host. */
#include "forward_head.h"

#include "base/mem.h"

#include <strings.h>

#define FORWARDED_FOR "X-Forwarded-For"

static bool is_one_of(const char *name, const char *const *list)
{
	for (; *list; list++)
		if (strcasecmp(name, *list) == 0)
			return true;
	return false;
}

/* Those of one connection (RFC 9110, 7.6.1). */
static const char *const hop_by_hop[] = {"Connection", "Keep-Alive", "Proxy-Connection",
	"Proxy-Authenticate", "Proxy-Authorization", "TE", "Trailer", "Transfer-Encoding",
	"Upgrade", NULL};
/* Those that we write ourselves, have looked at already, or that nobody may claim. */
static const char *const not_sent_on[] = {"Host", "Content-Length", "Expect", "Origin",
	"Accept-Encoding", "X-Request-Id", FORWARD_LOOP_HEADER, FORWARDED_FOR, PROOF_HEADER, NULL};
static const char *const not_passed_back[] = {
	"Content-Length", "Content-Type", "Date", "X-Request-Id", PROOF_ANSWER_HEADER, NULL};

/* Whether a Connection header names another one as belonging to the connection too. */
static bool is_named(const struct http_header *headers, size_t count, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < count; i++) {
		const char *at = headers[i].value;

		if (strcasecmp(headers[i].name, "Connection") != 0)
			continue;
		while (*at) {
			at += strspn(at, ", \t");
			if (strncasecmp(at, name, len) == 0 && strchr(", \t", at[len]))
				return true;
			at += strcspn(at, ", \t");
		}
	}
	return false;
}

void forward_head_add(struct forward_head *head, const char *name, const char *value)
{
	head->headers[head->n_headers][0] = name;
	head->headers[head->n_headers++][1] = value;
}

/* Every client's address that this request has come by, ours last. */
static char *list_clients(const struct http_request *request)
{
	char *list = NULL;

	for (size_t i = 0; i < request->n_headers; i++) {
		if (strcasecmp(request->headers[i].name, FORWARDED_FOR) != 0)
			continue;
		cleanup_free char *before = list;
		list = xasprintf("%s%s, ", before ? before : "", request->headers[i].value);
	}
	if (!list)
		return xstrdup(request->client);
	cleanup_free char *before = list;
	return xasprintf("%s%s", before, request->client);
}

void forward_head_copy(struct forward_head *head, const struct http_request *request)
{
	for (size_t i = 0; i < request->n_headers; i++) {
		const struct http_header *header = &request->headers[i];

		if (!is_one_of(header->name, hop_by_hop) && !is_one_of(header->name, not_sent_on) &&
			!is_named(request->headers, request->n_headers, header->name))
			forward_head_add(head, header->name, header->value);
	}
	head->forwarded_for = list_clients(request);
	forward_head_add(head, FORWARDED_FOR, head->forwarded_for);
	forward_head_add(head, "X-Request-Id", request->id);
	forward_head_add(head, FORWARD_LOOP_HEADER, "1");
}

void forward_head_clear(struct forward_head *head)
{
	free(steal(&head->forwarded_for));
}

/* The server keeps no copy of a type: one of those that hosts use. */
static const char *known_type(const char *type)
{
	static const char *const types[] = {"application/json", "application/problem+json",
		"application/xml", "application/yaml", "text/plain; charset=utf-8", "text/plain"};

	for (size_t i = 0; type && i < sizeof(types) / sizeof(types[0]); i++)
		if (strcasecmp(type, types[i]) == 0)
			return types[i];
	return "application/octet-stream";
}

void forward_pass_back(struct http_exchange *exchange, struct http_response *response)
{
	const struct http_header *headers = exchange->response_headers;
	size_t count = exchange->n_response_headers;

	response->status = exchange->status;
	response->type = known_type(http_exchange_header(exchange, "Content-Type"));
	for (size_t i = 0; i < count; i++)
		if (!is_one_of(headers[i].name, hop_by_hop) &&
			!is_one_of(headers[i].name, not_passed_back) &&
			!is_named(headers, count, headers[i].name))
			http_response_header(response, headers[i].name, headers[i].value);
	if (exchange->response_len)
		response->body = http_body_new(steal(&exchange->response), exchange->response_len);
}
