/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happens to the disks of a VM: see disk.h. The work itself is lease-run's (work_perform.c).
 */
#include "storage/disk.h"

#include "base/mem.h"
#include "base/str.h"
#include "storage/beneath.h"
#include "storage/detect.h"
#include "storage/lease_private.h"
#include "storage/lun.h"
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

static bool is_lun(const struct disk *disk)
{
	return disk->device == DISK_DEVICE_LUN;
}

static int detect_device(const struct store *store, struct disk *disk, struct error *err)
{
	cleanup_close int device = lun_claim(store, disk, O_RDONLY, err);

	return device < 0 ? -1 : 0;
}

int disk_detect(const struct store *store, struct disk *disk, struct error *err)
{
	const char *below = store_below_datastore(store, disk->path);
	int found = below ? detect_image(store, below, disk, err) : detect_device(store, disk, err);

	if (found < 0 && err->code == ERR_NOT_FOUND) {
		err->code = ERR_STORAGE;
		if (disk->man == DISK_MANAGED && !is_lun(disk))
			error_hint(err, "with prov thin or thick it would be made");
	}
	return found;
}

int disk_check_use(const struct store *store, const struct disk *disk, struct error *err)
{
	const char *below = store_below_datastore(store, disk->path);
	int checked = 0;

	if (is_lun(disk))
		checked = lun_check_use(store, disk, err);
	else if (below)
		checked = detect_check(store, below, disk->path, err);
	if (checked == 0)
		return 0;
	if (err->code == ERR_NOT_FOUND)
		err->code = ERR_STORAGE;
	return -1;
}

/* The directory that an image lies in, and the image's name in it; -1 without an error when there
 * is no such directory. */
static int open_folder(
	const struct store *store, const char *below, const char **name, struct error *err)
{
	cleanup_close int root = store_open_dir(store, STORE_DATASTORE, err);

	if (root < 0)
		return -1;
	int dir = beneath_open_parent(root, below, name, err);
	if (dir < 0 && err->code == ERR_NOT_FOUND)
		error_clear(err);
	return dir;
}

/* 1: something has the image's name; 0: nothing has. */
static int find_image(const struct store *store, const struct disk *disk, struct error *err)
{
	const char *name;
	struct stat info;
	cleanup_close int dir =
		open_folder(store, store_below_datastore(store, disk->path), &name, err);

	if (dir < 0)
		return error_is_set(err) ? -1 : 0;
	if (fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return errno == ENOENT ? 0 : beneath_fail(err, "look at", disk->path);
}

/* What a new image may be, and that nothing has its name. */
static int check_new_image(const struct store *store, const struct disk *disk, struct error *err)
{
	const char *below = store_below_datastore(store, disk->path);

	if (!below || disk->device != DISK_DEVICE_DISK ||
		(!str_ends_with(below, ".qcow2") && !str_ends_with(below, ".raw")))
		return error_set(err, ERR_STORAGE,
			"%s: only disks, .qcow2 or .raw, can be provisioned", disk->path);
	if (disk->size_mib < 1)
		return error_set(err, ERR_INVALID, "%s: a new image needs a size", disk->path);
	int found = find_image(store, disk, err);
	if (found > 0)
		return error_set(
			err, ERR_EXISTS, "%s exists already and is not overwritten", disk->path);
	return found;
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
	/* Whose a LUN is says more than that its owner is at work on it. */
	if (is_lun(disk) && disk->man == DISK_MANAGED && check_unowned(store, disk, err) < 0)
		return -1;
	if (is_made(disk) && !is_lun(disk) ? check_new_image(store, disk, err) < 0
					   : disk_detect(store, &copy, err) < 0) {
		if (err->code == ERR_EXISTS && check_unowned(store, disk, &owned) < 0)
			error_prefix(err, "%s", owned.message);
		return -1;
	}
	return disk->man == DISK_MANAGED ? check_unowned(store, disk, err) : 0;
}

/* The disk's work under its lease; device: the LUN, -1 for an image of the datastore. */
static struct work make_work(const struct store *store, enum work_kind kind, const char *vm,
	const char *lease, const struct disk *disk, int device)
{
	return (struct work){
		.kind = kind,
		.device = device,
		.vm = vm,
		.lease = lease,
		.path = device < 0 ? store_below_datastore(store, disk->path) : disk->path,
		.prov = disk->prov,
		.size_mib = disk->size_mib,
	};
}

/* Makes the image or clears the LUN. */
static int make_disk(const struct store *store, const char *vm, const char *lease,
	struct disk *disk, const struct disk_work *disk_work, uint64_t *inode, struct error *err)
{
	cleanup_close int device = -1;

	if (is_lun(disk)) {
		device = lun_claim(store, disk, O_RDWR, err);
		if (device < 0)
			return -1;
	}
	struct work work =
		make_work(store, is_lun(disk) ? WORK_WIPE : WORK_MAKE, vm, lease, disk, device);
	return work_run(store, &work, disk_work, inode, err);
}

static int provision(const struct store *store, const char *vm, const char *lease,
	struct disk *disk, const struct disk_work *disk_work, struct error *err)
{
	struct error ignored = {0};
	uint64_t inode = 0;
	int done;

	if (lease_create(store, lease, vm, err) < 0)
		return error_prefix(err, "%s", disk->path);
	if (is_made(disk))
		done = make_disk(store, vm, lease, disk, disk_work, &inode, err);
	else
		done = disk_detect(store, disk, err);
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
	return beneath_remove_parents(root, below, UINT_MAX, is_ours, err);
}

static int fail_unowned(struct error *err)
{
	return error_set(err, ERR_LEASE, "it has no lease and is therefore left alone");
}

static int remove_image(const struct store *store, const char *vm, const char *lease,
	const struct disk *disk, bool owned, const struct disk_work *disk_work, struct error *err)
{
	struct work work = make_work(store, WORK_REMOVE, vm, lease, disk, -1);
	cleanup_free char *seed = seed_path(store, vm);
	int done =
		owned ? work_run(store, &work, disk_work, NULL, err) : find_image(store, disk, err);

	/* Without a lease: gone already is a success, there is nobody's to remove. */
	if (done > 0)
		return fail_unowned(err);
	if (done < 0 || (str_equal(disk->path, seed) && seed_remove(store, vm, err) < 0))
		return -1;
	return remove_parents(store, work.path, err);
}

/* Without a lease: clear already, or away, is a success, as the lease goes last. */
static int check_cleared(const struct store *store, const struct disk *disk, struct error *err)
{
	cleanup_close int device = lun_open_own(store, disk, O_RDONLY, err);

	if (device < 0 && err->code == ERR_NOT_FOUND) {
		error_clear(err);
		return 0;
	}
	int clear = device < 0 ? -1 : lun_looks_clear(device, disk->path, err);
	return clear == 0 ? fail_unowned(err) : clear < 0 ? -1 : 0;
}

static int clear_lun(const struct store *store, const char *vm, const char *lease,
	const struct disk *disk, const struct disk_work *disk_work, struct error *err)
{
	cleanup_close int device = lun_open_own(store, disk, O_RDWR, err);

	if (device < 0)
		return -1;
	struct work work = make_work(store, WORK_WIPE, vm, lease, disk, device);
	/* Also of a thick one the space is the array's again. */
	work.prov = DISK_PROV_THIN;
	return work_run(store, &work, disk_work, NULL, err);
}

int disk_check_release(const struct store *store, const struct disk *disk, struct error *err)
{
	if (disk->man != DISK_MANAGED)
		return 0;
	if (is_lun(disk)) {
		cleanup_close int device = lun_open_own(store, disk, O_RDONLY, err);
		if (device < 0 && err->code == ERR_NOT_FOUND)
			err->code = ERR_STORAGE;
		return device < 0 ? -1 : 0;
	}
	if (store_below_datastore(store, disk->path))
		return 0;
	/* Only of what others have made: here such a one cannot be managed. */
	return error_set(err, ERR_STORAGE,
		"%s is neither an image nor a lun, and is therefore left alone", disk->path);
}

static int remove_disk(const struct store *store, const char *vm, const char *lease,
	const struct disk *disk, const struct disk_work *disk_work, struct error *err)
{
	int owned = check_owner(store, lease, vm, err);

	if (owned < 0)
		return -1;
	if (is_lun(disk))
		return owned ? clear_lun(store, vm, lease, disk, disk_work, err)
			     : check_cleared(store, disk, err);
	if (disk_check_release(store, disk, err) < 0)
		return -1;
	return remove_image(store, vm, lease, disk, owned > 0, disk_work, err);
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
	if (remove && remove_disk(store, vm, lease, disk, disk_work, err) < 0)
		return error_prefix(err, "%s", disk->path);
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
	const char *name;
	cleanup_close int dir = open_folder(store, below, &name, err);

	if (dir < 0)
		return error_is_set(err) ? -1 : 0;
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
		struct work work = make_work(store, WORK_REMOVE, vm, lease, disk, -1);
		work.inode = inode;
		if (work_run(store, &work, NULL, NULL, err) < 0)
			return error_prefix(err, "%s", disk->path);
	}
	if (below && is_made(disk) &&
		(sweep_place(store, vm, below, err) < 0 || remove_parents(store, below, err) < 0))
		return error_prefix(err, "%s", disk->path);
	return owned < 0 ? 0 : lease_remove(store, lease, vm, err);
}
