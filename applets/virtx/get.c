/* SPDX-License-Identifier: GPL-2.0-or-later */
/* get vm, get definition vm, get xml vm, get runstate vm. */
#include "base/str.h"
#include "command.h"
#include "model/enums.h"

/* The answer to GET /vms/ID SUFFIX. */
static int get_vm(struct client *client, const char *id, const char *suffix,
	struct json_object **result, struct error *err)
{
	cleanup_exchange struct http_exchange exchange = {.method = "GET"};

	if (client_exchange_id(client, THING_VM, id, suffix, &exchange, NULL, err) < 0)
		return -1;
	return client_answer(&exchange, result, err);
}

/* A new row of a table about a part of a VM: its name is the first column. */
static struct json_object *add_row(struct json_object *rows, struct json_object *vm)
{
	struct json_object *row = json_append_object(rows);

	json_add_string(row, "name", json_text_at(vm, "def.name"));
	return row;
}

static void add_part(struct json_object *rows, struct json_object *vm, struct json_object *part)
{
	json_object_object_add(add_row(rows, vm), "part", json_object_get(part));
}

static void add_parts(struct json_object *rows, struct json_object *vm, struct json_object *list)
{
	size_t count =
		json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < count; i++)
		add_part(rows, vm, json_object_array_get_idx(list, i));
}

static struct json_object *rows_disks(struct json_object *vm)
{
	struct json_object *rows = json_object_new_array();

	add_part(rows, vm, json_at(vm, "def.osdisk"));
	add_parts(rows, vm, json_at(vm, "def.disks"));
	return rows;
}

static struct json_object *rows_nets(struct json_object *vm)
{
	struct json_object *rows = json_object_new_array();

	add_parts(rows, vm, json_at(vm, "def.nets"));
	return rows;
}

/* The VM with the end of its last boot, which is somewhere in the operation log. */
static struct json_object *rows_summary(struct json_object *vm)
{
	struct json_object *rows = json_object_new_array(), *row = add_row(rows, vm);
	struct json_object *log = json_at(vm, "stats.oplog.items");
	size_t count =
		json_object_is_type(log, json_type_array) ? json_object_array_length(log) : 0;

	json_object_object_add(row, "vm", json_object_get(vm));
	for (size_t i = 0; i < count; i++) {
		struct json_object *entry = json_object_array_get_idx(log, i);

		if (str_equal(json_text_at(entry, "op"), "VmBoot"))
			json_add_int(row, "boot", json_int_at(entry, "te"));
	}
	return rows;
}

static const struct column summary_columns[] = {
	{"NAME", "name", cell_text, NULL},
	{"HOST", "vm.runinfo.host", cell_host, NULL},
	{"VLAN", "vm.def.vlanid", cell_vlan, NULL},
	{"CUSTOM", "vm.def.custom", cell_custom, NULL},
	{"LAST BOOT", "boot", cell_time, NULL},
	{"STATE", "vm.runinfo.runstate", cell_enum, &runstate_names},
	{NULL, NULL, NULL, NULL},
};

static const struct column disk_columns[] = {
	{"NAME", "name", cell_text, NULL},
	{"PATH", "part.path", cell_text, NULL},
	{"DEVICE", "part.device", cell_enum, &disk_device_names},
	{"BUS", "part.bus", cell_enum, &disk_bus_names},
	{"MAN", "part.man", cell_enum, &disk_man_names},
	{"PROV", "part.prov", cell_enum, &disk_prov_names},
	{"SIZE", "part.size", cell_mib, NULL},
	{NULL, NULL, NULL, NULL},
};

static const struct column net_columns[] = {
	{"NAME", "name", cell_text, NULL},
	{"NET", "part.name", cell_text, NULL},
	{"TYPE", "part.nettype", cell_enum, &nettype_names},
	{"MODEL", "part.model", cell_enum, &netmodel_names},
	{"MAC", "part.mac", cell_text, NULL},
	{NULL, NULL, NULL, NULL},
};

static const struct column disk_stat_columns[] = {
	{"NAME", "def.name", cell_text, NULL},
	{"CAPACITY", "stats.disk_capacity", cell_mib, NULL},
	{"ALLOCATION", "stats.disk_allocation", cell_mib, NULL},
	{"PHYSICAL", "stats.disk_physical", cell_mib, NULL},
	{NULL, NULL, NULL, NULL},
};

static const struct column net_stat_columns[] = {
	{"NAME", "def.name", cell_text, NULL},
	{"RX", "stats.net_rx_bw", cell_kib_s, NULL},
	{"TX", "stats.net_tx_bw", cell_kib_s, NULL},
	{NULL, NULL, NULL, NULL},
};

static const struct column cpu_stat_columns[] = {
	{"NAME", "def.name", cell_text, NULL},
	{"CPU", "stats.cpu_utilization", cell_percent, NULL},
	{"USED", "stats.mhz_used", cell_mhz, NULL},
	{NULL, NULL, NULL, NULL},
};

static const struct column memory_stat_columns[] = {
	{"NAME", "def.name", cell_text, NULL},
	{"CAPACITY", "stats.memory_capacity", cell_mib, NULL},
	{"USED", "stats.memory_used", cell_mib, NULL},
	{NULL, NULL, NULL, NULL},
};

/* Which table a switch asks for; the first one given in this order wins. */
static const struct {
	const char *option;
	struct view view;
} vm_views[] = {
	{"disk", {disk_columns, "part.path", rows_disks}},
	{"net", {net_columns, "part.mac", rows_nets}},
	{"stat-disk", {disk_stat_columns, "def.name", NULL}},
	{"stat-net", {net_stat_columns, "def.name", NULL}},
	{"stat-cpu", {cpu_stat_columns, "def.name", NULL}},
	{"stat-mem", {memory_stat_columns, "def.name", NULL}},
};

static const struct view *view_vm(const struct client *client)
{
	static const struct view summary = {summary_columns, "name", rows_summary};

	for (size_t i = 0; i < sizeof(vm_views) / sizeof(vm_views[0]); i++)
		if (option_count(&client->options, vm_views[i].option) > 0)
			return &vm_views[i].view;
	return &summary;
}

static int each_vm(
	struct client *client, const char *id, struct json_object **result, struct error *err)
{
	return get_vm(client, id, "", result, err);
}

static const struct option_row vm_options[] = {
	{'k', "disk", NULL, "show its disks", 0},
	{'n', "net", NULL, "show its network interfaces", 0},
	{'K', "stat-disk", NULL, "show what its disks take", 0},
	{'N', "stat-net", NULL, "show its network traffic", 0},
	{'C', "stat-cpu", NULL, "show its use of CPU", 0},
	{'M', "stat-mem", NULL, "show its use of memory", 0},
	{0, NULL, NULL, NULL, 0},
};

const struct command get_vm_command = {
	.name = "get vm",
	.operands = "ID...",
	.summary = "Show VMs",
	.details = "Of several switches the first one in the list below counts. JSON and YAML hold "
		   "everything:\n"
		   "definition, state, statistics, VNC and guest addresses, operation log.",
	.example = "virtx get vm web\n"
		   "virtx get vm web --stat-cpu\n"
		   "virtx get vm web db --output yaml",
	.options = vm_options,
	.completes = {COMPLETE_VM, COMPLETE_VM},
	.each = each_vm,
	.view = view_vm,
};

static int each_runstate(
	struct client *client, const char *id, struct json_object **result, struct error *err)
{
	return get_vm(client, id, "/runstate", result, err);
}

static const struct view *view_runstate(const struct client *client)
{
	static const struct column columns[] = {
		{"ID", "id", cell_text, NULL},
		{"STATE", "runstate", cell_enum, &runstate_names},
		{"HOST", "host", cell_host, NULL},
		{NULL, NULL, NULL, NULL},
	};
	static const struct view one = {columns + 1, "host", NULL}, several = {columns, "id", NULL};

	return client->options.n_operands > 1 ? &several : &one;
}

const struct command get_runstate_command = {
	.name = "get runstate vm",
	.operands = "ID...",
	.summary = "Show the state of VMs and the host that they are on",
	.example = "virtx get runstate vm web",
	.completes = {COMPLETE_VM, COMPLETE_VM},
	.each = each_runstate,
	.view = view_runstate,
};

static int each_definition(
	struct client *client, const char *id, struct json_object **result, struct error *err)
{
	cleanup_json struct json_object *vm = NULL;

	if (get_vm(client, id, "", &vm, err) < 0)
		return -1;
	struct json_object *def = json_at(vm, "def");

	if (!def)
		return error_set(err, ERR_FORWARD, "the server's answer has no definition");
	cleanup_free char *text = json_pretty(def);

	if (client->format == OUTPUT_YAML)
		yaml_print(def, client->out);
	else
		fputs(text, client->out);
	*result = NULL;
	return 0;
}

const struct command get_definition_command = {
	.name = "get definition vm",
	.operands = "ID",
	.summary = "Print a VM's definition as JSON, ready for create and update",
	.example = "virtx get definition vm web >web.json",
	.completes = {COMPLETE_VM, COMPLETE_NOTHING},
	.each = each_definition,
};

static int each_xml(
	struct client *client, const char *id, struct json_object **result, struct error *err)
{
	cleanup_exchange struct http_exchange exchange = {.method = "GET"};

	if (client_exchange_id(client, THING_VM, id, "/xml", &exchange, NULL, err) < 0)
		return -1;
	fwrite(exchange.response, 1, exchange.response_len, client->out);
	*result = NULL;
	return 0;
}

const struct command get_xml_command = {
	.name = "get xml vm",
	.operands = "ID",
	.summary = "Print a VM's domain XML as libvirt has it",
	.example = "virtx get xml vm web",
	.completes = {COMPLETE_VM, COMPLETE_NOTHING},
	.each = each_xml,
};
