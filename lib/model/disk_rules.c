/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a disk of a definition must be (spec: rest-api.md, Definition rules). */
#include "model/disk_rules.h"

#include "base/str.h"
#include "base/uuid.h"

#include <fnmatch.h>
#include <limits.h>

#define BY_ID          "/dev/disk/by-id/"
#define LEASE_NAME_MAX 48 /* SANLK_NAME_LEN: libvirt refuses a longer one */

static const char *below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && path[len] ? path + len : NULL;
}

/* What is below VMS_DIR/ds/, NULL when the path is not. */
static const char *below_datastore(const char *path, const char *vms_dir)
{
	const char *rest = str_starts_with(path, vms_dir) ? path + strlen(vms_dir) : "";

	return below(rest, "/ds/");
}

static const char *unclean_reason(const char *path)
{
	for (const char *part = path; *part == '/';) {
		size_t len = strcspn(++part, "/");

		if (len == 0)
			return part[0] ? "contains \"//\"" : "ends with \"/\"";
		if (len == 1 && part[0] == '.')
			return "contains \".\" as a directory";
		if (len == 2 && part[0] == '.' && part[1] == '.')
			return "contains \"..\"";
		if (len > NAME_MAX)
			return "has a part of more than 255 bytes";
		part += len;
	}
	return NULL;
}

static bool is_image_name(const char *path)
{
	return str_ends_with(path, ".qcow2") || str_ends_with(path, ".raw") ||
	       str_ends_with(path, ".iso");
}

/* ci/VM-UUID/seed.iso: holds another VM's secrets, and VirtX makes and removes it by itself. */
static bool is_seed(const char *rest)
{
	char uuid[UUID_TEXT_SIZE];
	const char *name = below(rest, "ci/");

	if (!name || strlen(name) < sizeof(uuid))
		return false;
	memcpy(uuid, name, sizeof(uuid) - 1);
	uuid[sizeof(uuid) - 1] = '\0';
	return uuid_is_valid(uuid) && str_equal(name + sizeof(uuid) - 1, "/seed.iso");
}

static int check_place(const struct disk *disk, const char *where, const struct vmdef_rules *rules,
	bool is_new, struct error *err)
{
	const char *rest = below_datastore(disk->path, rules->vms_dir);

	if (rest && !is_image_name(rest))
		return error_set(err, ERR_INVALID,
			"%s.path: %s has none of the extensions .qcow2, .raw and .iso", where,
			disk->path);
	if (rest && is_new && is_seed(rest))
		return error_set(err, ERR_INVALID,
			"%s.path: %s is a cloud-init seed, which belongs to one VM only", where,
			disk->path);
	if (rest)
		return 0;
	if (!below(disk->path, "/dev/")) {
		error_set(err, ERR_INVALID, "%s.path: %s is neither below %s/ds/ nor below /dev/",
			where, disk->path, rules->vms_dir);
		return error_hint(err,
			"images live below %s/ds/ here; a relative path is taken from there",
			rules->vms_dir);
	}
	if (is_new && disk->man == DISK_MANAGED && disk->device != DISK_DEVICE_LUN)
		return error_set(err, ERR_INVALID,
			"%s.man: a block device can be managed only as a lun (device %d), because "
			"other names of it would have other leases",
			where, DISK_DEVICE_LUN);
	return 0;
}

static int check_path(const struct disk *disk, const char *where, const struct vmdef_rules *rules,
	bool is_new, struct error *err)
{
	if (str_is_empty(disk->path))
		return error_set(err, ERR_INVALID, "%s.path: required", where);
	if (vmdef_check_text(where, "path", disk->path, VMDEF_MAX_PATH, err) < 0)
		return -1;
	if (unclean_reason(disk->path))
		return error_set(err, ERR_INVALID, "%s.path: %s %s", where, disk->path,
			unclean_reason(disk->path));
	return check_place(disk, where, rules, is_new, err);
}

/* "-partN" at the end: with a lease of its own it would overlap the whole LUN. */
static bool is_partition(const char *name)
{
	const char *digits = name + strlen(name);

	while (digits > name && digits[-1] >= '0' && digits[-1] <= '9')
		digits--;
	return *digits && digits - name >= 5 && !strncmp(digits - 5, "-part", 5);
}

static bool is_allowed_lun(const char *path, const char *const *allow)
{
	const char *name = below(path, BY_ID);

	if (name && !strchr(name, '/') && !is_partition(name))
		return true;
	for (; allow && *allow; allow++)
		if (fnmatch(*allow, path, FNM_PATHNAME) == 0)
			return true;
	return false;
}

static int check_lun(const struct disk *disk, const char *where, const struct vmdef_rules *rules,
	struct error *err)
{
	char name[256];

	if (!is_allowed_lun(disk->path, rules->lun_allow))
		return error_set(err, ERR_INVALID,
			"%s.path: %s does not name a whole LUN below " BY_ID
			"; other names could reach one LUN with two leases",
			where, disk->path);
	disk_lease_name(disk, rules->vms_dir, name);
	if (disk->man == DISK_MANAGED && strlen(name) > LEASE_NAME_MAX)
		return error_set(err, ERR_INVALID,
			"%s.path: the lease name %s is longer than %d bytes", where, name,
			LEASE_NAME_MAX);
	return 0;
}

static int check_bus(const struct disk *disk, const char *where, struct error *err)
{
	if (disk->device == DISK_DEVICE_LUN && disk->bus != DISK_BUS_VIRTIO_SCSI)
		return error_set(err, ERR_INVALID,
			"%s.bus: a lun needs virtio-scsi (%d), not %s (%d)", where,
			DISK_BUS_VIRTIO_SCSI, enum_name(&disk_bus_names, (int)disk->bus),
			(int)disk->bus);
	if (disk->device == DISK_DEVICE_CDROM && disk->bus == DISK_BUS_VIRTIO_BLK)
		return error_set(err, ERR_INVALID,
			"%s.bus: a cdrom needs virtio-scsi (%d), sata (%d) or scsi (%d), not "
			"virtio-blk (%d)",
			where, DISK_BUS_VIRTIO_SCSI, DISK_BUS_SATA, DISK_BUS_SCSI,
			DISK_BUS_VIRTIO_BLK);
	return 0;
}

/* An image that qemu-img will have to make. */
static int check_new_image(const struct disk *disk, const char *where, struct error *err)
{
	if (disk->device != DISK_DEVICE_DISK || disk->man != DISK_MANAGED ||
		disk->prov == DISK_PROV_NONE)
		return 0;
	if (str_ends_with(disk->path, ".iso"))
		return error_set(err, ERR_INVALID,
			"%s.prov: an .iso cannot be made, only .qcow2 and .raw; prov %d takes an "
			"existing one",
			where, DISK_PROV_NONE);
	if (disk->size_mib == 0)
		return error_set(err, ERR_INVALID,
			"%s.size: at least 1 MiB for an image that is to be made; prov %d takes an "
			"existing one",
			where, DISK_PROV_NONE);
	return 0;
}

/* One LUN has several names, but one lease. */
static bool is_same_disk(const struct disk *a, const struct disk *b, const char *vms_dir)
{
	char name_a[256], name_b[256];

	if (str_equal(a->path, b->path))
		return true;
	if (a->device != DISK_DEVICE_LUN || b->device != DISK_DEVICE_LUN)
		return false;
	disk_lease_name(a, vms_dir, name_a);
	disk_lease_name(b, vms_dir, name_b);
	return str_equal(name_a, name_b);
}

static void name_disk(char where[static JSON_PATH_SIZE], size_t index)
{
	if (index == 0)
		snprintf(where, JSON_PATH_SIZE, "osdisk");
	else
		json_element_path(where, "", "disks", index - 1);
}

static int check_disk(
	const struct vmdef *def, size_t index, const struct vmdef_rules *rules, struct error *err)
{
	const struct disk *disk = &def->disks[index];
	char where[JSON_PATH_SIZE], other[JSON_PATH_SIZE];

	name_disk(where, index);
	bool is_new = str_is_empty(disk->path) || !rules->existing ||
		      !vmdef_find_disk(rules->existing, disk->path);
	if (check_bus(disk, where, err) < 0 || check_path(disk, where, rules, is_new, err) < 0)
		return -1;
	if (disk->device == DISK_DEVICE_LUN && check_lun(disk, where, rules, err) < 0)
		return -1;
	if (disk->size_mib < 0)
		return error_set(
			err, ERR_INVALID, "%s.size: %d is negative", where, disk->size_mib);
	if (is_new && check_new_image(disk, where, err) < 0)
		return -1;
	for (size_t i = 0; i < index; i++) {
		if (!is_same_disk(disk, &def->disks[i], rules->vms_dir))
			continue;
		name_disk(other, i);
		return error_set(err, ERR_INVALID, "%s.path: %s is the same disk as %s.path (%s)",
			where, disk->path, other, def->disks[i].path);
	}
	return 0;
}

void disk_rules_make_absolute(struct vmdef *def, const char *vms_dir)
{
	for (size_t i = 0; i < def->n_disks; i++) {
		char *path = def->disks[i].path;

		if (str_is_empty(path) || path[0] == '/')
			continue;
		def->disks[i].path = xasprintf("%s/ds/%s", vms_dir, path);
		free(path);
	}
}

int disk_rules_check(const struct vmdef *def, const struct vmdef_rules *rules, struct error *err)
{
	if (def->n_disks == 0)
		return error_set(err, ERR_INVALID, "osdisk.path: required");
	if (def->n_disks > 1 + VMDEF_MAX_DISKS)
		return error_set(err, ERR_INVALID, "disks: at most %d, not %zu", VMDEF_MAX_DISKS,
			def->n_disks - 1);
	for (size_t i = 0; i < def->n_disks; i++)
		if (check_disk(def, i, rules, err) < 0)
			return -1;
	return 0;
}
