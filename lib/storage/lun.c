/* SPDX-License-Identifier: GPL-2.0-or-later */
/* LUNs by their names: what a path leads to, who uses it, and whose lease guards it. See lun.h. */
#include "storage/lun.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/beneath.h"
#include "storage/lease_private.h"
#include "storage/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define DEV           "/dev/"
#define BY_ID         DEV "disk/by-id/"
#define MIB           (UINT64_C(1) << 20)
#define BUSY_WAIT_MS  1000
#define BUSY_PAUSE_MS 50

static bool has_sysfs(dev_t device, const char *name)
{
	cleanup_free char *path =
		xasprintf("/sys/dev/block/%u:%u/%s", major(device), minor(device), name);

	return file_exists(path);
}

/* Also those that device-mapper makes of a multipath LUN: "part1-mpath-...". */
static bool is_partition(dev_t device)
{
	struct error ignored = {0};
	cleanup_free char *path =
		xasprintf("/sys/dev/block/%u:%u/dm/uuid", major(device), minor(device));
	cleanup_free char *uuid = file_read(path, 4096, NULL, &ignored);

	return has_sysfs(device, "partition") || (uuid && str_starts_with(uuid, "part"));
}

/* What a path leads to, looked at and not opened (O_PATH). */
static int resolve(const struct disk *disk, dev_t *device, struct error *err)
{
	const char *path = disk->path;
	struct stat info;

	cleanup_close int dev = open(DEV, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dev < 0 || !str_starts_with(path, DEV))
		return error_set(err, ERR_STORAGE, "%s is not below " DEV, path);
	cleanup_close int handle = beneath_open_linked(dev, path + strlen(DEV), O_PATH);
	if (handle < 0 || fstat(handle, &info) < 0)
		return beneath_fail(err, "open", path);
	if (!S_ISBLK(info.st_mode))
		return error_set(err, ERR_STORAGE, "%s is not a block device", path);
	if (disk->device == DISK_DEVICE_LUN && is_partition(info.st_rdev))
		return error_set(
			err, ERR_STORAGE, "%s leads to a partition; a lun is a whole device", path);
	*device = info.st_rdev;
	return steal_fd(&handle);
}

static int fail_busy(const char *path, const char *how, struct error *err)
{
	return error_set(err, ERR_STORAGE, "%s is in use on this host: it %s", path, how);
}

/* Exclusively: the kernel refuses what is mounted, used as swap or part of another device. Others
 * who look at it for a moment are waited for. */
static int open_exclusively(
	int handle, dev_t device, const struct disk *disk, int flags, struct error *err)
{
	cleanup_free char *link = xasprintf("/proc/self/fd/%d", handle);

	for (unsigned waited = 0;; waited += BUSY_PAUSE_MS) {
		int fd = open(link, flags | O_EXCL | O_NONBLOCK | O_CLOEXEC);

		if (fd >= 0 || errno != EBUSY)
			return fd >= 0 ? fd : beneath_fail(err, "open", disk->path);
		cleanup_free char *user = lun_find_user(device);
		if (user || waited >= BUSY_WAIT_MS)
			return fail_busy(disk->path,
				user ? user : "is opened exclusively by another program", err);
		poll(NULL, 0, BUSY_PAUSE_MS);
	}
}

/* A guest that runs with it unmanaged opens it like everyone, but QEMU locks what it uses. */
static int check_unlocked(int fd, const char *path, struct error *err)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
		return fail_busy(path, "is locked by another program, perhaps a guest", err);
	return 0;
}

int lun_size(int fd, const char *path, uint64_t *bytes, struct error *err)
{
	return ioctl(fd, BLKGETSIZE64, bytes) < 0 ? beneath_fail(err, "read the size of", path) : 0;
}

static int fill_in(struct disk *disk, int fd, struct error *err)
{
	uint64_t bytes;

	if (lun_size(fd, disk->path, &bytes, err) < 0)
		return -1;
	uint64_t mib = bytes / MIB + (bytes % MIB != 0);
	if (mib > INT32_MAX)
		mib = INT32_MAX;
	if (disk->device == DISK_DEVICE_LUN && disk->size_mib > (int32_t)mib) {
		error_set(err, ERR_STORAGE, "%s has %d MiB, not %d", disk->path, (int32_t)mib,
			disk->size_mib);
		return error_hint(err, "leave size at 0 to take what it has");
	}
	disk->size_mib = (int32_t)mib;
	if (disk->man != DISK_MANAGED || disk->prov == DISK_PROV_NONE)
		disk->prov = DISK_PROV_THIN;
	return 0;
}

/* The names of one device below by-id. */
struct names {
	const struct store *store;
	dev_t device;
	char lease[256]; /* of the name that is used */
	char best[NAME_MAX + 1];
	unsigned best_rank;
	struct error *err;
};

/* By what every host and every path of a LUN shares; 0 is best. */
static unsigned rank_of(const char *name)
{
	static const char *const order[] = {
		"dm-uuid-mpath-", "wwn-0x", "scsi-3", "nvme-eui.", "nvme-uuid.", "nvme-nvme."};
	unsigned rank = 0;

	while (rank < sizeof(order) / sizeof(order[0]) && !str_starts_with(name, order[rank]))
		rank++;
	return rank;
}

static int check_other_lease(const struct names *names, const char *name, const char *lease)
{
	char owner[UUID_TEXT_SIZE];

	if (lease_owner(names->store, lease, owner, names->err) == 0) {
		cleanup_free char *vm = store_name_vm(names->store, owner);

		return error_set(names->err, ERR_LEASE,
			"under its name " BY_ID "%s it belongs to %s", name, vm);
	}
	if (names->err->code != ERR_NOT_FOUND)
		return -1;
	error_clear(names->err);
	return 0;
}

static int look_at_name(void *context, int dir, const char *name)
{
	struct names *names = context;
	cleanup_free char *path = xasprintf(BY_ID "%s", name);
	const struct disk alias = {.path = path, .device = DISK_DEVICE_LUN};
	unsigned rank = rank_of(name);
	struct stat info;
	char lease[256];

	if (fstatat(dir, name, &info, 0) < 0 || !S_ISBLK(info.st_mode) ||
		info.st_rdev != names->device)
		return 0;
	if (!*names->best || rank < names->best_rank ||
		(rank == names->best_rank && strcmp(name, names->best) < 0)) {
		str_copy(names->best, sizeof(names->best), name);
		names->best_rank = rank;
	}
	disk_lease_name(&alias, names->store->vms_dir, lease);
	return str_equal(lease, names->lease) ? 0 : check_other_lease(names, name, lease);
}

/*
 * That no other lease guards the device under another of its names; with choose, also that the
 * disk's own name leads to the lease that every host and every VM would take. The rules of
 * definitions know names only, not what they lead to here.
 */
static int check_names(const struct store *store, const struct disk *disk, dev_t device,
	bool choose, struct error *err)
{
	struct names names = {.store = store, .device = device, .err = err};
	cleanup_close int by_id = open(BY_ID, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char lease[256];

	disk_lease_name(disk, store->vms_dir, names.lease);
	if (by_id < 0)
		return errno == ENOENT ? 0 : beneath_fail(err, "open", BY_ID);
	if (beneath_each(by_id, look_at_name, &names, err) < 0)
		return error_prefix(err, "%s", disk->path);
	if (!choose || !*names.best)
		return 0;
	cleanup_free char *path = xasprintf(BY_ID "%s", names.best);
	const struct disk best = {.path = path, .device = DISK_DEVICE_LUN};
	disk_lease_name(&best, store->vms_dir, lease);
	if (str_equal(lease, names.lease))
		return 0;
	error_set(err, ERR_INVALID,
		"%s is another name of %s, and would have another lease than that", disk->path,
		path);
	return error_hint(err, "use %s", path);
}

static bool is_guarded(const struct disk *disk)
{
	return disk->device == DISK_DEVICE_LUN && disk->man == DISK_MANAGED;
}

static int open_lun(const struct store *store, const struct disk *disk, int flags, bool choose,
	struct error *err)
{
	dev_t device;
	cleanup_close int handle = resolve(disk, &device, err);

	if (handle < 0 || (is_guarded(disk) && check_names(store, disk, device, choose, err) < 0))
		return -1;
	/* What is written goes to the device at once, and what is read comes from there. */
	if (flags != O_RDONLY)
		flags |= O_DIRECT;
	cleanup_close int fd = open_exclusively(handle, device, disk, flags, err);
	if (fd < 0 || (is_guarded(disk) && check_unlocked(fd, disk->path, err) < 0))
		return -1;
	return steal_fd(&fd);
}

int lun_claim(const struct store *store, struct disk *disk, int flags, struct error *err)
{
	cleanup_close int fd = open_lun(store, disk, flags, true, err);

	if (fd < 0 || fill_in(disk, fd, err) < 0)
		return -1;
	return steal_fd(&fd);
}

int lun_open_own(const struct store *store, const struct disk *disk, int flags, struct error *err)
{
	return open_lun(store, disk, flags, false, err);
}

int lun_check_use(const struct store *store, const struct disk *disk, struct error *err)
{
	dev_t device;
	cleanup_close int handle = resolve(disk, &device, err);

	if (handle < 0)
		return -1;
	return is_guarded(disk) ? check_names(store, disk, device, false, err) : 0;
}
