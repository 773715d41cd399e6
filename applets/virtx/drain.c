/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drain host, undrain host. */
#include "command.h"
#include "wait.h"

#define SUFFIX "/drain"

/* What could not go, a line for each. */
static void tell_left(struct client *client, struct json_object *operation)
{
	struct json_object *left = json_at(operation, "left");

	if (!json_object_is_type(left, json_type_array))
		return;
	for (size_t i = 0; i < json_object_array_length(left); i++) {
		struct json_object *vm = json_object_array_get_idx(left, i);
		cleanup_free char *name = text_escape(json_text_at(vm, "name"));
		cleanup_free char *why = text_escape(json_text_at(vm, "detail"));

		fprintf(client->log, "%s stays: %s\n", name, why);
	}
}

static int follow(struct client *client, const char *location, struct error *err)
{
	cleanup_json struct json_object *operation = NULL;
	int result = wait_operation(client, location, true, &operation, err);

	tell_left(client, operation);
	return result;
}

/* Of a plan: whether every VM has a place to go to. */
static bool all_go(struct json_object *plan)
{
	struct json_object *items = json_at(plan, "items");

	for (size_t i = 0; items && i < json_object_array_length(items); i++)
		if (!*json_text_at(json_object_array_get_idx(items, i), "host"))
			return false;
	return true;
}

static int plan(
	struct client *client, const char *id, struct json_object **result, struct error *err)
{
	cleanup_exchange struct http_exchange exchange = {.method = "POST"};

	if (client_exchange_id(
		    client, THING_HOST, id, SUFFIX "?dry_run=true", &exchange, NULL, err) < 0 ||
		client_answer(&exchange, result, err) < 0)
		return -1;
	if (!all_go(*result))
		client->exit_status = 1;
	return 0;
}

static int each_drain(
	struct client *client, const char *id, struct json_object **result, struct error *err)
{
	cleanup_exchange struct http_exchange exchange = {.method = "POST"};

	*result = NULL;
	if (option_count(&client->options, "dry-run") > 0)
		return plan(client, id, result, err);
	if (client_exchange_id(client, THING_HOST, id, SUFFIX, &exchange, NULL, err) < 0)
		return -1;
	if (option_count(&client->options, "wait") == 0)
		return client_answer(&exchange, result, err);
	const char *location = http_exchange_header(&exchange, "Location");

	if (!location || *location != '/')
		return error_set(err, ERR_FORWARD, "the server does not say what to wait for");
	return follow(client, location, err);
}

static struct json_object *rows_items(struct json_object *result)
{
	return json_object_get(json_at(result, "items"));
}

static void cell_way(const struct cell *cell, struct printbuf *out)
{
	buf_text(out, json_object_get_boolean(cell->value) ? "live" : "cold");
}

static const struct view *view(const struct client *client)
{
	static const struct column plan_columns[] = {
		{"VM", "name", cell_text, NULL},
		{"WAY", "live", cell_way, NULL},
		{"TO", "host", cell_text, NULL},
		{"WHY_NOT", "detail", cell_text, NULL},
		{NULL, NULL, NULL, NULL},
	};
	static const struct column operation_columns[] = {
		{"OPERATION", "id", cell_text, NULL},
		{"HOST", "name", cell_text, NULL},
		{"STATE", "state", cell_text, NULL},
		{NULL, NULL, NULL, NULL},
	};
	static const struct view plans = {plan_columns, "name", rows_items};
	static const struct view operations = {operation_columns, "id", NULL};

	return option_count(&client->options, "dry-run") > 0 ? &plans : &operations;
}

static const struct option_row drain_options[] = {
	WAIT_OPTIONS("all that can go is gone"),
	{0, "dry-run", NULL, "only show where each VM would go, or why it cannot", 0},
	{0, NULL, NULL, NULL, 0},
};

const struct command drain_host_command = {
	.name = "drain host",
	.operands = "ID...",
	.summary = "Move all VMs of hosts away, and let none come",
	.details =
		"VMs that run move with their guests, two at a time, each to the host that fits it "
		"best. The host\n"
		"stays drained, over restarts too, until virtx undrain host. What cannot go is "
		"told, with the\n"
		"reason; the exit status is 1 then.",
	.example = "virtx drain host virt1 --dry-run\n"
		   "virtx drain host virt1 --wait --timeout 30m",
	.options = drain_options,
	.completes = {COMPLETE_HOST, COMPLETE_HOST},
	.each = each_drain,
	.view = view,
};

static int each_undrain(
	struct client *client, const char *id, struct json_object **result, struct error *err)
{
	cleanup_exchange struct http_exchange exchange = {.method = "DELETE"};

	*result = NULL;
	return client_exchange_id(client, THING_HOST, id, SUFFIX, &exchange, NULL, err);
}

const struct command undrain_host_command = {
	.name = "undrain host",
	.operands = "ID...",
	.summary = "Let VMs come to hosts that were drained",
	.details =
		"A drain that goes on is cancelled; what has moved does not come back by itself.",
	.example = "virtx undrain host virt1",
	.completes = {COMPLETE_HOST, COMPLETE_HOST},
	.each = each_undrain,
};
