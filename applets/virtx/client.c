/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests to the server, and what every command needs of its answers. */
#include "client.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/str.h"
#include "http/problem.h"
#include "output.h"

#include <strings.h>

#define GET_TIMEOUT_MS 60000

void client_warn(struct client *client, const char *text)
{
	cleanup_free char *safe = text_escape(text);

	fprintf(client->log, "virtx: warning: %s\n", safe);
}

void client_warn_unanswered(struct client *client, struct json_object *answer)
{
	struct json_object *list = json_at(answer, "unanswered");

	if (!json_object_is_type(list, json_type_array))
		return;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *host = json_object_array_get_idx(list, i);
		cleanup_free char *text = xasprintf("host %s gave no answer: %s",
			json_text_at(host, "name"), json_text_at(host, "detail"));

		client_warn(client, text);
	}
}

static void debug_text(struct client *client, const char *mark, const char *text)
{
	cleanup_free char *safe = text_escape(text);

	fprintf(client->log, "%s %s\n", mark, safe);
}

static void debug_request(
	struct client *client, const struct http_exchange *exchange, const char *body)
{
	cleanup_free char *line = xasprintf("%s %s", exchange->method, exchange->target);

	debug_text(client, ">", line);
	for (size_t i = 0; exchange->headers && exchange->headers[i][0]; i++) {
		cleanup_free char *header =
			xasprintf("%s: %s", exchange->headers[i][0], exchange->headers[i][1]);

		debug_text(client, ">", header);
	}
	if (body)
		debug_text(client, ">", body);
}

static void debug_response(struct client *client, const struct http_exchange *exchange)
{
	fprintf(client->log, "< %d %s\n", exchange->status, http_status_reason(exchange->status));
	for (size_t i = 0; i < exchange->n_response_headers; i++) {
		cleanup_free char *header = xasprintf("%s: %s", exchange->response_headers[i].name,
			exchange->response_headers[i].value);

		debug_text(client, "<", header);
	}
	if (exchange->response_len)
		debug_text(client, "<", exchange->response);
}

/* The text between the quotes of `299 VirtX "text"` (RFC 7234, 5.5). */
static void print_warning(struct client *client, const char *value)
{
	const char *quote = strchr(value, '"');
	cleanup_free char *text = xstrdup(quote ? quote + 1 : value);
	char *end = strrchr(text, '"');

	if (quote && end)
		*end = '\0';
	client_warn(client, text);
}

static int connect_once(struct client *client, struct error *err)
{
	const char *server = client->server;

	if (client->http)
		return 0;
	if (str_is_empty(server))
		server = getenv("VIRTX_API_SERVER");
	client->http = http_client_new(str_is_empty(server) ? CLIENT_SERVER : server, err);
	if (!client->http)
		err->code = ERR_USAGE;
	return client->http ? 0 : -1;
}

/* An answer that is none is as good as no server. */
static int no_server(struct error *err)
{
	if (err->code == ERR_FORWARD)
		err->code = ERR_CONNECT;
	if (err->code != ERR_CONNECT)
		return -1;
	return error_hint(err, "is virtxd running there? -A HOST[:PORT] or VIRTX_API_SERVER name "
			       "another server");
}

int client_exchange(struct client *client, struct http_exchange *exchange, struct json_object *body,
	struct error *err)
{
	cleanup_free char *text = body ? json_text(body) : NULL;

	if (connect_once(client, err) < 0)
		return -1;
	exchange->body = text;
	exchange->body_len = text ? strlen(text) : 0;
	if (client->debug)
		debug_request(client, exchange, text);
	if (!exchange->timeout_ms && str_equal(exchange->method, "GET"))
		exchange->timeout_ms = GET_TIMEOUT_MS;
	int result = http_client_exchange(client->http, exchange, err);

	exchange->body = NULL;
	if (result < 0)
		return no_server(err);
	if (client->debug)
		debug_response(client, exchange);
	for (size_t i = 0; i < exchange->n_response_headers; i++)
		if (strcasecmp(exchange->response_headers[i].name, "Warning") == 0)
			print_warning(client, exchange->response_headers[i].value);
	if (exchange->status >= 400)
		return http_problem_read(exchange->status,
			http_exchange_header(exchange, "Content-Type"), exchange->response,
			exchange->response_len, err);
	return 0;
}

static int not_json(const struct error *why, struct error *err)
{
	error_set(err, ERR_FORWARD, "the server's answer is not JSON: %s", why->message);
	return no_server(err);
}

int client_answer(
	const struct http_exchange *exchange, struct json_object **answer, struct error *err)
{
	struct error bad = {0};

	if (json_parse(exchange->response, exchange->response_len, answer, &bad) < 0)
		return not_json(&bad, err);
	return 0;
}

int client_get(struct client *client, const char *target, struct json_object *body,
	struct json_object **answer, struct error *err)
{
	cleanup_exchange struct http_exchange exchange = {.method = "GET", .target = target};

	*answer = NULL;
	if (client_exchange(client, &exchange, body, err) < 0)
		return -1;
	return client_answer(&exchange, answer, err);
}

int client_get_items(struct client *client, const char *target, struct json_object *body,
	json_take *take, void *context, struct json_object **answer, struct error *err)
{
	cleanup_exchange struct http_exchange exchange = {.method = "GET", .target = target};
	struct error bad = {0};

	*answer = NULL;
	if (client_exchange(client, &exchange, body, err) < 0)
		return -1;
	if (json_parse_list(exchange.response, exchange.response_len, "items", take, context,
		    answer, &bad) < 0)
		return not_json(&bad, err);
	return 0;
}

char *client_read_file(const char *path, size_t *len, struct error *err)
{
	cleanup_fclose FILE *opened = str_equal(path, "-") ? NULL : fopen(path, "re");
	FILE *file = str_equal(path, "-") ? stdin : opened;
	cleanup_buf struct printbuf *text = buf_new();
	char piece[16384];
	size_t got;

	if (!file) {
		error_set(err, ERR_INVALID, "cannot open %s: %m", path);
		return NULL;
	}
	if (feof(file)) {
		error_set(err, ERR_USAGE, "standard input can be read only once");
		return NULL;
	}
	while ((got = fread(piece, 1, sizeof(piece), file)) > 0) {
		if ((size_t)text->bpos + got > CLIENT_FILE_MAX) {
			error_set(err, ERR_TOO_LARGE, "%s is longer than 1 MiB", path);
			return NULL;
		}
		buf_append(text, piece, got);
	}
	if (ferror(file)) {
		error_set(err, ERR_INVALID, "cannot read %s: %m", path);
		return NULL;
	}
	*len = (size_t)text->bpos;
	return buf_steal(steal(&text));
}

int client_read_json(const char *path, struct json_object **json, struct error *err)
{
	size_t len;
	cleanup_free char *text = client_read_file(path, &len, err);

	*json = NULL;
	if (!text)
		return -1;
	if (json_parse(text, len, json, err) < 0)
		return error_prefix(err, "%s", path);
	if (!json_object_is_type(*json, json_type_object)) {
		json_object_put(*json);
		*json = NULL;
		return error_set(err, ERR_INVALID, "%s does not hold a JSON object", path);
	}
	return 0;
}
