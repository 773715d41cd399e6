/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of the two lists and their JSON (spec: rest-api.md, VmListFields and HostListFields). */
#include "base/str.h"
#include "model/filter.h"
#include "model/json.h"

void vm_row_free(struct vm_row *row)
{
	if (row->packed) {
		free(row->packed);
	} else {
		free(row->name);
		custom_list_free(row->custom, row->n_custom);
	}
	free(row->conflict);
	*row = (struct vm_row){0};
}

static size_t text_size(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

static char *pack(char **at, const char *text)
{
	size_t size = text_size(text);
	char *copy = size ? memcpy(*at, text, size) : NULL;

	*at += size;
	return copy;
}

/* The custom fields, then all that they and the name are made of. */
static void pack_texts(struct vm_row *to, const struct vm_row *from)
{
	size_t list = from->n_custom * sizeof(*from->custom);
	size_t size = list + text_size(from->name);

	for (size_t i = 0; i < from->n_custom; i++)
		size += text_size(from->custom[i].name) + text_size(from->custom[i].value);
	to->packed = xmalloc(size + 1);
	to->custom = to->packed;
	char *at = (char *)to->packed + list;
	to->name = pack(&at, from->name);
	for (size_t i = 0; i < from->n_custom; i++) {
		to->custom[i].name = pack(&at, from->custom[i].name);
		to->custom[i].value = pack(&at, from->custom[i].value);
	}
}

void vm_row_copy(struct vm_row *to, const struct vm_row *from)
{
	*to = *from;
	pack_texts(to, from);
	if (from->conflict)
		to->conflict = xmemdup(from->conflict, 2 * UUID_TEXT_SIZE);
}

void vm_row_from_vm(struct vm_row *row, const struct vm *vm)
{
	*row = (struct vm_row){
		.name = xstrdup_or_null(vm->def.name),
		.runstate = vm->runstate,
		.vlanid = vm->def.vlanid,
		.vcpus = (int16_t)vmdef_vcpus(&vm->def),
		.custom = custom_list_copy(vm->def.custom, vm->def.n_custom),
		.n_custom = vm->def.n_custom,
		.ts_ms = vm->ts_ms,
		.cstate = CSTATE_ACTIVE,
	};
	memcpy(row->uuid, vm->uuid, sizeof(row->uuid));
	memcpy(row->host_uuid, vm->host_uuid, sizeof(row->host_uuid));
}

/* The first field, or the first of that name; NULL when there is none. */
static const struct custom *find_custom(const struct vm_row *row, const char *name)
{
	for (size_t i = 0; i < row->n_custom; i++)
		if (str_is_empty(name) || str_equal(row->custom[i].name, name))
			return &row->custom[i];
	return NULL;
}

struct json_object *vm_row_to_json(const struct vm_row *row, const char *custom_name)
{
	struct json_object *json = json_new_object();

	json_add_string(json, "uuid", row->uuid);
	struct json_object *fields = json_add_object(json, "fields");
	json_add_string(fields, "name", row->name);
	json_add_string(fields, "host", row->host_uuid);
	json_add_int(fields, "runstate", row->runstate);
	json_add_int(fields, "vlanid", row->vlanid);
	custom_to_json(find_custom(row, custom_name), json_add_object(fields, "custom"));
	json_add_int(fields, "cstate", row->cstate);
	struct json_object *conflict = json_add_array(fields, "conflict");
	for (size_t i = 0; row->conflict && i < 2; i++)
		json_append_string(conflict, row->conflict[i]);
	json_add_int(fields, "ts", row->ts_ms);
	return json;
}

struct json_object *host_row_to_json(const struct host *host)
{
	struct json_object *json = json_new_object();

	json_add_string(json, "uuid", host->uuid);
	struct json_object *fields = json_add_object(json, "fields");
	json_add_string(fields, "name", host->name);
	host_cpu_to_json(host, fields);
	json_add_int(fields, "cstate", host->cstate);
	json_add_bool(fields, "drained", host->drained);
	json_add_int(fields, "memoryavailable", host->memory.available_vms);
	json_add_int(fields, "hpavailable", host->hugepages.available_vms);
	json_add_string(fields, "osid", host->os_id);
	json_add_string(fields, "osv", host->os_version);
	json_add_int(fields, "ts", host->ts_ms);
	return json;
}
