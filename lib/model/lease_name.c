/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of lease resources (spec: storage-and-locks.md). Other implementations compute the same
 * ones. */
#include "base/str.h"
#include "model/vmdef.h"

#define LEASE_NAME_SIZE 256

/* A name that is a directory of its own and belongs to no VM and no lockspace. */
static bool is_usable(const char *name)
{
	return *name && *name != '.' && !str_starts_with(name, "vm-") &&
	       !str_starts_with(name, "__");
}

/* The serial part of a LUN's name, so that its scsi, wwn and multipath names agree. */
static bool lun_lease_name(const char *path, char name[static LEASE_NAME_SIZE])
{
	static const struct {
		const char *prefix, *instead;
	} rules[] = {{"dm-uuid-mpath-", ""}, {"scsi-", ""}, {"nvme-", ""}, {"wwn-0x", "3"}};
	const char *slash = strrchr(path, '/');
	const char *serial = slash ? slash + 1 : path, *front = "";

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (str_starts_with(serial, rules[i].prefix)) {
			serial += strlen(rules[i].prefix);
			front = rules[i].instead;
			break;
		}
	}
	return snprintf(name, LEASE_NAME_SIZE, "%s%s", front, serial) < LEASE_NAME_SIZE &&
	       is_usable(name);
}

void disk_lease_name(const struct disk *disk, const char *vms_dir, char name[static 256])
{
	const char *path = disk->path ? disk->path : "";
	size_t root = strlen(vms_dir);

	/* Names that no device has fall through to one that can do no harm. */
	if (disk->device == DISK_DEVICE_LUN && lun_lease_name(path, name))
		return;
	if (str_starts_with(path, vms_dir) && str_starts_with(path + root, "/ds/"))
		path += root + strlen("/ds/");
	str_md5_hex(path, strlen(path), name);
}

void vm_lease_name(const char *uuid, char name[static 256])
{
	snprintf(name, LEASE_NAME_SIZE, "vm-%s", uuid);
}
