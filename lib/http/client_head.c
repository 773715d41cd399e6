/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Nothing that a caller passes on from elsewhere may end its line. */
#include "http/client_head.h"

#include "base/str.h"

#include <strings.h>

static bool is_plain(const char *text, unsigned char least)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++)
		if ((*c < least && *c != '\t') || *c == 0x7f)
			return false;
	return true;
}

static bool method_has_body(const char *method)
{
	return str_equal(method, "POST") || str_equal(method, "PUT") ||
	       str_equal(method, "DELETE") || str_equal(method, "PATCH");
}

static void put_line(struct printbuf *out, const char *name, const char *value)
{
	buf_text(out, name);
	buf_append(out, ": ", 2);
	buf_text(out, value);
	buf_append(out, "\r\n", 2);
}

/* Also whether one of them is Content-Type. */
static int put_headers(
	struct printbuf *out, const char *const (*headers)[2], bool *typed, struct error *err)
{
	*typed = false;
	for (; headers && (*headers)[0]; headers++) {
		const char *name = (*headers)[0], *value = (*headers)[1];

		if (!is_plain(name, ' ' + 1) || !is_plain(value, ' '))
			return error_set(err, ERR_INVALID,
				"the value for header %s holds control characters", name);
		*typed |= strcasecmp(name, "Content-Type") == 0;
		put_line(out, name, value);
	}
	return 0;
}

int client_head_write(struct printbuf *out, const struct http_exchange *exchange,
	const char *authority, struct error *err)
{
	const char *host = exchange->host ? exchange->host : authority;
	bool typed;

	if (*exchange->target != '/' || !is_plain(exchange->target, ' ' + 1))
		return error_set(err, ERR_INVALID, "the request target is not an encoded path");
	if (!is_plain(host, ' ' + 1))
		return error_set(err, ERR_INVALID, "the name of the host holds control characters");
	buf_text(out, exchange->method);
	buf_append(out, " ", 1);
	buf_text(out, exchange->target);
	buf_text(out, " HTTP/1.1\r\n");
	put_line(out, "Host", host);
	if (put_headers(out, exchange->headers, &typed, err) < 0)
		return -1;
	if (exchange->body && !typed)
		put_line(out, "Content-Type", "application/json");
	/* There for every method that may have a body: other servers of a cluster insist on it. */
	if (exchange->body || method_has_body(exchange->method))
		buf_format(out, "Content-Length: %zu\r\n", exchange->body ? exchange->body_len : 0);
	buf_append(out, "\r\n", 2);
	return 0;
}
