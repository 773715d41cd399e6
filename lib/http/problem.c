/* SPDX-License-Identifier: GPL-2.0-or-later */
/* problem+json (RFC 9457) in both directions, and the one mapping of error codes to statuses. */
#include "http/problem.h"

#include "base/mem.h"
#include "base/str.h"

#include <json-c/json.h>
#include <string.h>
#include <strings.h>

static const short statuses[ERR_CODE_COUNT] = {
	[ERR_INVALID] = 400,
	[ERR_FORBIDDEN] = 403,
	[ERR_NOT_FOUND] = 404,
	[ERR_METHOD] = 405,
	[ERR_BUSY] = 409,
	[ERR_AMBIGUOUS] = 409,
	[ERR_EXISTS] = 409,
	[ERR_CHANGED] = 412,
	[ERR_TOO_LARGE] = 413,
	[ERR_MEDIA_TYPE] = 415,
	[ERR_STATE] = 422,
	[ERR_CAPACITY] = 422,
	[ERR_UNSUPPORTED] = 422,
	[ERR_HYPERVISOR] = 424,
	[ERR_REGISTER] = 424,
	[ERR_SEED] = 424,
	[ERR_MIGRATION] = 424,
	[ERR_STORED_DATA] = 500,
	[ERR_INTERNAL] = 500,
	[ERR_NOT_IMPLEMENTED] = 501,
	[ERR_FORWARD] = 502,
	[ERR_CONNECT] = 502,
	[ERR_UNAVAILABLE] = 503,
	[ERR_DRAINED] = 503,
	[ERR_CANCELLED] = 503,
	[ERR_TIMEOUT] = 504,
	[ERR_STORAGE] = 507,
	[ERR_LEASE] = 507,
	[ERR_LOOP] = 508,
};

/* Sorted by status; code is what an answer without one of its own means. */
static const struct {
	int status;
	enum error_code code;
	const char *reason;
} reasons[] = {
	{100, ERR_NONE, "Continue"},
	{200, ERR_NONE, "OK"},
	{201, ERR_NONE, "Created"},
	{202, ERR_NONE, "Accepted"},
	{204, ERR_NONE, "No Content"},
	{304, ERR_NONE, "Not Modified"},
	{400, ERR_INVALID, "Bad Request"},
	{401, ERR_FORBIDDEN, "Unauthorized"},
	{403, ERR_FORBIDDEN, "Forbidden"},
	{404, ERR_NOT_FOUND, "Not Found"},
	{405, ERR_METHOD, "Method Not Allowed"},
	{408, ERR_TIMEOUT, "Request Timeout"},
	{409, ERR_BUSY, "Conflict"},
	{412, ERR_CHANGED, "Precondition Failed"},
	{413, ERR_TOO_LARGE, "Content Too Large"},
	{414, ERR_INVALID, "URI Too Long"},
	{415, ERR_MEDIA_TYPE, "Unsupported Media Type"},
	{417, ERR_INVALID, "Expectation Failed"},
	{422, ERR_STATE, "Unprocessable Content"},
	{424, ERR_HYPERVISOR, "Failed Dependency"},
	{429, ERR_UNAVAILABLE, "Too Many Requests"},
	{431, ERR_INVALID, "Request Header Fields Too Large"},
	{500, ERR_INTERNAL, "Internal Server Error"},
	{501, ERR_NOT_IMPLEMENTED, "Not Implemented"},
	{502, ERR_FORWARD, "Bad Gateway"},
	{503, ERR_UNAVAILABLE, "Service Unavailable"},
	{504, ERR_TIMEOUT, "Gateway Timeout"},
	{505, ERR_INVALID, "HTTP Version Not Supported"},
	{507, ERR_STORAGE, "Insufficient Storage"},
	{508, ERR_LOOP, "Loop Detected"},
};

#define N_REASONS (sizeof(reasons) / sizeof(reasons[0]))

int http_status_of(enum error_code code)
{
	int status = (unsigned)code < ERR_CODE_COUNT ? statuses[code] : 0;

	return status ? status : 500;
}

const char *http_status_reason(int status)
{
	for (size_t i = 0; i < N_REASONS; i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

static enum error_code code_of_status(int status)
{
	for (size_t i = 0; i < N_REASONS; i++)
		if (reasons[i].status == status)
			return reasons[i].code;
	return status < 500 ? ERR_INVALID : ERR_INTERNAL;
}

static void add_text(struct json_object *json, const char *name, const char *text)
{
	if (!str_is_empty(text))
		json_object_object_add(json, name, json_object_new_string(text));
}

void http_problem_set(struct http_response *response, const struct http_request *request,
	const struct error *err, int status, const char *host)
{
	struct json_object *json = json_object_new_object();

	if (status == 0)
		status = http_status_of(err->code);
	add_text(json, "type", "about:blank");
	add_text(json, "title", error_code_title(err->code));
	json_object_object_add(json, "status", json_object_new_int(status));
	add_text(json, "detail", str_is_utf8(err->message) ? err->message : "not UTF-8");
	if (request) {
		cleanup_free char *path = xstrndup(request->target, strcspn(request->target, "?"));
		add_text(json, "instance", path);
	}
	add_text(json, "code", error_code_word(err->code));
	add_text(json, "host", host);
	add_text(json, "hint", str_is_utf8(err->hint) ? err->hint : "");
	http_response_json(response, status, json);
	response->type = HTTP_PROBLEM_TYPE;
	json_object_put(json);
}

/* The member's text, NULL when it is missing, empty or no string. */
static const char *member_text(struct json_object *json, const char *name)
{
	struct json_object *member;

	if (!json_object_object_get_ex(json, name, &member) ||
		!json_object_is_type(member, json_type_string))
		return NULL;
	return json_object_get_string_len(member) ? json_object_get_string(member) : NULL;
}

/* Copies what fits into size bytes without control characters, which a terminal would obey. */
static const char *copy_printable(char *out, size_t size, const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n < size - 1; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c >= ' ' && c != 0x7f)
			out[n++] = (char)c;
		else if (n && out[n - 1] != ' ')
			out[n++] = ' ';
	}
	while (n && out[n - 1] == ' ')
		n--;
	out[n] = '\0';
	if (!str_is_utf8(out))
		for (size_t i = 0; i < n; i++)
			if ((unsigned char)out[i] >= 0x80)
				out[i] = '?';
	return out;
}

/* False when the body is no problem document. */
static bool read_problem(int status, const char *body, size_t len, struct error *err)
{
	struct json_tokener *parser;
	struct json_object *json = NULL;
	const char *detail;
	const char *code;
	const char *hint;
	char text[sizeof(err->message)];

	if (len > HTTP_MAX_BODY)
		return false;
	parser = json_tokener_new();
	if (parser)
		json = json_tokener_parse_ex(parser, body, (int)len);
	json_tokener_free(parser);
	detail = member_text(json, "detail");
	if (!detail)
		detail = member_text(json, "title");
	if (!detail) {
		json_object_put(json);
		return false;
	}
	code = member_text(json, "code");
	hint = member_text(json, "hint");
	error_set(err, code ? error_code_parse(code) : code_of_status(status), "%s",
		copy_printable(text, sizeof(text), detail, strlen(detail)));
	if (hint)
		error_hint(err, "%s", copy_printable(text, sizeof(text), hint, strlen(hint)));
	json_object_put(json);
	return true;
}

int http_problem_read(int status, const char *type, const char *body, size_t len, struct error *err)
{
	size_t type_len = sizeof(HTTP_PROBLEM_TYPE) - 1;
	char text[301];

	if (type && strncasecmp(type, HTTP_PROBLEM_TYPE, type_len) == 0 &&
		read_problem(status, body, len, err))
		return -1;
	copy_printable(text, sizeof(text), body, len);
	return error_set(
		err, code_of_status(status), "%s", text[0] ? text : http_status_reason(status));
}
