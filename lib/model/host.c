/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A host as a value, and the Host object of the API. */
#include "model/host.h"

#include "model/json.h"

void host_free(struct host *host)
{
	free(host->name);
	free(host->arch);
	free(host->vendor);
	free(host->cpu.model);
	free(host->firmware_version);
	free(host->firmware_date);
	free(host->os_id);
	free(host->os_version);
	*host = (struct host){0};
}

void host_copy(struct host *to, const struct host *from)
{
	*to = *from;
	to->name = xstrdup_or_null(from->name);
	to->arch = xstrdup_or_null(from->arch);
	to->vendor = xstrdup_or_null(from->vendor);
	to->cpu.model = xstrdup_or_null(from->cpu.model);
	to->firmware_version = xstrdup_or_null(from->firmware_version);
	to->firmware_date = xstrdup_or_null(from->firmware_date);
	to->os_id = xstrdup_or_null(from->os_id);
	to->os_version = xstrdup_or_null(from->os_version);
}

void host_cpu_to_json(const struct host *host, struct json_object *json)
{
	struct json_object *cpuarch = json_add_object(json, "cpuarch");

	json_add_string(cpuarch, "arch", host->arch);
	json_add_string(cpuarch, "vendor", host->vendor);
	cpudef_to_json(&host->cpu, json_add_object(json, "cpudef"));
}

static void write_def(const struct host *host, struct json_object *json)
{
	json_add_string(json, "name", host->name);
	host_cpu_to_json(host, json);
	json_add_int(json, "tscfreq", host->tsc_hz);
	struct json_object *sysinfo = json_add_object(json, "sysinfo");
	json_add_string(sysinfo, "version", host->firmware_version);
	json_add_string(sysinfo, "date", host->firmware_date);
	json_add_string(json, "osid", host->os_id);
	json_add_string(json, "osv", host->os_version);
}

static void write_resource(const struct host_resource *resource, struct json_object *json)
{
	json_add_int(json, "total", resource->total);
	json_add_int(json, "used", resource->used);
	json_add_int(json, "free", resource->free);
	json_add_int(json, "usedos", resource->used_os);
	json_add_int(json, "reservedvms", resource->reserved_vms);
	json_add_int(json, "usedvms", resource->used_vms);
	json_add_int(json, "availablevms", resource->available_vms);
}

struct json_object *host_to_json(const struct host *host)
{
	struct json_object *json = json_new_object();

	json_add_string(json, "uuid", host->uuid);
	write_def(host, json_add_object(json, "def"));
	json_add_int(json, "cstate", host->cstate);
	json_add_bool(json, "drained", host->drained);
	json_add_int(json, "lockid", host->lockid);
	struct json_object *resources = json_add_object(json, "resources");
	write_resource(&host->memory, json_add_object(resources, "memory"));
	write_resource(&host->hugepages, json_add_object(resources, "hp"));
	write_resource(&host->processor, json_add_object(resources, "cpu"));
	json_add_int(json, "ts", host->ts_ms);
	return json;
}
