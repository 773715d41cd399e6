/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A definition from JSON and back (spec: rest-api.md, Vmdef). */
#include "model/json.h"
#include "model/vmdef.h"

static int read_cpu(struct json_object *json, struct cpudef *cpu, struct error *err)
{
	const char *path = "cpudef";

	return json_get_string(json, "model", path, &cpu->model, err) < 0 ||
			       json_get_i16(json, "nodes", path, &cpu->nodes, err) < 0 ||
			       json_get_i16(json, "sockets", path, &cpu->sockets, err) < 0 ||
			       json_get_i16(json, "cores", path, &cpu->cores, err) < 0 ||
			       json_get_i16(json, "threads", path, &cpu->threads, err) < 0
		       ? -1
		       : 0;
}

static int read_disk(
	struct json_object *json, const char *path, struct disk *disk, struct error *err)
{
	int device, bus, man, prov;

	if (json_get_string(json, "path", path, &disk->path, err) < 0 ||
		json_get_enum(json, "device", path, &disk_device_names, &device, err) < 0 ||
		json_get_enum(json, "bus", path, &disk_bus_names, &bus, err) < 0 ||
		json_get_enum(json, "man", path, &disk_man_names, &man, err) < 0 ||
		json_get_enum(json, "prov", path, &disk_prov_names, &prov, err) < 0 ||
		json_get_i32(json, "size", path, &disk->size_mib, err) < 0)
		return -1;
	disk->device = (enum disk_device)device;
	disk->bus = (enum disk_bus)bus;
	disk->man = (enum disk_man)man;
	disk->prov = (enum disk_prov)prov;
	return 0;
}

static int read_net(struct json_object *json, const char *path, struct net *net, struct error *err)
{
	int type, model;

	if (json_get_string(json, "name", path, &net->name, err) < 0 ||
		json_get_enum(json, "nettype", path, &nettype_names, &type, err) < 0 ||
		json_get_enum(json, "model", path, &netmodel_names, &model, err) < 0 ||
		json_get_string(json, "mac", path, &net->mac, err) < 0)
		return -1;
	net->type = (enum nettype)type;
	net->model = (enum netmodel)model;
	return 0;
}

/* The osdisk, then the others. */
static int read_disks(struct json_object *json, struct vmdef *def, struct error *err)
{
	struct json_object *osdisk, *list;
	char path[JSON_PATH_SIZE];
	size_t count;

	if (json_get_object(json, "osdisk", "", &osdisk, err) < 0 ||
		json_get_objects(json, "disks", "", VMDEF_MAX_DISKS, &list, &count, err) < 0)
		return -1;
	def->disks = xcalloc(1 + count, sizeof(*def->disks));
	def->n_disks = 1 + count;
	if (read_disk(osdisk, "osdisk", &def->disks[0], err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (read_disk(json_object_array_get_idx(list, i),
			    json_element_path(path, "", "disks", i), &def->disks[1 + i], err) < 0)
			return -1;
	return 0;
}

static int read_nets(struct json_object *json, struct vmdef *def, struct error *err)
{
	struct json_object *list;
	char path[JSON_PATH_SIZE];
	size_t count;

	if (json_get_objects(json, "nets", "", VMDEF_MAX_NETS, &list, &count, err) < 0)
		return -1;
	def->nets = xcalloc(count, sizeof(*def->nets));
	def->n_nets = count;
	for (size_t i = 0; i < count; i++)
		if (read_net(json_object_array_get_idx(list, i),
			    json_element_path(path, "", "nets", i), &def->nets[i], err) < 0)
			return -1;
	return 0;
}

static int read_custom(struct json_object *json, struct vmdef *def, struct error *err)
{
	struct json_object *list;
	char path[JSON_PATH_SIZE];
	size_t count;

	if (json_get_objects(json, "custom", "", VMDEF_MAX_CUSTOM, &list, &count, err) < 0)
		return -1;
	def->custom = xcalloc(count, sizeof(*def->custom));
	def->n_custom = count;
	for (size_t i = 0; i < count; i++) {
		struct json_object *item = json_object_array_get_idx(list, i);

		json_element_path(path, "", "custom", i);
		if (json_get_string(item, "name", path, &def->custom[i].name, err) < 0 ||
			json_get_string(item, "value", path, &def->custom[i].value, err) < 0)
			return -1;
	}
	return 0;
}

static int read_scalars(struct json_object *json, struct vmdef *def, struct error *err)
{
	struct json_object *cpu, *memory, *numa;
	int firmware;

	if (json_get_string(json, "name", "", &def->name, err) < 0 ||
		json_get_object(json, "cpudef", "", &cpu, err) < 0 ||
		read_cpu(cpu, &def->cpu, err) < 0 ||
		json_get_object(json, "memory", "", &memory, err) < 0 ||
		json_get_i32(memory, "total", "memory", &def->memory_mib, err) < 0 ||
		json_get_bool(memory, "hp", "memory", &def->hugepages, err) < 0 ||
		json_get_object(json, "numa", "", &numa, err) < 0 ||
		json_get_bool(numa, "placement", "numa", &def->numa_placement, err) < 0 ||
		json_get_i16(json, "vlanid", "", &def->vlanid, err) < 0 ||
		json_get_enum(json, "firmware", "", &firmware_names, &firmware, err) < 0 ||
		json_get_string(json, "genid", "", &def->genid, err) < 0)
		return -1;
	def->firmware = (enum firmware)firmware;
	return 0;
}

int vmdef_from_json(struct json_object *json, struct vmdef *def, struct error *err)
{
	*def = (struct vmdef){0};
	if (read_scalars(json, def, err) == 0 && read_disks(json, def, err) == 0 &&
		read_nets(json, def, err) == 0 && read_custom(json, def, err) == 0)
		return 0;
	vmdef_free(def);
	return -1;
}

void cpudef_to_json(const struct cpudef *cpu, struct json_object *json)
{
	json_add_string(json, "model", cpu->model);
	json_add_int(json, "nodes", cpu->nodes);
	json_add_int(json, "sockets", cpu->sockets);
	json_add_int(json, "cores", cpu->cores);
	json_add_int(json, "threads", cpu->threads);
}

static void write_disk(const struct disk *disk, struct json_object *json)
{
	json_add_string(json, "path", disk->path);
	json_add_int(json, "device", disk->device);
	json_add_int(json, "bus", disk->bus);
	json_add_int(json, "man", disk->man);
	json_add_int(json, "prov", disk->prov);
	json_add_int(json, "size", disk->size_mib);
}

static void write_net(const struct net *net, struct json_object *json)
{
	json_add_string(json, "name", net->name);
	json_add_int(json, "nettype", net->type);
	json_add_int(json, "model", net->model);
	json_add_string(json, "mac", net->mac);
}

void custom_to_json(const struct custom *custom, struct json_object *json)
{
	json_add_string(json, "name", custom ? custom->name : "");
	json_add_string(json, "value", custom ? custom->value : "");
}

struct json_object *vmdef_to_json(const struct vmdef *def)
{
	static const struct disk no_disk;
	struct json_object *json = json_new_object(), *memory, *list;

	json_add_string(json, "name", def->name);
	cpudef_to_json(&def->cpu, json_add_object(json, "cpudef"));
	memory = json_add_object(json, "memory");
	json_add_int(memory, "total", def->memory_mib);
	json_add_bool(memory, "hp", def->hugepages);
	json_add_bool(json_add_object(json, "numa"), "placement", def->numa_placement);
	/* A foreign domain may have no disk at all. */
	write_disk(def->n_disks ? &def->disks[0] : &no_disk, json_add_object(json, "osdisk"));
	list = json_add_array(json, "disks");
	for (size_t i = 1; i < def->n_disks; i++)
		write_disk(&def->disks[i], json_append_object(list));
	list = json_add_array(json, "nets");
	for (size_t i = 0; i < def->n_nets; i++)
		write_net(&def->nets[i], json_append_object(list));
	json_add_int(json, "vlanid", def->vlanid);
	json_add_int(json, "firmware", def->firmware);
	json_add_string(json, "genid", def->genid);
	list = json_add_array(json, "custom");
	for (size_t i = 0; i < def->n_custom; i++)
		custom_to_json(&def->custom[i], json_append_object(list));
	return json;
}
