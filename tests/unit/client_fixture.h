/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of the client: the whole client run in this process, against a server that
 * answers what the test says and remembers what it was asked.
 */
#ifndef TEST_CLIENT_FIXTURE_H
#define TEST_CLIENT_FIXTURE_H

#include "applets/virtx/command.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka needs those before it */
#include <cmocka.h>
#include <pthread.h>

#define GOLDEN "tests/golden/cli/"

/* One prepared answer; the first one that fits a request and was not used up is given. */
struct answer {
	const char *method, *target; /* target with its query */
	int status;
	const char *body; /* a file of GOLDEN when it ends in .json */
	const char *header[2];
	unsigned times; /* 0: any number */
};

static struct {
	struct http_server *server;
	pthread_mutex_t lock;
	struct answer answers[16];
	size_t n_answers;
	char requests[16384]; /* "GET /vms BODY\n" ... */
	/* Of the last run. */
	char *out, *log;
} fixture = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void fill_response(const struct answer *answer, struct http_response *response)
{
	struct error err = {0};
	const char *body = answer->body ? answer->body : "";

	if (str_ends_with(body, ".json")) {
		cleanup_free char *path = xasprintf(GOLDEN "%s", body);
		cleanup_free char *text = file_read(path, 1 << 20, NULL, &err);

		http_response_text(response, answer->status, "application/json", text ? text : "");
	} else {
		http_response_text(response, answer->status,
			answer->status >= 400 ? "application/problem+json" : "application/json",
			body);
	}
	if (answer->header[0])
		http_response_header(response, answer->header[0], answer->header[1]);
}

static void fixture_handle(
	void *context, const struct http_request *request, struct http_response *response)
{
	size_t used, i = 0;

	(void)context;
	pthread_mutex_lock(&fixture.lock);
	used = strlen(fixture.requests);
	snprintf(fixture.requests + used, sizeof(fixture.requests) - used, "%s %s%s%s\n",
		request->method, request->target, *request->body ? " " : "", request->body);
	if (http_request_header(request, "If-Match")) {
		used = strlen(fixture.requests);
		snprintf(fixture.requests + used, sizeof(fixture.requests) - used, "If-Match: %s\n",
			http_request_header(request, "If-Match"));
	}
	for (; i < fixture.n_answers; i++) {
		struct answer *answer = &fixture.answers[i];

		if (!str_equal(answer->method, request->method) ||
			!str_equal(answer->target, request->target))
			continue;
		fill_response(answer, response);
		if (answer->times && --answer->times == 0)
			answer->method = "used";
		break;
	}
	pthread_mutex_unlock(&fixture.lock);
	if (i == fixture.n_answers)
		http_response_text(response, 404, "application/problem+json",
			"{\"status\": 404, \"code\": \"not-found\", \"detail\": \"no such "
			"thing\"}");
}

static enum http_class fixture_classify(void *context, const struct http_request *request)
{
	(void)context;
	(void)request;
	return HTTP_FAST;
}

static int fixture_start(void **state)
{
	static const char *const listen[] = {"127.0.0.1:0", NULL};
	static const struct http_server_config config = {.listen = listen,
		.threads = 2,
		.classify = fixture_classify,
		.handle = fixture_handle};
	struct error err = {0};

	(void)state;
	setenv("TZ", "UTC", 1);
	fixture.server = http_server_start(&config, &err);
	if (!fixture.server)
		return -1;
	setenv("VIRTX_API_SERVER", http_server_address(fixture.server, 0), 1);
	return 0;
}

static int fixture_stop(void **state)
{
	(void)state;
	free(fixture.out);
	free(fixture.log);
	return http_server_stop(fixture.server, 1000) == 0 ? 0 : -1;
}

/* Before each test: nothing is known, nothing was asked. */
static int fixture_reset(void **state)
{
	(void)state;
	fixture.n_answers = 0;
	fixture.requests[0] = '\0';
	return 0;
}

static __attribute__((unused)) void answer_with(
	const char *method, const char *target, int status, const char *body)
{
	pthread_mutex_lock(&fixture.lock);
	fixture.answers[fixture.n_answers++] =
		(struct answer){.method = method, .target = target, .status = status, .body = body};
	pthread_mutex_unlock(&fixture.lock);
}

/* The same, so many times, with a header (NULL: none). */
static __attribute__((unused)) void answer_times(unsigned times, const char *method,
	const char *target, int status, const char *body, const char *header, const char *value)
{
	answer_with(method, target, status, body);
	pthread_mutex_lock(&fixture.lock);
	fixture.answers[fixture.n_answers - 1].times = times;
	fixture.answers[fixture.n_answers - 1].header[0] = header;
	fixture.answers[fixture.n_answers - 1].header[1] = value;
	pthread_mutex_unlock(&fixture.lock);
}

/* Runs the client with blank-separated words; its exit status. Output is in fixture.out and .log.
 */
static int run_client(const char *line)
{
	cleanup_free char *words = xstrdup(line);
	char *argv[32] = {words}, *rest = words;
	int argc = 1;
	size_t len;
	FILE *out, *log;

	free(fixture.out);
	free(fixture.log);
	while (argc < 31 && (argv[argc] = strsep(&rest, " ")))
		argc++;
	out = open_memstream(&fixture.out, &len);
	log = open_memstream(&fixture.log, &len);
	int status = client_run(argc, argv, out, log);

	fclose(out);
	fclose(log);
	return status;
}

/* Compares with a file of GOLDEN; UPDATE_GOLDEN=1 in the environment writes it instead. */
static __attribute__((unused)) void assert_golden(const char *text, const char *name)
{
	cleanup_free char *path = xasprintf(GOLDEN "%s", name);
	struct error err = {0};

	if (getenv("UPDATE_GOLDEN"))
		assert_int_equal(file_write_atomic(path, text, strlen(text), 0644, &err), 0);
	cleanup_free char *expected = file_read(path, 1 << 20, NULL, &err);

	if (!expected)
		fail_msg("%s", err.message);
	assert_string_equal(text, expected);
}

#endif
