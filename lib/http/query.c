/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Percent encoding (RFC 3986) and query parameters as HTML forms write them ("+" is a blank). */
#include "http/message.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

int http_hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool http_percent_decode(char *text)
{
	char *out = strchr(text, '%');

	if (!out)
		return true;
	for (const char *in = out; *in; in++) {
		int high;
		int low;

		if (*in != '%') {
			*out++ = *in;
			continue;
		}
		high = http_hex_value(in[1]);
		low = high < 0 ? -1 : http_hex_value(in[2]);
		if (low < 0 || high + low == 0)
			return false;
		*out++ = (char)(high * 16 + low);
		in += 2;
	}
	*out = '\0';
	return true;
}

static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("-._~", c));
}

char *http_percent_encode(const char *text)
{
	static const char digits[] = "0123456789ABCDEF";
	char *encoded = xreallocarray(NULL, strlen(text) + 1, 3);
	char *out = encoded;

	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;

		if (is_unreserved(*text)) {
			*out++ = *text;
			continue;
		}
		*out++ = '%';
		*out++ = digits[byte >> 4];
		*out++ = digits[byte & 15];
	}
	*out = '\0';
	return encoded;
}

/* A decoded copy; NULL when it is badly encoded or not UTF-8. */
static char *decode_parameter(const char *text, size_t len)
{
	cleanup_free char *copy = xstrndup(text, len);

	for (char *c = copy; *c; c++)
		if (*c == '+')
			*c = ' ';
	if (!http_percent_decode(copy) || !str_is_utf8(copy))
		return NULL;
	return steal(&copy);
}

int http_query_next(const char **position, char **name, char **value, struct error *err)
{
	const char *at = *position;
	size_t len;
	size_t name_len;

	*name = *value = NULL;
	if (at)
		at += strspn(at, "&");
	if (!at || !*at) {
		*position = NULL;
		return 0;
	}
	len = strcspn(at, "&");
	name_len = strcspn(at, "=&");
	*position = at[len] ? at + len + 1 : NULL;
	*name = decode_parameter(at, name_len);
	*value = name_len < len ? decode_parameter(at + name_len + 1, len - name_len - 1)
				: xstrdup("");
	if (*name && *value)
		return 1;
	free(*name);
	free(*value);
	*name = *value = NULL;
	return error_set(err, ERR_INVALID, "the query holds a bad percent escape");
}

char *http_request_query(const struct http_request *request, const char *name)
{
	const char *position = request->query;

	while (position) {
		struct error ignored = {0};
		cleanup_free char *key = NULL;
		cleanup_free char *value = NULL;

		if (http_query_next(&position, &key, &value, &ignored) == 1 && str_equal(key, name))
			return steal(&value);
	}
	return NULL;
}
