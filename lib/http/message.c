/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The strict parser of HTTP/1.1 heads (RFC 9112). What two programs could read in two ways is
 * refused, not guessed, because that is what request smuggling lives on.
 */
#include "http/message.h"

#include "base/str.h"

#include <string.h>
#include <strings.h>

/* A cursor over the section; every line in it ends with CRLF. */
struct scanner {
	char *at;
	char *end;
};

/* What the headers say about the body and the connection, for both directions. */
struct framing {
	int64_t content_length;
	bool chunked;
	bool close;
	bool keep_alive;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_token_char(char c)
{
	if (is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
		return true;
	return c && strchr("!#$%&'*+-.^_`|~", c);
}

size_t http_head_length(const char *buffer, size_t len, size_t *scanned)
{
	size_t from = *scanned;
	const char *newline;

	while ((newline = memchr(buffer + from, '\n', len - from))) {
		size_t next = (size_t)(newline - buffer) + 1;

		if (next < len && buffer[next] == '\n')
			return next + 1;
		if (next + 1 < len && buffer[next] == '\r' && buffer[next + 1] == '\n')
			return next + 2;
		if (next + 1 >= len) {
			*scanned = next - 1;
			return 0;
		}
		from = next;
	}
	*scanned = len;
	return 0;
}

/* The next line, NUL-terminated in place; NULL when it does not end with CRLF or holds control
 * bytes. */
static char *next_line(struct scanner *scan, size_t *len)
{
	char *line = scan->at;
	char *newline = memchr(line, '\n', (size_t)(scan->end - line));

	if (!newline || newline == line || newline[-1] != '\r')
		return NULL;
	newline[-1] = '\0';
	scan->at = newline + 1;
	*len = (size_t)(newline - 1 - line);
	for (char *c = line; c < newline - 1; c++)
		if ((unsigned char)*c < ' ' ? *c != '\t' : *c == 0x7f)
			return NULL;
	return line;
}

/* Splits "Name: value" in place; false when it is not that. */
static bool split_header(char *line, size_t len, struct http_header *header)
{
	char *colon = line;
	char *value;
	char *end = line + len;

	while (is_token_char(*colon))
		colon++;
	if (colon == line || *colon != ':')
		return false;
	*colon = '\0';
	value = colon + 1;
	while (*value == ' ' || *value == '\t')
		value++;
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = '\0';
	header->name = line;
	header->value = value;
	return true;
}

/* Reads the lines up to the empty one, which must be the last thing in the section. */
static int parse_headers(
	struct scanner *scan, struct http_header *headers, size_t *count, struct error *err)
{
	*count = 0;
	for (;;) {
		size_t len = 0;
		char *line = next_line(scan, &len);

		if (!line)
			return error_set(err, ERR_INVALID,
				"a header line holds control characters or does not end in CRLF");
		if (len == 0)
			break;
		if (*line == ' ' || *line == '\t')
			return error_set(err, ERR_INVALID, "a folded header line");
		if (*count == HTTP_MAX_HEADERS)
			return error_set(
				err, ERR_INVALID, "more than %d headers", HTTP_MAX_HEADERS);
		if (!split_header(line, len, &headers[*count]))
			return error_set(err, ERR_INVALID, "a header line is not \"Name: value\"");
		(*count)++;
	}
	if (scan->at != scan->end)
		return error_set(err, ERR_INVALID, "bytes behind the header section");
	return 0;
}

static bool list_has(const char *list, const char *word)
{
	size_t len = strlen(word);

	while (*list) {
		size_t item = strcspn(list, ", \t");

		if (item == len && strncasecmp(list, word, len) == 0)
			return true;
		list += item;
		list += strspn(list, ", \t");
	}
	return false;
}

static int parse_length(const char *value, struct framing *framing, struct error *err)
{
	if (framing->content_length >= 0)
		return error_set(err, ERR_INVALID, "more than one Content-Length");
	if (!is_digit(*value) || !str_parse_int(value, 0, INT64_MAX, &framing->content_length))
		return error_set(err, ERR_INVALID, "Content-Length is not a number");
	return 0;
}

static int parse_framing(
	const struct http_header *headers, size_t count, struct framing *framing, struct error *err)
{
	*framing = (struct framing){.content_length = -1};
	for (size_t i = 0; i < count; i++) {
		const char *name = headers[i].name;
		const char *value = headers[i].value;

		if (strcasecmp(name, "Content-Length") == 0) {
			if (parse_length(value, framing, err))
				return -1;
		} else if (strcasecmp(name, "Transfer-Encoding") == 0) {
			if (framing->chunked || strcasecmp(value, "chunked") != 0)
				return error_set(
					err, ERR_INVALID, "a Transfer-Encoding other than chunked");
			framing->chunked = true;
		} else if (strcasecmp(name, "Connection") == 0) {
			framing->close |= list_has(value, "close");
			framing->keep_alive |= list_has(value, "keep-alive");
		}
	}
	if (framing->chunked && framing->content_length >= 0)
		return error_set(err, ERR_INVALID, "both Content-Length and Transfer-Encoding");
	return 0;
}

/* Fails with the status to answer with. */
static int refuse(struct http_request *request, int status, struct error *err, const char *why)
{
	request->status = status;
	return error_set(err, ERR_INVALID, "%s", why);
}

static bool is_host(const char *host)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789.-_~%:[]!$&'()*+;=";

	return *host && host[strspn(host, allowed)] == '\0';
}

/* "GET /path?query HTTP/1.1": splits it in place and says the minor version. */
static int parse_request_line(
	char *line, struct http_request *request, int *minor, struct error *err)
{
	char *target;
	char *version;
	char *c = line;

	while (is_token_char(*c))
		c++;
	if (c == line || *c != ' ' || c - line > 32)
		return refuse(request, 400, err, "the request line does not start with a method");
	*c++ = '\0';
	target = c;
	while (*c > ' ' && *c < 0x7f && *c != '#')
		c++;
	if (c == target || *c != ' ')
		return refuse(request, 400, err, "the request target is missing or not encoded");
	*c++ = '\0';
	version = c;
	request->method = line;
	request->target = target;
	if (strncmp(version, "HTTP/", 5) != 0 || !is_digit(version[5]) || version[6] != '.' ||
		!is_digit(version[7]) || version[8])
		return refuse(request, 400, err, "the request line does not end in a version");
	if (version[5] != '1' || version[7] > '1')
		return refuse(request, 505, err, "only HTTP/1.1 and HTTP/1.0 are spoken here");
	*minor = version[7] - '0';
	return 0;
}

/* Takes the authority of an absolute-form target as the host; *rest is its path and query. */
static int parse_authority(struct http_request *request, const char **rest, struct error *err)
{
	const char *authority = request->target;
	size_t len;

	if (strncasecmp(authority, "http://", 7) == 0)
		authority += 7;
	else if (strncasecmp(authority, "https://", 8) == 0)
		authority += 8;
	else
		return refuse(request, 400, err, "the request target is not a path");
	len = strcspn(authority, "/?");
	if (len >= sizeof(request->host_storage))
		return refuse(request, 414, err, "the host in the request target is too long");
	memcpy(request->host_storage, authority, len);
	request->host_storage[len] = '\0';
	if (!is_host(request->host_storage))
		return refuse(request, 400, err, "the host in the request target is not one");
	request->host = request->host_storage;
	*rest = authority + len;
	return 0;
}

static bool has_forbidden_escape(const char *path)
{
	for (; (path = strchr(path, '%')); path++)
		if (strncasecmp(path, "%2f", 3) == 0 || strncmp(path, "%00", 3) == 0)
			return true;
	return false;
}

/* Path and query, from what stands behind the authority. */
static int parse_path(struct http_request *request, const char *from, struct error *err)
{
	size_t len = strcspn(from, "?");
	char *path = request->path_storage;

	if (len >= HTTP_MAX_PATH)
		return refuse(request, 414, err, "the path is too long");
	memcpy(path, from, len);
	path[len] = '\0';
	if (len == 0) /* http://host and http://host?query */
		memcpy(path, "/", 2);
	request->query = from[len] == '?' ? from + len + 1 : "";
	if (has_forbidden_escape(path))
		return refuse(request, 400, err, "%2f and %00 are not accepted in a path");
	if (!http_percent_decode(path))
		return refuse(request, 400, err, "the path holds a bad percent escape");
	if (str_has_control(path) || !str_is_utf8(path))
		return refuse(request, 400, err, "the path is not plain UTF-8 text");
	request->path = path;
	return 0;
}

/* Host, and the headers that only requests have. */
static int parse_special(struct http_request *request, struct error *err)
{
	bool found = false;

	for (size_t i = 0; i < request->n_headers; i++) {
		const struct http_header *header = &request->headers[i];

		if (strcasecmp(header->name, "Host") == 0) {
			if (found)
				return refuse(request, 400, err, "more than one Host");
			if (!is_host(header->value))
				return refuse(request, 400, err, "the Host header is not a host");
			found = true;
			if (!*request->host)
				request->host = header->value;
		} else if (strcasecmp(header->name, "Expect") == 0) {
			if (strcasecmp(header->value, "100-continue") != 0)
				return refuse(request, 417, err, "only 100-continue is expected");
			request->expects_continue = true;
		}
	}
	return found ? 0 : refuse(request, 400, err, "the Host header is missing");
}

static void request_clear(struct http_request *request)
{
	request->path_storage[0] = '\0';
	request->method = request->target = request->query = request->host = request->body = "";
	request->client = "";
	request->path = request->path_storage;
	request->keep_alive = request->expects_continue = request->chunked = false;
	request->is_http_1_0 = false;
	request->content_length = -1;
	request->n_headers = request->body_len = 0;
	request->status = 400;
	request->client_is_peer = false;
	request->id[0] = '\0';
}

int http_request_parse(char *buffer, size_t len, struct http_request *request, struct error *err)
{
	struct scanner scan = {buffer, buffer + len};
	struct framing framing;
	const char *path;
	size_t line_len;
	char *line;
	int minor = 1;

	request_clear(request);
	line = next_line(&scan, &line_len);
	if (!line)
		return refuse(request, 400, err,
			"the request line holds control characters or does not end in CRLF");
	if (parse_request_line(line, request, &minor, err) ||
		parse_headers(&scan, request->headers, &request->n_headers, err) ||
		parse_framing(request->headers, request->n_headers, &framing, err))
		return -1;
	path = request->target;
	if (*path != '/' && parse_authority(request, &path, err))
		return -1;
	if (parse_special(request, err) || parse_path(request, path, err))
		return -1;
	if (minor == 0 && framing.chunked)
		return refuse(request, 400, err, "HTTP/1.0 has no Transfer-Encoding");
	request->content_length = framing.content_length;
	request->chunked = framing.chunked;
	request->is_http_1_0 = minor == 0;
	request->expects_continue &= minor == 1;
	request->keep_alive = !framing.close && (minor == 1 || framing.keep_alive);
	return 0;
}

/* "HTTP/1.1 200 OK" */
static bool parse_status_line(const char *line, int *status, bool *keep_alive)
{
	if (strncmp(line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1') ||
		line[8] != ' ')
		return false;
	if (!is_digit(line[9]) || !is_digit(line[10]) || !is_digit(line[11]))
		return false;
	if (line[12] && line[12] != ' ')
		return false;
	*status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
	*keep_alive = line[7] == '1';
	return *status >= 100;
}

int http_reply_parse(char *buffer, size_t len, struct http_reply *reply, struct error *err)
{
	struct scanner scan = {buffer, buffer + len};
	struct framing framing;
	struct error cause = {0};
	bool keep_alive = false;
	size_t line_len;
	char *line = next_line(&scan, &line_len);

	if (!line || !parse_status_line(line, &reply->status, &keep_alive))
		return error_set(err, ERR_FORWARD, "the answer is not HTTP");
	if (parse_headers(&scan, reply->headers, &reply->n_headers, &cause) ||
		parse_framing(reply->headers, reply->n_headers, &framing, &cause))
		return error_set(err, ERR_FORWARD, "the answer is malformed: %s", cause.message);
	reply->content_length = framing.content_length;
	reply->chunked = framing.chunked;
	reply->keep_alive = !framing.close && (keep_alive || framing.keep_alive);
	return 0;
}

const char *http_request_header(const struct http_request *request, const char *name)
{
	for (size_t i = 0; i < request->n_headers; i++)
		if (strcasecmp(request->headers[i].name, name) == 0)
			return request->headers[i].value;
	return NULL;
}
