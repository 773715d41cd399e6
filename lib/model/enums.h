/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The numbers of the REST API (spec: rest-api.md, Models). They are on the wire: never renumber. */
#ifndef MODEL_ENUMS_H
#define MODEL_ENUMS_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum disk_device { DISK_DEVICE_DISK, DISK_DEVICE_CDROM, DISK_DEVICE_LUN };
enum disk_bus { DISK_BUS_VIRTIO_BLK, DISK_BUS_VIRTIO_SCSI, DISK_BUS_SATA, DISK_BUS_SCSI };
enum disk_man { DISK_UNMANAGED, DISK_MANAGED };
enum disk_prov { DISK_PROV_NONE, DISK_PROV_THIN, DISK_PROV_THICK };
enum firmware { FIRMWARE_BIOS, FIRMWARE_UEFI };
enum nettype { NETTYPE_NETWORK, NETTYPE_BRIDGE };
enum netmodel { NETMODEL_VIRTIO, NETMODEL_E1000E, NETMODEL_E1000 };
enum migration_type { MIGRATION_COLD, MIGRATION_LIVE };

enum migration_state {
	MIGRATION_STATE_NONE,
	MIGRATION_STATE_SETUP,
	MIGRATION_STATE_CANCELLING,
	MIGRATION_STATE_CANCELLED,
	MIGRATION_STATE_ACTIVE,
	MIGRATION_STATE_PRE_SWITCHOVER,
	MIGRATION_STATE_DEVICE,
	MIGRATION_STATE_WAIT_UNPLUG,
	MIGRATION_STATE_COMPLETED,
	MIGRATION_STATE_FAILED
};

enum runstate {
	RUNSTATE_NONE,
	RUNSTATE_DELETED,
	RUNSTATE_POWEROFF,
	RUNSTATE_STARTUP,
	RUNSTATE_RUNNING,
	RUNSTATE_PAUSED,
	RUNSTATE_MIGRATING,
	RUNSTATE_TERMINATING,
	RUNSTATE_PMSUSPENDED,
	RUNSTATE_CRASHED
};

enum cstate { CSTATE_INVALID, CSTATE_ACTIVE, CSTATE_LEFT, CSTATE_FAILED };

/* How guests run here; AUTO is resolved to one of the others before XML is made. */
enum virt_type { VIRT_TYPE_AUTO, VIRT_TYPE_KVM, VIRT_TYPE_QEMU };

/* What an enum's values are called by people; one row per enum. */
struct enum_names {
	const char *what;         /* "runstate", for messages */
	const char *const *names; /* index is the value */
	int16_t count;
};

extern const struct enum_names disk_device_names, disk_bus_names, disk_man_names, disk_prov_names,
	firmware_names, nettype_names, netmodel_names, migration_type_names, migration_state_names,
	runstate_names, cstate_names, virt_type_names;

/* The name of a value, "unknown" for one that is not listed. Never NULL. */
const char *enum_name(const struct enum_names *names, int value);

/* A value from its name or its number; false when it is neither. */
bool enum_parse(const struct enum_names *names, const char *text, int16_t *value);
/* Sets the hint of an error about a value that is none: "one of ..., or its number". Returns -1. */
int enum_hint(const struct enum_names *names, struct error *err);

#endif
