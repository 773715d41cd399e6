/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A VM as a value, and the Vm object of the API. */
#include "model/vm.h"

#include "base/str.h"
#include "model/json.h"

#include <inttypes.h>

static const char *const op_names[OPLOG_COUNT] = {
	"VmBoot", "VmMigrate", "VmPause", "VmResume", "VmShutdown"};
static const char *const status_names[] = {"started", "failed", "completed"};

const char *oplog_op_name(enum oplog_op op)
{
	return op_names[op];
}

bool oplog_op_parse(const char *name, enum oplog_op *op)
{
	for (int i = 0; i < OPLOG_COUNT; i++) {
		if (str_equal(name, op_names[i])) {
			*op = (enum oplog_op)i;
			return true;
		}
	}
	return false;
}

const char *oplog_status_name(enum oplog_status status)
{
	return status_names[status];
}

bool oplog_status_parse(const char *name, enum oplog_status *status)
{
	for (int i = OPLOG_STARTED; i <= OPLOG_COMPLETED; i++) {
		if (str_equal(name, status_names[i])) {
			*status = (enum oplog_status)i;
			return true;
		}
	}
	return false;
}

void vm_free(struct vm *vm)
{
	vmdef_free(&vm->def);
	for (int i = 0; i < OPLOG_COUNT; i++)
		free(vm->oplog[i].message);
	free(vm->vnc);
	for (size_t i = 0; i < vm->n_addresses; i++)
		free(vm->addresses[i]);
	free(vm->addresses);
	*vm = (struct vm){0};
}

void vm_copy(struct vm *to, const struct vm *from)
{
	*to = *from;
	vmdef_copy(&to->def, &from->def);
	for (int i = 0; i < OPLOG_COUNT; i++)
		to->oplog[i].message = xstrdup_or_null(from->oplog[i].message);
	to->vnc = xstrdup_or_null(from->vnc);
	to->addresses = xcalloc(from->n_addresses, sizeof(*to->addresses));
	for (size_t i = 0; i < from->n_addresses; i++)
		to->addresses[i] = xstrdup(from->addresses[i]);
}

/* 64-bit FNV-1a. */
static uint64_t fnv1a(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3;
	return hash;
}

void vmdef_etag(const struct vmdef *def, char etag[static 17])
{
	cleanup_json struct json_object *json = vmdef_to_json(def);
	cleanup_free char *text = json_text(json);

	snprintf(etag, 17, "%016" PRIx64, fnv1a(text));
}

static void write_oplog(const struct oplog_entry *oplog, struct json_object *items)
{
	for (int i = 0; i < OPLOG_COUNT; i++) {
		const struct oplog_entry *entry = &oplog[i];

		if (!entry->present)
			continue;
		struct json_object *item = json_append_object(items);
		json_add_string(item, "op", oplog_op_name((enum oplog_op)i));
		json_add_int(item, "ts", entry->start_ms);
		json_add_int(item, "te", entry->end_ms);
		json_add_string(item, "status", oplog_status_name(entry->status));
		json_add_string(item, "msg", entry->message);
	}
}

static void write_stats(const struct vm *vm, struct json_object *json)
{
	const struct vmstats *stats = &vm->stats;

	json_add_int(json, "cpu_utilization", stats->cpu_utilization);
	json_add_int(json, "mhz_used", stats->mhz_used);
	json_add_int(json, "memory_capacity", stats->memory_capacity_mib);
	json_add_int(json, "memory_used", stats->memory_used_mib);
	json_add_int(json, "disk_capacity", stats->disk_capacity_mib);
	json_add_int(json, "disk_allocation", stats->disk_allocation_mib);
	json_add_int(json, "disk_physical", stats->disk_physical_mib);
	json_add_int(json, "net_rx_bw", stats->net_rx_kib_s);
	json_add_int(json, "net_tx_bw", stats->net_tx_kib_s);
	write_oplog(vm->oplog, json_add_array(json_add_object(json, "oplog"), "items"));
}

struct json_object *vm_to_json(const struct vm *vm)
{
	struct json_object *json = json_new_object();
	char etag[17];

	json_add_string(json, "uuid", vm->uuid);
	json_object_object_add(json, "def", vmdef_to_json(&vm->def));
	struct json_object *runinfo = json_add_object(json, "runinfo");
	json_add_int(runinfo, "runstate", vm->runstate);
	json_add_string(runinfo, "host", vm->host_uuid);
	write_stats(vm, json_add_object(json, "stats"));
	json_add_int(json, "ts", vm->ts_ms);
	json_add_string(json, "vnc", vm->vnc);
	struct json_object *addresses = json_add_array(json, "addresses");
	for (size_t i = 0; i < vm->n_addresses; i++)
		json_append_string(addresses, vm->addresses[i]);
	json_add_bool(json, "autostart", vm->autostart);
	json_add_bool(json, "foreign", vm->foreign);
	json_add_array(json, "conflict");
	vmdef_etag(&vm->def, etag);
	json_add_string(json, "etag", etag);
	return json;
}
