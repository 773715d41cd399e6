/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The strict parser, chunks, percent encoding, queries, and problems both ways. */
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/message.h"
#include "http/problem.h"

#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* After the above: */
#include <cmocka.h>

/* Parses a copy of exactly that size, so that a sanitizer sees every byte read too far. */
static int parse(
	const char *text, size_t len, struct http_request *request, char **copy, struct error *err)
{
	*copy = xmemdup(text, len);
	return http_request_parse(*copy, len, request, err);
}

#define HOST "Host: a\r\n"
#define END  "\r\n"

struct refused {
	const char *name;
	const char *head;
	size_t len; /* 0: strlen */
	int status;
};

#define ROW(name, head)            \
	{                          \
		name, head, 0, 400 \
	}
#define ROW_BYTES(name, head)                     \
	{                                         \
		name, head, sizeof(head) - 1, 400 \
	}
#define ROW_STATUS(name, head, s) \
	{                         \
		name, head, 0, s  \
	}

static const struct refused refused[] = {
	ROW("both lengths", "POST / HTTP/1.1\r\n" HOST
			    "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n" END),
	ROW("both lengths, other order", "POST / HTTP/1.1\r\n" HOST
					 "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n" END),
	ROW("two lengths",
		"POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Length: 4\r\n" END),
	ROW("two equal lengths",
		"POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\ncontent-length: 3\r\n" END),
	ROW("list of lengths", "POST / HTTP/1.1\r\n" HOST "Content-Length: 3, 3\r\n" END),
	ROW("signed length", "POST / HTTP/1.1\r\n" HOST "Content-Length: +3\r\n" END),
	ROW("negative length", "POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n" END),
	ROW("empty length", "POST / HTTP/1.1\r\n" HOST "Content-Length: \r\n" END),
	ROW("hex length", "POST / HTTP/1.1\r\n" HOST "Content-Length: 0x10\r\n" END),
	ROW("huge length",
		"POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n" END),
	ROW("gzip coding", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n" END),
	ROW("chunked twice", "POST / HTTP/1.1\r\n" HOST
			     "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" END),
	ROW("odd chunked", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n" END),
	ROW("chunked with 1.0", "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n" END),
	ROW("no host", "GET / HTTP/1.1\r\n" END),
	ROW("no host in 1.0", "GET / HTTP/1.0\r\n" END),
	ROW("two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n" END),
	ROW("empty host", "GET / HTTP/1.1\r\nHost:\r\n" END),
	ROW("host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n" END),
	ROW("host with a user", "GET / HTTP/1.1\r\nHost: u@a\r\n" END),
	ROW("two words as host", "GET / HTTP/1.1\r\nHost: a b\r\n" END),
	ROW("encoded slash", "GET /vms/..%2f..%2fetc HTTP/1.1\r\n" HOST END),
	ROW("encoded slash, capital", "GET /vms/a%2Fb HTTP/1.1\r\n" HOST END),
	ROW("encoded NUL", "GET /a%00b HTTP/1.1\r\n" HOST END),
	ROW("escape cut", "GET /a%2 HTTP/1.1\r\n" HOST END),
	ROW("escape cut to nothing", "GET /a% HTTP/1.1\r\n" HOST END),
	ROW("escape of no hex", "GET /a%zz HTTP/1.1\r\n" HOST END),
	ROW("escaped newline", "GET /a%0ab HTTP/1.1\r\n" HOST END),
	ROW("escaped no UTF-8", "GET /a%ffb HTTP/1.1\r\n" HOST END),
	ROW("raw byte above ASCII", "GET /a\xc3\xa4 HTTP/1.1\r\n" HOST END),
	ROW("fragment", "GET /a#b HTTP/1.1\r\n" HOST END),
	ROW("folded header", "GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n" END),
	ROW("folded first header", "GET / HTTP/1.1\r\n X: a\r\n" HOST END),
	ROW("blank before the colon", "GET / HTTP/1.1\r\n" HOST "X : a\r\n" END),
	ROW("no colon", "GET / HTTP/1.1\r\n" HOST "X\r\n" END),
	ROW("no name", "GET / HTTP/1.1\r\n" HOST ": a\r\n" END),
	ROW("bad name", "GET / HTTP/1.1\r\n" HOST "X(): a\r\n" END),
	ROW("bare CR in a value", "GET / HTTP/1.1\r\n" HOST "X: a\rb\r\n" END),
	ROW("bare LF", "GET / HTTP/1.1\n" HOST END),
	ROW("bare LF in headers", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n" END),
	ROW_BYTES("NUL in a value", "GET / HTTP/1.1\r\n" HOST "X: a\0b\r\n" END),
	ROW_BYTES("NUL in the target", "GET /a\0b HTTP/1.1\r\n" HOST END),
	ROW_BYTES("NUL in a name", "GET / HTTP/1.1\r\n" HOST "X\0: b\r\n" END),
	ROW("control in a value", "GET / HTTP/1.1\r\n" HOST "X: a\x01\r\n" END),
	ROW("no method", " / HTTP/1.1\r\n" HOST END),
	ROW("bad method", "G(T / HTTP/1.1\r\n" HOST END),
	ROW("long method", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJ / HTTP/1.1\r\n" HOST END),
	ROW("no target", "GET  HTTP/1.1\r\n" HOST END),
	ROW("two blanks", "GET  / HTTP/1.1\r\n" HOST END),
	ROW("blank in the target", "GET /a b HTTP/1.1\r\n" HOST END),
	ROW("tab for a blank", "GET\t/ HTTP/1.1\r\n" HOST END),
	ROW("no version", "GET /\r\n" HOST END),
	ROW("long version", "GET / HTTP/1.10\r\n" HOST END),
	ROW("lower case version", "GET / http/1.1\r\n" HOST END),
	ROW("blank behind the version", "GET / HTTP/1.1 \r\n" HOST END),
	ROW_STATUS("version 2", "GET / HTTP/2.0\r\n" HOST END, 505),
	ROW_STATUS("version 1.2", "GET / HTTP/1.2\r\n" HOST END, 505),
	ROW("target without slash", "GET a HTTP/1.1\r\n" HOST END),
	ROW("asterisk", "OPTIONS * HTTP/1.1\r\n" HOST END),
	ROW("authority form", "CONNECT a:80 HTTP/1.1\r\n" HOST END),
	ROW("other scheme", "GET ftp://a/ HTTP/1.1\r\n" HOST END),
	ROW("user in absolute form", "GET http://u@a/ HTTP/1.1\r\n" HOST END),
	ROW("no host in absolute form", "GET http:///x HTTP/1.1\r\n" HOST END),
	ROW_STATUS("expectation", "GET / HTTP/1.1\r\n" HOST "Expect: tea\r\n" END, 417),
	ROW("bytes behind", "GET / HTTP/1.1\r\n" HOST END "x"),
	ROW("section cut", "GET / HTTP/1.1\r\n" HOST),
	ROW("nothing", "\r\n"),
	ROW("TLS", "\x16\x03\x01\x02\n"),
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		const struct refused *row = &refused[i];
		struct http_request request;
		struct error err = {0};
		cleanup_free char *copy = NULL;
		size_t len = row->len ? row->len : strlen(row->head);

		if (parse(row->head, len, &request, &copy, &err) == 0)
			fail_msg("accepted: %s", row->name);
		if (err.code != ERR_INVALID || request.status != row->status)
			fail_msg("%s: code %d, status %d", row->name, err.code, request.status);
		assert_true(err.message[0]);
		assert_non_null(request.method);
		assert_non_null(request.path);
	}
}

static void test_accepted(void **state)
{
	static const char head[] = "DELETE /vms/web%20one/runstate?a=b&c HTTP/1.1\r\n"
				   "hOST: virt1:8080\r\nX-Empty:\r\nX-Pad: \t a b \t\r\n"
				   "Content-Length: 5\r\nExpect: 100-Continue\r\n\r\n";
	struct http_request request;
	struct error err = {0};
	cleanup_free char *copy = NULL;

	(void)state;
	assert_int_equal(parse(head, sizeof(head) - 1, &request, &copy, &err), 0);
	assert_string_equal(request.method, "DELETE");
	assert_string_equal(request.target, "/vms/web%20one/runstate?a=b&c");
	assert_string_equal(request.path, "/vms/web one/runstate");
	assert_string_equal(request.query, "a=b&c");
	assert_string_equal(request.host, "virt1:8080");
	assert_int_equal(request.content_length, 5);
	assert_true(request.expects_continue);
	assert_true(request.keep_alive);
	assert_false(request.chunked);
	assert_string_equal(http_request_header(&request, "x-empty"), "");
	assert_string_equal(http_request_header(&request, "X-PAD"), "a b");
	assert_null(http_request_header(&request, "X-Other"));
}

static void test_absolute_form_and_odd_hosts(void **state)
{
	static const struct {
		const char *head;
		const char *host;
		const char *path;
		const char *query;
	} rows[] = {
		{"GET http://other:1/x?y HTTP/1.1\r\nHost: a\r\n\r\n", "other:1", "/x", "y"},
		{"GET HTTP://other HTTP/1.1\r\nHost: a\r\n\r\n", "other", "/", ""},
		{"GET https://other?q HTTP/1.1\r\nHost: a\r\n\r\n", "other", "/", "q"},
		{"GET /x? HTTP/1.1\r\nHost: :8080\r\n\r\n", ":8080", "/x", ""},
		{"GET //x//y HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", "[::1]:8080", "//x//y", ""},
		{"GET /%c3%A4?%zz HTTP/1.1\r\nHost: a\r\n\r\n", "a", "/\xc3\xa4", "%zz"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_request request;
		struct error err = {0};
		cleanup_free char *copy = NULL;

		if (parse(rows[i].head, strlen(rows[i].head), &request, &copy, &err))
			fail_msg("%s: %s", rows[i].head, err.message);
		assert_string_equal(request.host, rows[i].host);
		assert_string_equal(request.path, rows[i].path);
		assert_string_equal(request.query, rows[i].query);
	}
}

static void test_keep_alive(void **state)
{
	static const struct {
		const char *head;
		bool keep;
	} rows[] = {
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n", false},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n", true},
		{"GET / HTTP/1.0\r\nHost: a\r\n\r\n", false},
		{"GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n", true},
		{"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive, close\r\n\r\n", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_request request;
		struct error err = {0};
		cleanup_free char *copy = NULL;

		assert_int_equal(
			parse(rows[i].head, strlen(rows[i].head), &request, &copy, &err), 0);
		if (request.keep_alive != rows[i].keep)
			fail_msg("%s", rows[i].head);
	}
}

static int parse_with_headers(unsigned count)
{
	cleanup_buf struct printbuf *head = buf_new();
	struct http_request request;
	struct error err = {0};
	cleanup_free char *copy = NULL;

	buf_text(head, "GET / HTTP/1.1\r\nHost: a\r\n");
	for (unsigned i = 1; i < count; i++)
		buf_format(head, "X-%u: %u\r\n", i, i);
	buf_text(head, "\r\n");
	return parse(head->buf, (size_t)head->bpos, &request, &copy, &err);
}

static void test_number_of_headers(void **state)
{
	(void)state;
	assert_int_equal(parse_with_headers(HTTP_MAX_HEADERS), 0);
	assert_int_equal(parse_with_headers(HTTP_MAX_HEADERS + 1), -1);
}

static void test_path_length(void **state)
{
	(void)state;
	for (size_t len = HTTP_MAX_PATH - 1; len <= HTTP_MAX_PATH; len++) {
		char path[HTTP_MAX_PATH + 1];
		struct http_request request;
		struct error err = {0};
		cleanup_free char *head = NULL;

		memset(path, 'a', len);
		path[0] = '/';
		path[len] = '\0';
		head = xasprintf("GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
		assert_int_equal(http_request_parse(head, strlen(head), &request, &err),
			len < HTTP_MAX_PATH ? 0 : -1);
		if (len == HTTP_MAX_PATH)
			assert_int_equal(request.status, 414);
	}
}

static void test_head_length(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\nrest";
	size_t whole = sizeof(text) - 1 - 4;
	size_t scanned = 0;

	(void)state;
	for (size_t len = 0; len < sizeof(text); len++)
		assert_int_equal(http_head_length(text, len, &scanned), len < whole ? 0 : whole);
	scanned = 0;
	assert_int_equal(http_head_length("a\n\nb", 4, &scanned), 3);
}

/* Decodes a chunked body that comes in pieces of that size; NULL when it is bad or incomplete. */
static char *decode_chunks(const char *text, size_t len, size_t piece, size_t *rest)
{
	struct http_chunks chunks = {0};
	struct printbuf *out = buf_new();
	enum http_chunk_step step = HTTP_CHUNK_MORE;
	size_t at = 0;

	buf_text(out, "");
	while (at < len && step != HTTP_CHUNK_END && step != HTTP_CHUNK_BAD) {
		size_t some = len - at < piece ? len - at : piece;
		size_t used;
		size_t data;

		step = http_chunks_next(&chunks, text + at, some, &used, &data);
		assert_true(used <= some && data <= used);
		buf_append(out, text + at + used - data, data);
		at += used;
	}
	*rest = len - at;
	if (step == HTTP_CHUNK_END)
		return buf_steal(out);
	buf_free(out);
	return NULL;
}

static void test_chunks(void **state)
{
	static const char good[] = "5;x=y\r\nhello\r\n00A \r\n, world 12\r\n0\r\nX-T: a\r\n\r\nGET";
	static const char *const bad[] = {"\r\n", "g\r\n", "5\nhello", "5\r\nhelloX",
		"5\r\nhello\rX", "-1\r\n", "fffffffffffffffff\r\n", "10000000000000000\r\n",
		"0\r\nX\r\n\rX", "5 x\x01\r\n", "0x5\r\nhello\r\n", " 5\r\nhello\r\n"};
	size_t rest;

	(void)state;
	for (size_t piece = 1; piece < sizeof(good); piece++) {
		cleanup_free char *text = decode_chunks(good, sizeof(good) - 1, piece, &rest);

		assert_non_null(text);
		assert_string_equal(text, "hello, world 12");
		assert_int_equal(rest, 3);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cleanup_free char *text = decode_chunks(bad[i], strlen(bad[i]), 100, &rest);

		if (text)
			fail_msg("accepted: %s", bad[i]);
	}
}

static void test_chunk_overhead_is_bounded(void **state)
{
	cleanup_buf struct printbuf *text = buf_new();
	size_t rest;

	(void)state;
	buf_text(text, "0\r\n");
	for (int i = 0; i < 1000; i++)
		buf_text(text, "X-Trailer: a\r\n");
	buf_text(text, "\r\n");
	assert_null(decode_chunks(text->buf, (size_t)text->bpos, 4096, &rest));
}

static void test_percent(void **state)
{
	char bad[][8] = {"%", "a%4", "%00", "%g0", "%0g"};
	char good[] = "a%20b%41%2Fz";
	cleanup_free char *encoded = http_percent_encode("a b/\xc3\xa4~-._%");

	(void)state;
	assert_true(http_percent_decode(good));
	assert_string_equal(good, "a bA/z");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(http_percent_decode(bad[i]));
	assert_string_equal(encoded, "a%20b%2F%C3%A4~-._%25");
	assert_true(http_percent_decode(encoded));
	assert_string_equal(encoded, "a b/\xc3\xa4~-._%");
}

static void test_query(void **state)
{
	struct http_request request = {
		.query = "&name=web+1&&flag&empty=&x=a%3Db%26=c&bad=%zz&n=%ff"};
	const char *position = request.query;
	struct error err = {0};
	char *name;
	char *value;
	int count = 0;

	(void)state;
	static const char *const expected[][2] = {
		{"name", "web 1"}, {"flag", ""}, {"empty", ""}, {"x", "a=b&=c"}};
	for (; http_query_next(&position, &name, &value, &err) == 1; count++) {
		assert_true(count < 4);
		assert_string_equal(name, expected[count][0]);
		assert_string_equal(value, expected[count][1]);
		free(name);
		free(value);
	}
	assert_int_equal(count, 4);
	assert_int_equal(err.code, ERR_INVALID);

	cleanup_free char *found = http_request_query(&request, "x");
	assert_string_equal(found, "a=b&=c");
	assert_null(http_request_query(&request, "bad"));
	assert_null(http_request_query(&request, "n"));
	assert_null(http_request_query(&request, "other"));
	position = "";
	assert_int_equal(http_query_next(&position, &name, &value, &err), 0);
	assert_null(position);
}

static void test_reply(void **state)
{
	char good[] = "HTTP/1.1 204 \r\nContent-Length: 0\r\nWarning: 299 x\r\n\r\n";
	char bare[] = "HTTP/1.0 200\r\n\r\n";
	char bad[][64] = {"SSH-2.0-x\r\n\r\n", "HTTP/1.1 20 x\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n",
		"HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"};
	struct http_reply reply;
	struct error err = {0};

	(void)state;
	assert_int_equal(http_reply_parse(good, strlen(good), &reply, &err), 0);
	assert_int_equal(reply.status, 204);
	assert_true(reply.keep_alive);
	assert_int_equal(reply.content_length, 0);
	assert_int_equal(reply.n_headers, 2);
	assert_int_equal(http_reply_parse(bare, strlen(bare), &reply, &err), 0);
	assert_false(reply.keep_alive);
	assert_int_equal(reply.content_length, -1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		error_clear(&err);
		assert_int_equal(http_reply_parse(bad[i], strlen(bad[i]), &reply, &err), -1);
		assert_int_equal(err.code, ERR_FORWARD);
	}
}

static void test_problem(void **state)
{
	struct http_request request = {.target = "/vms/x?secret=1"};
	struct http_response response = {0};
	struct error err = {0};
	struct error back = {0};
	struct json_object *json;

	(void)state;
	error_set(&err, ERR_NOT_FOUND, "no VM \"%s\"", "x");
	error_hint(&err, "list them");
	http_problem_set(&response, &request, &err, 0, "virt1");
	assert_int_equal(response.status, 404);
	assert_string_equal(response.type, HTTP_PROBLEM_TYPE);
	json = json_tokener_parse(http_body_data(response.body));
	assert_non_null(json);
	static const char *const members[][2] = {{"type", "about:blank"}, {"title", "Not found"},
		{"detail", "no VM \"x\""}, {"instance", "/vms/x"}, {"code", "not-found"},
		{"host", "virt1"}, {"hint", "list them"}};
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		assert_string_equal(
			json_object_get_string(json_object_object_get(json, members[i][0])),
			members[i][1]);
	assert_int_equal(json_object_get_int(json_object_object_get(json, "status")), 404);
	json_object_put(json);
	assert_int_equal(http_problem_read(404, response.type, http_body_data(response.body),
				 http_body_len(response.body), &back),
		-1);
	assert_int_equal(back.code, ERR_NOT_FOUND);
	assert_string_equal(back.message, err.message);
	assert_string_equal(back.hint, err.hint);
	http_body_unref(response.body);
}

static void test_problem_of_others(void **state)
{
	static const struct {
		int status;
		const char *type;
		const char *body;
		enum error_code code;
		const char *message;
	} rows[] = {
		{424, "text/plain", "invalid parameters\n", ERR_HYPERVISOR, "invalid parameters"},
		{404, NULL, "", ERR_NOT_FOUND, "Not Found"},
		{500, "text/html", "<b>\x1b[31mx\r\n\r\ny\xff</b>", ERR_INTERNAL,
			"<b> [31mx y?</b>"},
		{502, HTTP_PROBLEM_TYPE, "{", ERR_FORWARD, "{"},
		{409, HTTP_PROBLEM_TYPE, "{\"detail\":\"a\\u001b[2Jb\"}", ERR_BUSY, "a [2Jb"},
		{409, HTTP_PROBLEM_TYPE, "{\"title\":\"T\",\"code\":\"exists\"}", ERR_EXISTS, "T"},
		{499, HTTP_PROBLEM_TYPE, "[]", ERR_INVALID, "[]"},
		{599, HTTP_PROBLEM_TYPE, "{\"detail\":5}", ERR_INTERNAL, "{\"detail\":5}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error err = {0};

		assert_int_equal(http_problem_read(rows[i].status, rows[i].type, rows[i].body,
					 strlen(rows[i].body), &err),
			-1);
		assert_int_equal(err.code, rows[i].code);
		assert_string_equal(err.message, rows[i].message);
	}
}

static void test_statuses(void **state)
{
	(void)state;
	assert_int_equal(http_status_of(ERR_NONE), 500);
	for (int code = ERR_INVALID; code < ERR_CONNECT; code++) {
		int status = http_status_of((enum error_code)code);

		assert_true(status >= 400 && status < 600);
		assert_string_not_equal(http_status_reason(status), "Unknown");
	}
	assert_string_equal(http_status_reason(299), "Unknown");
}

static void test_response_headers_cannot_be_broken_out_of(void **state)
{
	struct http_response response = {0};

	(void)state;
	http_response_header(&response, "X-A", "b\r\nSet-Cookie: c");
	http_response_header(&response, "X\r\n-B:", "\n");
	assert_string_equal(response.headers, "X-A: bSet-Cookie: c\r\nX-B: \r\n");
	free(response.headers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_absolute_form_and_odd_hosts),
		cmocka_unit_test(test_keep_alive),
		cmocka_unit_test(test_number_of_headers),
		cmocka_unit_test(test_path_length),
		cmocka_unit_test(test_head_length),
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_chunk_overhead_is_bounded),
		cmocka_unit_test(test_percent),
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_reply),
		cmocka_unit_test(test_problem),
		cmocka_unit_test(test_problem_of_others),
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_response_headers_cannot_be_broken_out_of),
	};

	return cmocka_run_group_tests_name("http message", tests, NULL, NULL);
}
