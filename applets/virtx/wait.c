/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Polling with a deadline, and the progress line. */
#include "wait.h"

#include "base/clock.h"
#include "base/str.h"
#include "base/uuid.h"
#include "output.h"

#include <time.h>

#define FIRST_PAUSE_MS 50
#define LAST_PAUSE_MS  1000
#define LAST_ANSWER_MS 1000 /* what is waited for times out, not the last look at it */

/* timeout_s 0: no deadline. */
static void begin(struct wait *wait, struct client *client, int64_t timeout_s)
{
	*wait = (struct wait){.client = client,
		.terminal = isatty(fileno(client->log)) == 1,
		.deadline_ms = timeout_s ? clock_ms() + timeout_s * 1000 : 0};
}

void wait_begin(struct wait *wait, struct client *client)
{
	begin(wait, client, client->timeout_s);
}

void wait_show(struct wait *wait, const char *phase, int percent)
{
	cleanup_free char *safe = text_escape(phase);
	FILE *log = wait->client->log;

	/* What is over at once needs no words. */
	if (wait->polls == 0)
		return;
	if (wait->terminal) {
		fprintf(log, "\r\033[K%s", safe);
		if (percent >= 0)
			fprintf(log, " %d%%", percent);
		fflush(log);
		wait->shown = true;
	} else if (strncmp(wait->phase, safe, sizeof(wait->phase) - 1) != 0) {
		fprintf(log, "%s\n", safe);
		snprintf(wait->phase, sizeof(wait->phase), "%s", safe);
	}
}

int wait_pause(struct wait *wait, const char *until, struct error *err)
{
	int64_t pause = FIRST_PAUSE_MS << (wait->polls < 5 ? wait->polls : 5);
	int64_t left = wait->deadline_ms - clock_ms();

	wait->polls++;
	if (wait->deadline_ms && left <= 0) {
		error_set(err, ERR_TIMEOUT, "timed out: %s", until);
		return error_hint(err, "it may still happen; --timeout waits longer");
	}
	if (pause > LAST_PAUSE_MS)
		pause = LAST_PAUSE_MS;
	if (wait->deadline_ms && pause > left)
		pause = left;
	struct timespec span = {pause / 1000, pause % 1000 * 1000000};

	nanosleep(&span, NULL);
	return 0;
}

unsigned wait_left_ms(const struct wait *wait)
{
	int64_t left = wait->deadline_ms - clock_ms();

	return left > LAST_ANSWER_MS ? (unsigned)left : LAST_ANSWER_MS;
}

void wait_end(struct wait *wait)
{
	if (wait->shown)
		fputs("\r\033[K", wait->client->log);
	wait->shown = false;
}

int wait_runstate(struct client *client, const char *id, enum runstate runstate, struct error *err)
{
	cleanup_wait struct wait wait = {.client = client};

	wait_begin(&wait, client);
	for (;;) {
		cleanup_exchange struct http_exchange exchange = {
			.method = "GET", .timeout_ms = wait_left_ms(&wait)};
		cleanup_json struct json_object *answer = NULL;

		if (client_exchange_id(client, THING_VM, id, "/runstate", &exchange, NULL, err) <
				0 ||
			client_answer(&exchange, &answer, err) < 0)
			return -1;
		int64_t now = json_int_at(answer, "runstate");

		if (now == runstate)
			return 0;
		cleanup_free char *phase =
			xasprintf("%s is %s, not %s yet", id, enum_name(&runstate_names, (int)now),
				enum_name(&runstate_names, (int)runstate));

		wait_show(&wait, phase, -1);
		if (wait_pause(&wait, phase, err) < 0)
			return -1;
	}
}

int wait_result(struct json_object *operation, struct error *err)
{
	const char *state = json_text_at(operation, "state");

	if (str_equal(state, "running"))
		return 1;
	if (str_equal(state, "completed"))
		return 0;
	if (str_equal(state, "cancelled"))
		return error_set(err, ERR_CANCELLED, "the operation was cancelled");
	const char *detail = json_text_at(operation, "error.detail");

	error_set(err, error_code_parse(json_text_at(operation, "error.code")), "%s",
		*detail ? detail : "the operation failed without a reason");
	if (*json_text_at(operation, "error.hint"))
		error_hint(err, "%s", json_text_at(operation, "error.hint"));
	return -1;
}

bool wait_is_passing(const struct error *err)
{
	return err->code == ERR_CONNECT || err->code == ERR_FORWARD ||
	       err->code == ERR_UNAVAILABLE || err->code == ERR_LOOP;
}

/* What it is doing, "drain virt1: 2 of 3 moved"; the caller frees it. */
static char *describe(struct json_object *operation)
{
	if (!operation)
		return xstrdup("waiting for the server");
	const char *now = json_text_at(operation, "phase");

	return xasprintf("%s %s%s%s", json_text_at(operation, "kind"),
		json_text_at(operation, "name"), *now ? ": " : "", now);
}

/* A new look at it: 1 while it runs, as wait_result(). */
static int look(struct client *client, const char *location, bool limited,
	struct json_object **operation, struct error *err)
{
	struct json_object *record = NULL;
	struct error cause = {0};

	if (client_get(client, location, NULL, &record, &cause) < 0) {
		if (limited && wait_is_passing(&cause))
			return 1;
		*err = cause;
		return error_prefix(err, "following %s", location);
	}
	json_object_put(*operation);
	*operation = record;
	int result = wait_result(record, err);
	if (result <= 0 && *json_text_at(record, "warning"))
		client_warn(client, json_text_at(record, "warning"));
	return result;
}

int wait_operation(struct client *client, const char *location, bool limited,
	struct json_object **operation, struct error *err)
{
	cleanup_wait struct wait wait = {.client = client};
	int result;

	begin(&wait, client, limited ? client->timeout_s : 0);
	while ((result = look(client, location, limited, operation, err)) > 0) {
		cleanup_free char *phase = describe(*operation);

		wait_show(&wait, phase, (int)json_int_at(*operation, "progress"));
		if (wait_pause(&wait, phase, err) < 0)
			return -1;
	}
	return result;
}

int wait_change(struct client *client, const char *id, const char *if_match,
	struct http_exchange *exchange, struct json_object *body, struct json_object **operation,
	struct error *err)
{
	char key[UUID_TEXT_SIZE];
	const char *const headers[][2] = {{"Prefer", "respond-async"}, {"Idempotency-Key", key},
		{if_match ? "If-Match" : NULL, if_match}, {NULL, NULL}};

	uuid_make(key);
	*operation = NULL;
	exchange->headers = headers;
	int result = id ? client_exchange_id(client, THING_VM, id, "", exchange, body, err)
			: client_exchange(client, exchange, body, err);

	exchange->headers = NULL;
	if (result < 0)
		return -1;
	const char *location = http_exchange_header(exchange, "Location");

	if (exchange->status != 202 || !location || !str_starts_with(location, "/operations/"))
		return 0;
	return wait_operation(client, location, false, operation, err);
}
