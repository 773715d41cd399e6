/* SPDX-License-Identifier: GPL-2.0-or-later */
/* list vm, list host, list operation. */
#include "base/str.h"
#include "command.h"
#include "model/enums.h"
#include "units.h"

#include <stdint.h>

/* "running", "running (host failed)", "poweroff (conflict)" */
static void cell_vm_state(const struct cell *cell, struct printbuf *out)
{
	struct json_object *conflict = json_at(cell->value, "conflict");
	int64_t cstate = json_int_at(cell->value, "cstate");

	if (!json_at(cell->value, "runstate"))
		return;
	buf_text(out, enum_name(&runstate_names, (int)json_int_at(cell->value, "runstate")));
	if (json_object_is_type(conflict, json_type_array) &&
		json_object_array_length(conflict) > 0)
		buf_text(out, " (conflict)");
	else if (json_at(cell->value, "cstate") && cstate != CSTATE_ACTIVE)
		buf_format(out, " (host %s)", enum_name(&cstate_names, (int)cstate));
}

static const struct column vm_columns[] = {
	{"UUID", "uuid", cell_text, NULL},
	{"NAME", "fields.name", cell_text, NULL},
	{"HOST", "fields.host", cell_host, NULL},
	{"VLANID", "fields.vlanid", cell_vlan, NULL},
	{"CUSTOM", "fields.custom", cell_custom, NULL},
	{"STATE", "fields", cell_vm_state, NULL},
	{"AGE", "fields.ts", cell_age, NULL},
	{NULL, NULL, NULL, NULL},
};

static const struct column host_columns[] = {
	{"UUID", "uuid", cell_text, NULL},
	{"NAME", "fields.name", cell_text, NULL},
	{"OS", "fields.osid", cell_text, NULL},
	{"VERSION", "fields.osv", cell_text, NULL},
	{"CPU", "fields.cpuarch.arch", cell_text, NULL},
	{"VENDOR", "fields.cpuarch.vendor", cell_text, NULL},
	{"MODEL", "fields.cpudef.model", cell_text, NULL},
	{"THREADS", "fields.cpudef", cell_threads, NULL},
	{"MEM_AVL_VM", "fields.memoryavailable", cell_mib, NULL},
	{"HPG_AVL_VM", "fields.hpavailable", cell_mib, NULL},
	{"CSTATE", "fields", cell_cstate, NULL},
	{"AGE", "fields.ts", cell_age, NULL},
	{NULL, NULL, NULL, NULL},
};

static const struct column operation_columns[] = {
	{"ID", "id", cell_text, NULL},
	{"KIND", "kind", cell_text, NULL},
	{"NAME", "name", cell_text, NULL},
	{"HOST", "host", cell_host, NULL},
	{"STATE", "state", cell_text, NULL},
	{"PROGRESS", "progress", cell_percent, NULL},
	{"PHASE", "phase", cell_text, NULL},
	{"START", "start", cell_time, NULL},
	{"END", "end", cell_time, NULL},
	{NULL, NULL, NULL, NULL},
};

static const struct view vm_view = {vm_columns, "fields.name", NULL};
static const struct view host_view = {host_columns, "fields.name", NULL};
static const struct view operation_view = {operation_columns, "id", NULL};

/* Asks for a list with a filter (NULL: none) and prints it. */
static int print_list(struct client *client, const char *target, struct json_object *filter,
	const struct view *view, struct error *err)
{
	cleanup_json struct json_object *body = NULL, *answer = NULL;
	cleanup_rows struct rows rows;

	rows_begin(&rows, client, view);
	if (filter) {
		body = json_new_object();
		json_object_object_add(body, "filter", json_object_get(filter));
	}
	int result = output_is_whole(client) ? client_get(client, target, body, &answer, err)
					     : client_get_items(client, target, body, rows_add,
						       &rows, &answer, err);

	if (result < 0)
		return -1;
	client_warn_unanswered(client, answer);
	if (output_is_whole(client))
		output_whole(client, answer);
	else
		rows_print(&rows);
	return 0;
}

static void add_text(
	struct client *client, const char *option, struct json_object *filter, const char *member)
{
	if (option_value(&client->options, option))
		json_add_string(filter, member, option_value(&client->options, option));
}

/* A state by its name or number. */
static int add_state(struct client *client, const struct enum_names *names,
	struct json_object *filter, const char *member, struct error *err)
{
	const char *text = option_value(&client->options, "state");
	int16_t state;

	if (!text)
		return 0;
	if (!enum_parse(names, text, &state)) {
		error_set(err, ERR_USAGE, "\"%s\" is not a %s", text, names->what);
		return enum_hint(names, err);
	}
	json_add_int(filter, member, state);
	return 0;
}

static int run_list_vm(struct client *client, struct error *err)
{
	const char *vlan = option_value(&client->options, "vlanid");
	cleanup_json struct json_object *filter = json_new_object();
	cleanup_free char *host =
		client_find_host(client, option_value(&client->options, "host"), err);
	int64_t vlanid;

	if (!host || add_state(client, &runstate_names, filter, "runstate", err) < 0)
		return -1;
	add_text(client, "name", filter, "name");
	if (*host)
		json_add_string(filter, "host", host);
	if (vlan && !str_parse_int(vlan, 0, 4094, &vlanid))
		return error_set(err, ERR_USAGE, "--vlanid is a number from 0 to 4094");
	if (vlan)
		json_add_int(filter, "vlanid", vlanid);
	if (option_value(&client->options, "custom-name")) {
		struct json_object *custom = json_add_object(filter, "custom");

		add_text(client, "custom-name", custom, "name");
		add_text(client, "custom-value", custom, "value");
	} else if (option_value(&client->options, "custom-value")) {
		return error_set(err, ERR_USAGE, "--custom-value needs --custom-name");
	}
	return print_list(client, "/vms", filter, &vm_view, err);
}

static int add_size(struct client *client, const char *option, struct json_object *filter,
	const char *member, struct error *err)
{
	const char *text = option_value(&client->options, option);
	int64_t mib;

	if (!text)
		return 0;
	if (!units_parse_mib(text, INT32_MAX, &mib))
		return error_set(err, ERR_USAGE, "--%s is a size like 512M, 16G or 1T, not \"%s\"",
			option, text);
	json_add_int(filter, member, mib);
	return 0;
}

static int run_list_host(struct client *client, struct error *err)
{
	cleanup_json struct json_object *filter = json_new_object();
	struct json_object *arch = json_add_object(filter, "cpuarch");

	add_text(client, "name", filter, "name");
	add_text(client, "arch", arch, "arch");
	add_text(client, "vendor", arch, "vendor");
	if (add_state(client, &cstate_names, filter, "cstate", err) < 0 ||
		add_size(client, "memory", filter, "memoryavailable", err) < 0 ||
		add_size(client, "hp", filter, "hpavailable", err) < 0)
		return -1;
	return print_list(client, "/hosts", filter, &host_view, err);
}

static int run_list_operation(struct client *client, struct error *err)
{
	return print_list(client, OPERATIONS_TARGET, NULL, &operation_view, err);
}

static const struct option_row vm_options[] = {
	{'n', "name", "TEXT", "only VMs with TEXT in their name", 0},
	{'h', "host", "HOST", "only VMs of that host", COMPLETE_HOST},
	{'s', "state", "STATE", "only VMs in that state, by name or number", COMPLETE_RUNSTATE},
	{'v', "vlanid", "NUMBER", "only VMs in that VLAN", 0},
	{'N', "custom-name", "NAME", "only VMs with a custom field of that name", 0},
	{'V', "custom-value", "VALUE", "... with exactly that value (default: empty)", 0},
	{0, NULL, NULL, NULL, 0},
};

const struct command list_vm_command = {
	.name = "list vm",
	.operands = "",
	.summary = "List VMs, of all hosts",
	.details =
		"Options that narrow the list are combined: a VM must fit all of them. A VM of a "
		"host "
		"that failed\n"
		"or left is shown as it was when that host was last heard of, which AGE tells; one "
		"that two hosts\n"
		"have is in conflict: it is neither started nor changed.",
	.example = "virtx list vm\n"
		   "virtx list vm --state running --host virt1\n"
		   "virtx list vm --name web --output name",
	.options = vm_options,
	.run = run_list_vm,
};

static const struct option_row host_options[] = {
	{'n', "name", "TEXT", "only hosts with TEXT in their name", 0},
	{'a', "arch", "ARCH", "only hosts of that architecture", COMPLETE_ARCH},
	{'v', "vendor", "VENDOR", "only hosts with a CPU of that vendor", 0},
	{'s', "state", "STATE", "only hosts in that state, by name or number", COMPLETE_CSTATE},
	{'m', "memory", "SIZE", "only hosts with that much memory available (MiB, or 16G)", 0},
	{'H', "hp", "SIZE", "only hosts with that much in huge pages available", 0},
	{0, NULL, NULL, NULL, 0},
};

const struct command list_host_command = {
	.name = "list host",
	.operands = "",
	.summary = "List hosts",
	.details =
		"MEM_AVL_VM and HPG_AVL_VM are what new VMs can have, in memory and in huge pages.",
	.example = "virtx list host\n"
		   "virtx list host --memory 16G --state active",
	.options = host_options,
	.run = run_list_host,
};

const struct command list_operation_command = {
	.name = "list operation",
	.operands = "",
	.summary = "List operations of all hosts in the last 24 hours, the newest first",
	.example = "virtx list operation",
	.run = run_list_operation,
};
