/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Filters of the two lists (spec: rest-api.md, Filters) and the list items.
 * All set members are ANDed; a zero member does not filter.
 */
#ifndef MODEL_FILTER_H
#define MODEL_FILTER_H

#include "base/uuid.h"
#include "model/enums.h"
#include "model/host.h"
#include "model/vm.h"

/* What a list knows of a VM: VmListFields plus what gossip carries. Owns what it points to. */
struct vm_row {
	char uuid[UUID_TEXT_SIZE];
	char host_uuid[UUID_TEXT_SIZE];
	char *name;
	enum runstate runstate;
	int16_t vlanid;
	int16_t vcpus;
	struct custom *custom;
	size_t n_custom;
	int64_t ts_ms;
	enum cstate cstate;               /* of its host */
	char (*conflict)[UUID_TEXT_SIZE]; /* the two hosts that have it; NULL: one has */
	void *packed; /* of a copy: name and custom fields in one piece, as there are many; NULL:
			 each on its own */
};

void vm_row_free(struct vm_row *row);
void vm_row_copy(struct vm_row *to, const struct vm_row *from);
/* Filled from a VM. */
void vm_row_from_vm(struct vm_row *row, const struct vm *vm);

struct vm_filter {
	char *name;      /* substring */
	char *host_uuid; /* exact */
	int16_t runstate, vlanid;
	char *custom_name, *custom_value;
	int64_t ts_ms; /* entries not newer than it */
};

struct host_filter {
	char *name;
	char *arch, *vendor, *cpu_model, *os_id, *os_version;
	int16_t nodes, sockets, cores, threads; /* at least */
	int32_t memory_available, hugepages_available;
	int16_t cstate;
	int64_t ts_ms;
};

/* Read from the `filter` member of a request body (NULL: none). -1 with ERR_INVALID. On -1 it is
 * empty. */
int vm_filter_from_json(struct json_object *json, struct vm_filter *filter, struct error *err);
int host_filter_from_json(struct json_object *json, struct host_filter *filter, struct error *err);
/*
 * One query parameter by its API name (name, host, runstate, vlanid, custom.name,
 * custom.value, ts; cpuarch.arch ...), states also by name. 1 when it is a filter, 0 when the name
 * is none of them, -1 with ERR_INVALID when its value is bad or it was given already (in the
 * body too).
 */
int vm_filter_set(struct vm_filter *filter, const char *name, const char *value, struct error *err);
int host_filter_set(
	struct host_filter *filter, const char *name, const char *value, struct error *err);
/* Whether nothing is given: every row matches. */
bool vm_filter_is_empty(const struct vm_filter *filter);
bool host_filter_is_empty(const struct host_filter *filter);
bool vm_filter_match(const struct vm_filter *filter, const struct vm_row *row);
bool host_filter_match(const struct host_filter *filter, const struct host *host);
void vm_filter_free(struct vm_filter *filter);
void host_filter_free(struct host_filter *filter);

/*
 * One list item {uuid, fields}. custom_name: which custom field to show, "" or NULL for the first
 * one. The caller puts it.
 */
struct json_object *vm_row_to_json(const struct vm_row *row, const char *custom_name);
struct json_object *host_row_to_json(const struct host *host);

#endif
