/* SPDX-License-Identifier: GPL-2.0-or-later */
/* get host. */
#include "command.h"

static const struct column summary_columns[] = {
	{"NAME", "def.name", cell_text, NULL},
	{"OS", "def.osid", cell_text, NULL},
	{"VERSION", "def.osv", cell_text, NULL},
	{"CPU", "def.cpuarch.arch", cell_text, NULL},
	{"VENDOR", "def.cpuarch.vendor", cell_text, NULL},
	{"MODEL", "def.cpudef.model", cell_text, NULL},
	{"NODES", "def.cpudef.nodes", cell_number, NULL},
	{"SOCKS", "def.cpudef.sockets", cell_number, NULL},
	{"CORES", "def.cpudef.cores", cell_number, NULL},
	{"TH", "def.cpudef.threads", cell_number, NULL},
	{"MEM_AVL_VM", "resources.memory.availablevms", cell_mib, NULL},
	{"HPG_AVL_VM", "resources.hp.availablevms", cell_mib, NULL},
	{"TSC_FREQ", "def.tscfreq", cell_hz, NULL},
	{"FWVER", "def.sysinfo.version", cell_text, NULL},
	{"FWDATE", "def.sysinfo.date", cell_text, NULL},
	{"CSTATE", "", cell_cstate, NULL},
	{"LOCKID", "lockid", cell_number, NULL},
	{NULL, NULL, NULL, NULL},
};

static const struct column cpu_columns[] = {
	{"NAME", "def.name", cell_text, NULL},
	{"TOTAL", "resources.cpu.total", cell_mhz, NULL},
	{"USED", "resources.cpu.used", cell_mhz, NULL},
	{"FREE", "resources.cpu.free", cell_mhz, NULL},
	{"USED_OS", "resources.cpu.usedos", cell_mhz, NULL},
	{"RESERVED_VM", "resources.cpu.reservedvms", cell_mhz, NULL},
	{"USED_VM", "resources.cpu.usedvms", cell_mhz, NULL},
	{"AVL_VM", "resources.cpu.availablevms", cell_mhz, NULL},
	{NULL, NULL, NULL, NULL},
};

static const struct column memory_columns[] = {
	{"NAME", "name", cell_text, NULL},
	{"KIND", "kind", cell_text, NULL},
	{"TOTAL", "part.total", cell_mib, NULL},
	{"USED", "part.used", cell_mib, NULL},
	{"FREE", "part.free", cell_mib, NULL},
	{"USED_OS", "part.usedos", cell_mib, NULL},
	{"RESERVED_VM", "part.reservedvms", cell_mib, NULL},
	{"USED_VM", "part.usedvms", cell_mib, NULL},
	{"AVL_VM", "part.availablevms", cell_mib, NULL},
	{NULL, NULL, NULL, NULL},
};

/* Memory and huge pages, a row each. */
static struct json_object *rows_memory(struct json_object *host)
{
	static const char *const kinds[][2] = {
		{"memory", "resources.memory"}, {"hugepages", "resources.hp"}};
	struct json_object *rows = json_object_new_array();

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct json_object *row = json_append_object(rows);

		json_add_string(row, "name", json_text_at(host, "def.name"));
		json_add_string(row, "kind", kinds[i][0]);
		json_object_object_add(row, "part", json_object_get(json_at(host, kinds[i][1])));
	}
	return rows;
}

static const struct view *view(const struct client *client)
{
	static const struct view summary = {summary_columns, "def.name", NULL};
	static const struct view cpu = {cpu_columns, "def.name", NULL};
	static const struct view memory = {memory_columns, "name", rows_memory};

	if (option_count(&client->options, "stat-cpu") > 0)
		return &cpu;
	return option_count(&client->options, "stat-mem") > 0 ? &memory : &summary;
}

static int each(
	struct client *client, const char *id, struct json_object **result, struct error *err)
{
	cleanup_exchange struct http_exchange exchange = {.method = "GET"};

	if (client_exchange_id(client, THING_HOST, id, "", &exchange, NULL, err) < 0)
		return -1;
	return client_answer(&exchange, result, err);
}

static const struct option_row options[] = {
	{'C', "stat-cpu", NULL, "show its CPU resources", 0},
	{'M', "stat-mem", NULL, "show its memory and huge pages", 0},
	{0, NULL, NULL, NULL, 0},
};

const struct command get_host_command = {
	.name = "get host",
	.operands = "ID...",
	.summary = "Show hosts",
	.details = "Reserved is what all VMs of the host were promised, whether they run or not.",
	.example = "virtx get host virt1\n"
		   "virtx get host virt1 virt2 --stat-mem",
	.options = options,
	.completes = {COMPLETE_HOST, COMPLETE_HOST},
	.each = each,
	.view = view,
};
