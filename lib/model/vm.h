/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A VM as it runs: state, statistics, operation log (spec: rest-api.md, Vm). Owns what it points
 * to. */
#ifndef MODEL_VM_H
#define MODEL_VM_H

#include "base/uuid.h"
#include "model/vmdef.h"

/* The log keeps at most one entry per kind, in this order. The names are on the wire (VmBoot, ...).
 */
enum oplog_op { OPLOG_BOOT, OPLOG_MIGRATE, OPLOG_PAUSE, OPLOG_RESUME, OPLOG_SHUTDOWN, OPLOG_COUNT };
enum oplog_status { OPLOG_STARTED, OPLOG_FAILED, OPLOG_COMPLETED };

/* "VmBoot" ...; and back, false for other words. */
const char *oplog_op_name(enum oplog_op op);
bool oplog_op_parse(const char *name, enum oplog_op *op);
const char *oplog_status_name(enum oplog_status status);
bool oplog_status_parse(const char *name, enum oplog_status *status);

struct oplog_entry {
	bool present;
	int64_t start_ms; /* ts */
	int64_t end_ms;   /* te, 0 while started */
	enum oplog_status status;
	char *message;
};

/* Units as in the spec, statistics.md. All zero until measured. */
struct vmstats {
	int32_t cpu_utilization; /* percent of one CPU */
	int32_t mhz_used;
	int64_t memory_capacity_mib, memory_used_mib;
	int64_t disk_capacity_mib, disk_allocation_mib, disk_physical_mib;
	int32_t net_rx_kib_s, net_tx_kib_s;
};

struct vm {
	char uuid[UUID_TEXT_SIZE];
	struct vmdef def;
	enum runstate runstate;
	char host_uuid[UUID_TEXT_SIZE];
	struct vmstats stats;
	struct oplog_entry oplog[OPLOG_COUNT];
	int64_t ts_ms;
	bool foreign; /* not made by VirtX: listed, never changed */
	bool autostart;
	char *vnc;        /* "address:port", "" when not running */
	char **addresses; /* of the guest, n_addresses of them */
	size_t n_addresses;
};

void vm_free(struct vm *vm);
void vm_copy(struct vm *to, const struct vm *from);
#define cleanup_vm CLEANUP(vm_free)

/* Entity tag of a definition: 16 hex digits, the same for equal definitions on every host. */
void vmdef_etag(const struct vmdef *def, char etag[static 17]);

/* The Vm object of the API; members of ours (vnc, addresses, autostart, foreign, conflict, etag)
 * last. conflict is empty: a VM knows nothing of other hosts. The caller puts it. */
struct json_object *vm_to_json(const struct vm *vm);

#endif
