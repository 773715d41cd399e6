/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A host and its resources (spec: rest-api.md, Host; statistics.md). Owns what it points to. */
#ifndef MODEL_HOST_H
#define MODEL_HOST_H

#include "base/uuid.h"
#include "model/vmdef.h"

/* MiB for memory and huge pages, MHz for cpu. */
struct host_resource {
	int32_t total, used, free, used_os, reserved_vms, used_vms, available_vms;
};

struct host {
	char uuid[UUID_TEXT_SIZE];
	char *name;
	char *arch, *vendor;
	struct cpudef cpu;
	int64_t tsc_hz;
	char *firmware_version, *firmware_date;
	char *os_id, *os_version;
	enum cstate cstate;
	bool drained;   /* it takes no VMs */
	int16_t lockid; /* sanlock host id, 0 without sanlock */
	struct host_resource memory, hugepages, processor;
	int64_t ts_ms;
};

void host_free(struct host *host);
void host_copy(struct host *to, const struct host *from);
#define cleanup_host CLEANUP(host_free)

/* Adds the members cpuarch and cpudef. */
void host_cpu_to_json(const struct host *host, struct json_object *json);

/* The Host object of the API. The caller puts it. */
struct json_object *host_to_json(const struct host *host);

#endif
