/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happens to the disks of a VM: see disk.h. The work itself is lease-run's (work_perform.c).
 */
#include "storage/disk.h"

#include "base/mem.h"
#include "base/str.h"
#include "storage/beneath.h"
#include "storage/detect.h"
#include "storage/lease_private.h"
#include "storage/store_private.h"
#include "storage/work.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_made(const struct disk *disk)
{
	return disk->man == DISK_MANAGED && disk->prov != DISK_PROV_NONE;
}

int disk_detect(const struct store *store, struct disk *disk, struct error *err)
{
	const char *below = store_below_datastore(store, disk->path);
	int found = below ? detect_image(store, below, disk, err) : detect_device(disk, err);

	if (found < 0 && err->code == ERR_NOT_FOUND) {
		err->code = ERR_STORAGE;
		if (disk->man == DISK_MANAGED)
			error_hint(err, "with prov thin or thick it would be made");
	}
	return found;
}

int disk_check_use(const struct store *store, const struct disk *disk, struct error *err)
{
	const char *below = store_below_datastore(store, disk->path);

	if (!below || detect_check(store, below, disk->path, err) == 0)
		return 0;
	if (err->code == ERR_NOT_FOUND)
		err->code = ERR_STORAGE;
	return -1;
}

/* What a new image may be, and that nothing has its name. */
static int check_new_image(const struct store *store, const struct disk *disk, struct error *err)
{
	const char *below = store_below_datastore(store, disk->path);
	const char *name;
	struct stat info;

	if (!below)
		return error_set(err, ERR_NOT_IMPLEMENTED,
			"%s: this version of virtx does not provision LUNs", disk->path);
	if (disk->device != DISK_DEVICE_DISK ||
		(!str_ends_with(below, ".qcow2") && !str_ends_with(below, ".raw")))
		return error_set(err, ERR_STORAGE,
			"%s: only disks, .qcow2 or .raw, can be provisioned", disk->path);
	if (disk->size_mib < 1)
		return error_set(err, ERR_INVALID, "%s: a new image needs a size", disk->path);
	cleanup_close int root = store_open_dir(store, STORE_DATASTORE, err);
	if (root < 0)
		return -1;
	cleanup_close int dir = beneath_open_parent(root, below, &name, err);
	if (dir < 0) {
		if (err->code != ERR_NOT_FOUND)
			return -1;
		error_clear(err);
		return 0;
	}
	if (fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) == 0)
		return error_set(
			err, ERR_EXISTS, "%s exists already and is not overwritten", disk->path);
	return errno == ENOENT ? 0 : beneath_fail(err, "look at", disk->path);
}

/* A managed disk that is new to its VM has no lease yet. */
static int check_unowned(const struct store *store, const struct disk *disk, struct error *err)
{
	char name[256];
	char owner[UUID_TEXT_SIZE];

	disk_lease_name(disk, store->vms_dir, name);
	if (lease_owner(store, name, owner, err) == 0) {
		cleanup_free char *holder = store_name_vm(store, owner);

		return error_set(err, ERR_LEASE, "disk %s belongs to %s", disk->path, holder);
	}
	if (err->code != ERR_NOT_FOUND)
		return error_prefix(err, "%s", disk->path);
	error_clear(err);
	return 0;
}

int disk_check(
	const struct store *store, const char *vm, const struct disk *disk, struct error *err)
{
	struct disk copy = *disk;
	struct error owned = {0};

	if (store_check_uuid("the VM", vm, err) < 0)
		return -1;
	if (is_made(disk) ? check_new_image(store, disk, err) < 0
			  : disk_detect(store, &copy, err) < 0) {
		if (err->code == ERR_EXISTS && check_unowned(store, disk, &owned) < 0)
			error_prefix(err, "%s", owned.message);
		return -1;
	}
	return disk->man == DISK_MANAGED ? check_unowned(store, disk, err) : 0;
}

/* The disk's work under its lease; for images of the datastore only. */
static struct work make_work(const struct store *store, enum work_kind kind, const char *vm,
	const char *lease, const struct disk *disk)
{
	return (struct work){
		.kind = kind,
		.vm = vm,
		.lease = lease,
		.path = store_below_datastore(store, disk->path),
		.prov = disk->prov,
		.size_mib = disk->size_mib,
	};
}

static int provision(const struct store *store, const char *vm, const char *lease,
	struct disk *disk, const struct disk_work *disk_work, struct error *err)
{
	struct error ignored = {0};
	uint64_t inode = 0;
	int done;

	if (lease_create(store, lease, vm, err) < 0)
		return error_prefix(err, "%s", disk->path);
	if (is_made(disk)) {
		struct work work = make_work(store, WORK_MAKE, vm, lease, disk);
		done = work_run(store, &work, disk_work, &inode, err);
	} else {
		done = disk_detect(store, disk, err);
	}
	if (done < 0)
		disk_rollback(store, vm, disk, inode, &ignored);
	return done;
}

int disk_provision(const struct store *store, const char *vm, struct disk *disk,
	const struct disk_work *work, struct error *err)
{
	char lease[256];

	if (disk->man != DISK_MANAGED)
		return disk_detect(store, disk, err);
	if (disk_check(store, vm, disk, err) < 0)
		return -1;
	disk_lease_name(disk, store->vms_dir, lease);
	return provision(store, vm, lease, disk, work, err);
}

/* 1: the lease is the VM's; 0: there is none; -1 with ERR_LEASE when it is another's. */
static int check_owner(
	const struct store *store, const char *lease, const char *vm, struct error *err)
{
	char owner[UUID_TEXT_SIZE];

	if (lease_owner(store, lease, owner, err) < 0) {
		if (err->code != ERR_NOT_FOUND)
			return -1;
		error_clear(err);
		return 0;
	}
	if (str_equal(owner, vm))
		return 1;
	return lease_fail_foreign(store, lease, owner, err);
}

/* An image without lease: gone already is a success, there is nobody's to remove. */
static int check_gone(const struct store *store, const struct disk *disk, struct error *err)
{
	const char *below = store_below_datastore(store, disk->path);
	cleanup_close int root = store_open_dir(store, STORE_DATASTORE, err);

	if (root < 0)
		return -1;
	cleanup_close int handle = beneath_open_raw(root, below, O_PATH | O_NOFOLLOW);
	if (handle < 0)
		return errno == ENOENT ? 0 : beneath_fail(err, "look at", disk->path);
	return error_set(err, ERR_LEASE, "%s has no lease and is therefore left alone", disk->path);
}

/* A directory that provisioning could have made, and would make again. Root gives those it makes to
 * the owner of the datastore. */
static bool is_ours(const struct stat *info)
{
	return S_ISDIR(info->st_mode) && (info->st_mode & 07777) == STORE_MODE_DIR &&
	       (geteuid() == 0 || info->st_uid == geteuid());
}

/* Empty directories above an image that is gone; those that other things are in stay. */
static int remove_parents(const struct store *store, const char *below, struct error *err)
{
	cleanup_close int root = store_open_dir(store, STORE_DATASTORE, err);

	if (root < 0)
		return -1;
	beneath_remove_parents(root, below, UINT_MAX, is_ours);
	return 0;
}

int disk_release(const struct store *store, const char *vm, const struct disk *disk, bool remove,
	const struct disk_work *disk_work, struct error *err)
{
	char lease[256];

	if (disk->man != DISK_MANAGED)
		return 0;
	if (store_check_uuid("the VM", vm, err) < 0)
		return -1;
	disk_lease_name(disk, store->vms_dir, lease);
	if (remove && !store_below_datastore(store, disk->path))
		return error_set(err, ERR_NOT_IMPLEMENTED,
			"%s: this version of virtx does not wipe LUNs", disk->path);
	if (remove) {
		cleanup_free char *seed = seed_path(store, vm);
		int owned = check_owner(store, lease, vm, err);
		struct work work = make_work(store, WORK_REMOVE, vm, lease, disk);
		if (owned < 0 || (owned == 0 && check_gone(store, disk, err) < 0) ||
			(owned > 0 && work_run(store, &work, disk_work, NULL, err) < 0))
			return error_prefix(err, "%s", disk->path);
		if (str_equal(disk->path, seed) && seed_remove(store, vm, err) < 0)
			return -1;
		if (remove_parents(store, work.path, err) < 0)
			return error_prefix(err, "%s", disk->path);
	}
	return lease_remove(store, lease, vm, err);
}

static int sweep_image(void *context, int dir, const char *name)
{
	if (str_starts_with(name, context) && str_ends_with(name, WORK_TEMPORARY_SUFFIX))
		unlinkat(dir, name, 0);
	return 0;
}

/* Removes the VM's temporary files beside an image. */
static int sweep_place(
	const struct store *store, const char *vm, const char *below, struct error *err)
{
	cleanup_free char *prefix = work_temporary_prefix(vm);
	cleanup_close int root = store_open_dir(store, STORE_DATASTORE, err);
	const char *name;

	if (root < 0)
		return -1;
	cleanup_close int dir = beneath_open_parent(root, below, &name, err);
	if (dir < 0) {
		if (err->code != ERR_NOT_FOUND)
			return -1;
		error_clear(err);
		return 0;
	}
	if (beneath_each(dir, sweep_image, prefix, err) < 0)
		return -1;
	if (fsync(dir) < 0)
		return beneath_fail(err, "sync the directory of", below);
	return 0;
}

int disk_rollback(const struct store *store, const char *vm, const struct disk *disk,
	uint64_t inode, struct error *err)
{
	const char *below = store_below_datastore(store, disk->path);
	char lease[256];

	if (disk->man != DISK_MANAGED)
		return 0;
	if (store_check_uuid("the VM", vm, err) < 0)
		return -1;
	disk_lease_name(disk, store->vms_dir, lease);
	int owned = check_owner(store, lease, vm, err);
	if (owned < 0 && err->code != ERR_LEASE)
		return error_prefix(err, "%s", disk->path);
	/* Another VM's lease: the image is that one's, and the VM never got this far. */
	error_clear(err);
	if (owned > 0 && inode && below) {
		struct work work = make_work(store, WORK_REMOVE, vm, lease, disk);
		work.inode = inode;
		if (work_run(store, &work, NULL, NULL, err) < 0)
			return error_prefix(err, "%s", disk->path);
	}
	if (below && is_made(disk) &&
		(sweep_place(store, vm, below, err) < 0 || remove_parents(store, below, err) < 0))
		return error_prefix(err, "%s", disk->path);
	return owned < 0 ? 0 : lease_remove(store, lease, vm, err);
}
