/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names of the API's numbers: one row per enum, the index is the value on the wire. */
#include "model/enums.h"

#include "base/buf.h"
#include "base/str.h"

#include <strings.h>

#define ENUM_NAMES(variable, label, ...)                            \
	static const char *const variable##_list[] = {__VA_ARGS__}; \
	const struct enum_names variable = {                        \
		label, variable##_list, sizeof(variable##_list) / sizeof(variable##_list[0])}

ENUM_NAMES(disk_device_names, "disk device", "disk", "cdrom", "lun");
ENUM_NAMES(disk_bus_names, "disk bus", "virtio-blk", "virtio-scsi", "sata", "scsi");
ENUM_NAMES(disk_man_names, "disk management", "unmanaged", "managed");
ENUM_NAMES(disk_prov_names, "provisioning", "none", "thin", "thick");
ENUM_NAMES(firmware_names, "firmware", "bios", "uefi");
ENUM_NAMES(nettype_names, "network type", "network", "bridge");
ENUM_NAMES(netmodel_names, "network model", "virtio", "e1000e", "e1000");
ENUM_NAMES(migration_type_names, "migration type", "cold", "live");
ENUM_NAMES(migration_state_names, "migration state", "none", "setup", "cancelling", "cancelled",
	"active", "pre-switchover", "device", "wait-unplug", "completed", "failed");
ENUM_NAMES(runstate_names, "runstate", "none", "deleted", "poweroff", "startup", "running",
	"paused", "migrating", "terminating", "pmsuspended", "crashed");
ENUM_NAMES(cstate_names, "host state", "invalid", "active", "left", "failed");
ENUM_NAMES(virt_type_names, "virtualisation type", "auto", "kvm", "qemu");

const char *enum_name(const struct enum_names *names, int value)
{
	return value >= 0 && value < names->count ? names->names[value] : "unknown";
}

bool enum_parse(const struct enum_names *names, const char *text, int16_t *value)
{
	int64_t number;

	if (str_parse_int(text, 0, names->count - 1, &number)) {
		*value = (int16_t)number;
		return true;
	}
	for (int16_t i = 0; i < names->count; i++) {
		if (strcasecmp(names->names[i], text) == 0) {
			*value = i;
			return true;
		}
	}
	return false;
}

int enum_hint(const struct enum_names *names, struct error *err)
{
	cleanup_buf struct printbuf *list = buf_new();

	for (int16_t i = 0; i < names->count; i++)
		buf_format(list, "%s%s", i ? ", " : "", names->names[i]);
	return error_hint(err, "one of %s, or its number", list->buf);
}
