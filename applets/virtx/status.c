/* SPDX-License-Identifier: GPL-2.0-or-later */
/* status: the cluster at a glance; version. */
#include "base/str.h"
#include "command.h"
#include "model/enums.h"

#include <inttypes.h>

/* Adds one to the member of an object that has a number for each state. */
static void count_state(struct json_object *counts, const char *state)
{
	json_add_int(counts, state, json_int_at(counts, state) + 1);
}

/* The elements of GET TARGET's items; *answer holds them. */
static size_t get_items(struct client *client, const char *target, struct json_object **answer,
	struct json_object **items, struct error *err)
{
	if (client_get(client, target, NULL, answer, err) < 0)
		return 0;
	*items = json_at(*answer, "items");
	return json_object_is_type(*items, json_type_array) ? json_object_array_length(*items) : 0;
}

static void count_hosts(struct client *client, struct json_object *status, struct error *err)
{
	cleanup_json struct json_object *answer = NULL;
	struct json_object *items, *counts = json_add_object(status, "hosts");
	size_t count = get_items(client, "/hosts", &answer, &items, err);
	struct json_object *drained = json_add_array(status, "drained");
	int64_t memory = 0;

	for (size_t i = 0; i < count; i++) {
		struct json_object *host = json_object_array_get_idx(items, i);
		int64_t cstate = json_int_at(host, "fields.cstate");
		int64_t available = json_int_at(host, "fields.memoryavailable");

		count_state(counts, enum_name(&cstate_names, (int)cstate));
		if (json_object_get_boolean(json_at(host, "fields.drained")))
			json_append_string(drained, json_text_at(host, "fields.name"));
		/* An int32 by contract, and negative when more was promised than there is. */
		if (cstate == CSTATE_ACTIVE && available > 0 && available <= INT32_MAX)
			memory += available;
	}
	json_add_int(status, "memoryavailable", memory);
}

/* The list is in order, so that the rows of a VM that two hosts claim stand together, where a
 * server has several. */
static void count_vms(struct client *client, struct json_object *status, struct error *err)
{
	cleanup_json struct json_object *answer = NULL;
	struct json_object *items, *counts = json_add_object(status, "vms");
	struct json_object *conflicts = json_add_array(status, "conflicts");
	size_t count = get_items(client, "/vms", &answer, &items, err);
	const char *last = "";

	for (size_t i = 0; i < count; i++) {
		struct json_object *vm = json_object_array_get_idx(items, i);
		int64_t runstate = json_int_at(vm, "fields.runstate");
		const char *uuid = json_text_at(vm, "uuid");

		count_state(counts, enum_name(&runstate_names, (int)runstate));
		struct json_object *hosts = json_at(vm, "fields.conflict");
		bool conflict = json_object_is_type(hosts, json_type_array) &&
				json_object_array_length(hosts) > 0;

		if (conflict || (*uuid && str_equal(uuid, last)))
			json_object_array_add(conflicts, json_object_new_string(uuid));
		last = uuid;
	}
}

static void add_operations(struct client *client, struct json_object *status, struct error *err)
{
	cleanup_json struct json_object *answer = NULL;
	struct json_object *items, *running = json_add_array(status, "operations");
	size_t count = get_items(client, OPERATIONS_TARGET, &answer, &items, err);

	/* Servers of another implementation have none. */
	if (err->code == ERR_NOT_FOUND)
		error_clear(err);
	client_warn_unanswered(client, answer);
	for (size_t i = 0; i < count; i++) {
		struct json_object *operation = json_object_array_get_idx(items, i);

		if (str_equal(json_text_at(operation, "state"), "running"))
			json_object_array_add(running, json_object_get(operation));
	}
}

/* "3 active, 1 failed" */
static void cell_counts(const struct cell *cell, struct printbuf *out)
{
	json_object_object_foreach(cell->value, state, count) buf_format(out, "%s%" PRId64 " %s",
		out->bpos ? ", " : "", json_object_get_int64(count), state);
	if (!out->bpos)
		buf_text(out, "none");
}

static void cell_list(const struct cell *cell, struct printbuf *out)
{
	for (size_t i = 0; i < json_object_array_length(cell->value); i++)
		buf_format(out, "%s%s", i ? ", " : "",
			json_object_get_string(json_object_array_get_idx(cell->value, i)));
	if (!out->bpos)
		buf_text(out, "none");
}

static void cell_operations(const struct cell *cell, struct printbuf *out)
{
	for (size_t i = 0; i < json_object_array_length(cell->value); i++) {
		struct json_object *operation = json_object_array_get_idx(cell->value, i);

		buf_format(out, "%s%s %s %" PRId64 "%%", i ? ", " : "",
			json_text_at(operation, "kind"), json_text_at(operation, "name"),
			json_int_at(operation, "progress"));
	}
	if (!out->bpos)
		buf_text(out, "none");
}

static const struct column status_columns[] = {
	{"HOSTS", "hosts", cell_counts, NULL},
	{"DRAINED", "drained", cell_list, NULL},
	{"MEM_AVL_VM", "memoryavailable", cell_mib, NULL},
	{"VMS", "vms", cell_counts, NULL},
	{"CONFLICTS", "conflicts", cell_list, NULL},
	{"OPERATIONS", "operations", cell_operations, NULL},
	{NULL, NULL, NULL, NULL},
};

static void print_one(
	struct client *client, const struct column *columns, struct json_object *result)
{
	const struct view view = {columns, "server", NULL};
	cleanup_json struct json_object *results = json_object_new_array();

	json_object_array_add(results, json_object_get(result));
	output_print(client, &view, results);
}

/* One fact on each line: a whole cluster does not fit beside each other. */
static void print_status(struct client *client, struct json_object *status)
{
	cleanup_table struct table table = {.columns = 2};

	for (const struct column *column = status_columns; column->header; column++) {
		cleanup_buf struct printbuf *text = buf_new();
		const struct cell cell = {client, column, json_at(status, column->path)};

		column->write(&cell, text);
		table_add(&table, column->header);
		table_add(&table, text->buf);
	}
	table_print(&table, client->out);
}

static int run_status(struct client *client, struct error *err)
{
	cleanup_json struct json_object *status = json_new_object();

	count_hosts(client, status, err);
	if (!error_is_set(err))
		count_vms(client, status, err);
	if (!error_is_set(err))
		add_operations(client, status, err);
	if (error_is_set(err))
		return -1;
	if (output_is_whole(client))
		output_whole(client, status);
	else
		print_status(client, status);
	return 0;
}

const struct command status_command = {
	.name = "status",
	.operands = "",
	.summary = "The cluster at a glance",
	.details = "Hosts and VMs by state, drained hosts, VMs that two hosts claim, operations "
		   "that run.",
	.example = "virtx status",
	.run = run_status,
};

static int run_version(struct client *client, struct error *err)
{
	static const struct column columns[] = {
		{"CLIENT", "client", cell_text, NULL},
		{"SERVER", "server", cell_text, NULL},
		{NULL, NULL, NULL, NULL},
	};
	cleanup_json struct json_object *answer = NULL, *result = json_new_object();
	int status = client_get(client, "/version", NULL, &answer, err);

	/* The client's own version is worth having without a server too. */
	json_add_string(result, "client", VIRTX_VERSION);
	if (status == 0)
		json_add_string(result, "server", json_text_at(answer, "version"));
	print_one(client, columns, result);
	return status;
}

const struct command version_command = {
	.name = "version",
	.operands = "",
	.summary = "The versions of client and server",
	.example = "virtx version",
	.run = run_version,
};
