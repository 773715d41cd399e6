/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migrate vm, get migrate vm, abort migrate vm. */
#include "command.h"
#include "model/enums.h"
#include "wait.h"

#define SUFFIX "/runstate/migrate"

/* timeout_ms 0: the usual one. */
static int read_migration(struct client *client, const char *id, unsigned timeout_ms,
	struct json_object **result, struct error *err)
{
	cleanup_exchange struct http_exchange exchange = {
		.method = "GET", .timeout_ms = timeout_ms};

	if (client_exchange_id(client, THING_VM, id, SUFFIX, &exchange, NULL, err) < 0)
		return -1;
	return client_answer(&exchange, result, err);
}

static int each_migration(
	struct client *client, const char *id, struct json_object **result, struct error *err)
{
	return read_migration(client, id, 0, result, err);
}

static int follow(struct client *client, const char *id, struct error *err)
{
	cleanup_wait struct wait wait = {.client = client};

	wait_begin(&wait, client);
	for (;;) {
		cleanup_json struct json_object *answer = NULL;

		if (read_migration(client, id, wait_left_ms(&wait), &answer, err) < 0)
			return -1;
		int64_t state = json_int_at(answer, "state");
		int64_t total = json_int_at(answer, "progress.total");
		int64_t done = json_int_at(answer, "progress.transferred");

		if (state == MIGRATION_STATE_COMPLETED)
			return 0;
		if (state == MIGRATION_STATE_FAILED || state == MIGRATION_STATE_CANCELLED) {
			error_set(err, ERR_MIGRATION, "the migration of %s %s", id,
				state == MIGRATION_STATE_FAILED ? "failed" : "was cancelled");
			return error_hint(
				err, "the operation log in virtx get vm %s -o yaml says why", id);
		}
		cleanup_free char *phase = xasprintf(
			"migration of %s: %s", id, enum_name(&migration_state_names, (int)state));
		/* Memory that the guest writes is sent again: more than all of it may go over. */
		bool known = total > 0 && done >= 0 && done < total;

		wait_show(&wait, phase, known ? (int)((double)done * 100 / (double)total) : -1);
		if (wait_pause(&wait, phase, err) < 0)
			return -1;
	}
}

static int each_migrate(
	struct client *client, const char *id, struct json_object **result, struct error *err)
{
	const struct options *options = &client->options;
	cleanup_json struct json_object *body = json_new_object();
	cleanup_exchange struct http_exchange exchange = {.method = "POST"};
	cleanup_free char *host = client_find_host(client, option_value(options, "host"), err);

	*result = NULL;
	if (!host)
		return -1;
	json_add_string(body, "host", host);
	json_add_int(body, "migration_type",
		option_count(options, "live") > 0 ? MIGRATION_LIVE : MIGRATION_COLD);
	if (client_exchange_id(client, THING_VM, id, SUFFIX, &exchange, body, err) < 0)
		return -1;
	return option_count(options, "wait") > 0 ? follow(client, id, err) : 0;
}

static const struct option_row migrate_options[] = {
	{'l', "live", NULL, "while it runs (or is paused); without: while it is off", 0},
	{'h', "host", "HOST", "where to (default: the server chooses)", COMPLETE_HOST},
	WAIT_OPTIONS("it is there"),
	{0, NULL, NULL, NULL, 0},
};

const struct command migrate_vm_command = {
	.name = "migrate vm",
	.operands = "ID...",
	.summary = "Move VMs to another host",
	.details = "The move goes on in the background; virtx get migrate vm shows how far it is.",
	.example = "virtx migrate vm web --live --host virt2 --wait\n"
		   "virtx migrate vm db --host virt2",
	.options = migrate_options,
	.completes = {COMPLETE_VM, COMPLETE_VM},
	.each = each_migrate,
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
		{NULL, NULL, NULL, NULL},
	};
	static const struct view one = {columns + 1, "id", NULL}, several = {columns, "id", NULL};

	return client->options.n_operands > 1 ? &several : &one;
}

const struct command get_migrate_command = {
	.name = "get migrate vm",
	.operands = "ID...",
	.summary = "Show how far migrations are",
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
	.summary = "Abort migrations; the VMs stay where they are",
	.example = "virtx abort migrate vm web",
	.completes = {COMPLETE_VM, COMPLETE_VM},
	.each = each_abort,
};
