/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migrate vm, get migrate vm, abort migrate vm. */
#include "base/str.h"
#include "command.h"
#include "model/enums.h"
#include "wait.h"

#include <inttypes.h>

#define SUFFIX "/runstate/migrate"
#define MIB    (1024 * 1024)

static int each_migration(
	struct client *client, const char *id, struct json_object **result, struct error *err)
{
	cleanup_exchange struct http_exchange exchange = {.method = "GET"};

	if (client_exchange_id(client, THING_VM, id, SUFFIX, &exchange, NULL, err) < 0)
		return -1;
	return client_answer(&exchange, result, err);
}

/* ---- waiting for the end ---- */

/* A move that was begun. */
struct move {
	const char *id;       /* of the VM, as it was given */
	const char *host;     /* where to */
	const char *location; /* of its operation */
};

/* "30 of 128 MiB, 28 MB/s, about to stand still for 250 ms"; "" while that is not known, and when
 * what is said is of another move. The caller frees it. */
static char *describe_figures(const struct wait *wait, const struct move *move)
{
	cleanup_exchange struct http_exchange exchange = {
		.method = "GET", .timeout_ms = wait_left_ms(wait)};
	cleanup_json struct json_object *answer = NULL;
	struct error ignored = {0};

	if (client_exchange_id(
		    wait->client, THING_VM, move->id, SUFFIX, &exchange, NULL, &ignored) < 0 ||
		client_answer(&exchange, &answer, &ignored) < 0 ||
		!str_ends_with(move->location, json_text_at(answer, "operation")) ||
		json_int_at(answer, "progress.total") <= 0)
		return xstrdup("");
	return xasprintf(": %" PRId64 " MiB sent, %" PRId64 " of %" PRId64 " to go, %" PRId64
			 " MB/s, pause about %" PRId64 " ms",
		json_int_at(answer, "progress.transferred") / MIB,
		json_int_at(answer, "progress.remaining") / MIB,
		json_int_at(answer, "progress.total") / MIB, json_int_at(answer, "progress.rate"),
		json_int_at(answer, "progress.downtime"));
}

/* One look: 0 when it has ended well, 1 while it goes on, -1 when it has failed. */
static int look(struct wait *wait, const struct move *move, struct error *err)
{
	cleanup_exchange struct http_exchange exchange = {
		.method = "GET", .target = move->location, .timeout_ms = wait_left_ms(wait)};
	cleanup_json struct json_object *operation = NULL;
	struct error cause = {0};
	int percent = -1;

	if (client_exchange(wait->client, &exchange, NULL, &cause) == 0 &&
		client_answer(&exchange, &operation, &cause) == 0) {
		int result = wait_result(operation, err);

		if (result <= 0)
			return result < 0 ? error_prefix(err, "migration to %s", move->host) : 0;
		percent = (int)json_int_at(operation, "progress");
	} else if (!wait_is_passing(&cause)) {
		*err = cause;
		return error_prefix(err, "following %s", move->location);
	}
	cleanup_free char *figures =
		wait->terminal && operation ? describe_figures(wait, move) : xstrdup("");
	cleanup_free char *phase = xasprintf("moving %s to %s%s", move->id, move->host, figures);

	wait_show(wait, phase, percent);
	return wait_pause(wait, phase, err) < 0 ? -1 : 1;
}

/* By the operation, which is that of this move and no other, wherever the VM is meanwhile. */
static int follow(struct client *client, const struct move *move, struct error *err)
{
	cleanup_wait struct wait wait = {.client = client};
	int state;

	wait_begin(&wait, client);
	while ((state = look(&wait, move, err)) > 0)
		;
	return state;
}

/* ---- beginning one ---- */

static int begin(struct client *client, const char *id, struct http_exchange *exchange,
	struct json_object **answer, struct error *err)
{
	const struct options *options = &client->options;
	bool dry_run = option_count(options, "dry-run") > 0;
	cleanup_json struct json_object *body = json_new_object();
	cleanup_free char *host = client_find_host(client, option_value(options, "host"), err);

	if (!host)
		return -1;
	json_add_string(body, "host", host);
	json_add_int(body, "migration_type",
		option_count(options, "live") > 0 ? MIGRATION_LIVE : MIGRATION_COLD);
	if (client_exchange_id(client, THING_VM, id, dry_run ? SUFFIX "?dry_run=true" : SUFFIX,
		    exchange, body, err) < 0)
		return -1;
	/* Other implementations have no more to say than that it has begun. */
	return exchange->response_len > 0 ? client_answer(exchange, answer, err) : 0;
}

static int each_migrate(
	struct client *client, const char *id, struct json_object **result, struct error *err)
{
	cleanup_exchange struct http_exchange exchange = {.method = "POST"};

	if (begin(client, id, &exchange, result, err) < 0)
		return -1;
	if (option_count(&client->options, "wait") == 0 ||
		option_count(&client->options, "dry-run") > 0)
		return 0;
	struct move move = {.id = id,
		.host = json_text_at(*result, "host"),
		.location = http_exchange_header(&exchange, "Location")};

	if (move.location && str_starts_with(move.location, "/operations/"))
		return follow(client, &move, err);
	error_set(err, ERR_NOT_IMPLEMENTED,
		"it has begun, but the server names no operation to wait for");
	return error_hint(err, "virtx get migrate vm %s shows how far it is", id);
}

static const struct option_row migrate_options[] = {
	{'l', "live", NULL, "while it runs (or is paused); without: while it is off", 0},
	{'h', "host", "HOST", "where to (default: the server chooses)", COMPLETE_HOST},
	{0, "dry-run", NULL, "only tell which hosts could take it, and why others cannot", 0},
	WAIT_OPTIONS("it is there"),
	{0, NULL, NULL, NULL, 0},
};

/* "best", "yes" or "no"; the row is the host's. */
static void cell_fits(const struct cell *cell, struct printbuf *out)
{
	bool ok = json_object_get_boolean(json_at(cell->value, "ok"));

	buf_text(out, !ok ? "no" : *json_text_at(cell->value, "best") ? "best" : "yes");
}

/* The hosts, each with the name of the best when it is that one. */
static struct json_object *rows_hosts(struct json_object *result)
{
	struct json_object *hosts = json_at(result, "hosts"), *rows = json_object_new_array();
	const char *best = json_text_at(result, "host");

	for (size_t i = 0; hosts && i < json_object_array_length(hosts); i++) {
		struct json_object *host = json_object_array_get_idx(hosts, i);

		if (str_equal(json_text_at(host, "host"), best))
			json_add_string(host, "best", best);
		json_object_array_add(rows, json_object_get(host));
	}
	return rows;
}

static const struct view *migrate_view(const struct client *client)
{
	static const struct column begun[] = {
		{"HOST", "host", cell_text, NULL},
		{"OPERATION", "operation", cell_text, NULL},
		{NULL, NULL, NULL, NULL},
	};
	static const struct column hosts[] = {
		{"HOST", "host", cell_text, NULL},
		{"FITS", "", cell_fits, NULL},
		{"MEMORY", "memoryavailable", cell_mib, NULL},
		{"CPU", "cpuavailable", cell_mhz, NULL},
		{"VMS", "vms", cell_number, NULL},
		{"REASON", "detail", cell_text, NULL},
		{NULL, NULL, NULL, NULL},
	};
	static const struct view move = {begun, "host", NULL},
				 dry_run = {hosts, "host", rows_hosts};

	return option_count(&client->options, "dry-run") > 0 ? &dry_run : &move;
}

const struct command migrate_vm_command = {
	.name = "migrate vm",
	.operands = "ID...",
	.summary = "Move VMs to another host",
	.details =
		"The host is asked first whether it can take the VM; without --host the one that "
		"fits best is\n"
		"chosen, and named. The move goes on in the background: virtx get migrate vm "
		"shows how far it is,\n"
		"virtx abort migrate vm ends it, and with --wait this command lasts until the "
		"VM is there.",
	.example = "virtx migrate vm web --live --host virt2 --wait\n"
		   "virtx migrate vm web --live --dry-run\n"
		   "virtx migrate vm db --host virt2",
	.options = migrate_options,
	.completes = {COMPLETE_VM, COMPLETE_VM},
	.each = each_migrate,
	.view = migrate_view,
};

static const struct view *view(const struct client *client)
{
	static const struct column columns[] = {
		{"ID", "id", cell_text, NULL},
		{"STATE", "state", cell_enum, &migration_state_names},
		{"TOTAL", "progress.total", cell_bytes, NULL},
		{"TRANSFERRED", "progress.transferred", cell_bytes, NULL},
		{"REMAINING", "progress.remaining", cell_bytes, NULL},
		{"RATE_MB_S", "progress.rate", cell_number, NULL},
		{"DOWNTIME_MS", "progress.downtime", cell_number, NULL},
		{NULL, NULL, NULL, NULL},
	};
	static const struct view one = {columns + 1, "id", NULL}, several = {columns, "id", NULL};

	return client->options.n_operands > 1 ? &several : &one;
}

const struct command get_migrate_command = {
	.name = "get migrate vm",
	.operands = "ID...",
	.summary = "Show how far migrations are, or how the last ones ended",
	.example = "virtx get migrate vm web",
	.completes = {COMPLETE_VM, COMPLETE_VM},
	.each = each_migration,
	.view = view,
};

static int each_abort(
	struct client *client, const char *id, struct json_object **result, struct error *err)
{
	cleanup_exchange struct http_exchange exchange = {.method = "DELETE"};

	*result = NULL;
	return client_exchange_id(client, THING_VM, id, SUFFIX, &exchange, NULL, err);
}

const struct command abort_migrate_vm_command = {
	.name = "abort migrate vm",
	.operands = "ID...",
	.summary = "Abort live migrations; the VMs stay where they are",
	.example = "virtx abort migrate vm web",
	.completes = {COMPLETE_VM, COMPLETE_VM},
	.each = each_abort,
};
