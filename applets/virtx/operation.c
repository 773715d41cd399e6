/* SPDX-License-Identifier: GPL-2.0-or-later */
/* get operation, cancel operation. */
#include "command.h"

static int each_get(
	struct client *client, const char *id, struct json_object **result, struct error *err)
{
	cleanup_exchange struct http_exchange exchange = {.method = "GET"};

	if (client_exchange_id(client, THING_OPERATION, id, "", &exchange, NULL, err) < 0)
		return -1;
	return client_answer(&exchange, result, err);
}

static const struct view *view(const struct client *client)
{
	static const struct column columns[] = {
		{"KIND", "kind", cell_text, NULL},
		{"NAME", "name", cell_text, NULL},
		{"HOST", "host", cell_host, NULL},
		{"STATE", "state", cell_text, NULL},
		{"PROGRESS", "progress", cell_percent, NULL},
		{"PHASE", "phase", cell_text, NULL},
		{"START", "start", cell_time, NULL},
		{"END", "end", cell_time, NULL},
		{"ERROR", "error.detail", cell_text, NULL},
		{NULL, NULL, NULL, NULL},
	};
	static const struct view operation = {columns, "id", NULL};

	(void)client;
	return &operation;
}

const struct command get_operation_command = {
	.name = "get operation",
	.operands = "ID...",
	.summary = "Show how far operations are, or how they ended",
	.example = "virtx get operation 5f0c",
	.completes = {COMPLETE_OPERATION, COMPLETE_OPERATION},
	.each = each_get,
	.view = view,
};

static int each_cancel(
	struct client *client, const char *id, struct json_object **result, struct error *err)
{
	cleanup_exchange struct http_exchange exchange = {.method = "DELETE"};

	*result = NULL;
	return client_exchange_id(client, THING_OPERATION, id, "", &exchange, NULL, err);
}

const struct command cancel_operation_command = {
	.name = "cancel operation",
	.operands = "ID...",
	.summary = "Cancel operations that still can be; what they did is undone",
	.example = "virtx cancel operation 5f0c",
	.completes = {COMPLETE_OPERATION, COMPLETE_OPERATION},
	.each = each_cancel,
};
