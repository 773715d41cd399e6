/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lease resources as files: VMS/lock/NAME/NAME (storage-and-locks.md, Resources). Read and written
 * also by other implementations, by sanlock and by libvirt's driver for it: names, modes and
 * offsets are fixed.
 *
 * Temporary directories are NAME-tmpOWNER-XXXXXX: whoever rolls the owner's operation
 * back finds what it left, and never another's.
 */
#include "storage/lease.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/beneath.h"
#include "storage/lease_private.h"
#include "storage/lock_manager.h"
#include "storage/store_private.h"
#include "storage/work.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>

/* NAME_MAX, less what temporary names add. */
#define MAX_LEASE_NAME 200

static int check_name(const char *name, struct error *err)
{
	if (!*name || *name == '.' || strchr(name, '/') || str_has_control(name) ||
		strlen(name) > MAX_LEASE_NAME)
		return error_set(err, ERR_INVALID, "a lease cannot have this name");
	return 0;
}

int lease_read_sector(
	int fd, const char *name, uint8_t sector[static LEASE_SECTOR], struct error *err)
{
	ssize_t got = pread(fd, sector, LEASE_SECTOR, LEASE_LVB_OFFSET);

	if (got < 0)
		return beneath_fail(err, "read the lease", name);
	if (got != LEASE_SECTOR)
		return error_set(err, ERR_STORED_DATA, "the lease %s is too short", name);
	return 0;
}

int lease_read_owner(int fd, const char *name, char owner[static UUID_TEXT_SIZE], struct error *err)
{
	uint8_t sector[LEASE_SECTOR];

	owner[0] = '\0';
	if (lease_read_sector(fd, name, sector, err) < 0)
		return -1;
	if (lease_lvb_decode(sector, owner, err) < 0)
		return error_prefix(err, "lease %s", name);
	return 0;
}

static int open_lease(int root, const char *name, int flags, struct error *err)
{
	if (check_name(name, err) < 0)
		return -1;
	cleanup_free char *path = xasprintf("%s/%s/%s", STORE_LOCKS, name, name);
	return beneath_open_file(root, path, flags, err);
}

int lease_open(int root, const char *name, struct error *err)
{
	return open_lease(root, name, O_RDWR, err);
}

int lease_owner(const struct store *store, const char *name, char owner[static UUID_TEXT_SIZE],
	struct error *err)
{
	owner[0] = '\0';
	cleanup_close int fd = open_lease(store->root, name, O_RDONLY, err);
	if (fd < 0)
		return -1;
	return lease_read_owner(fd, name, owner, err);
}

int lease_owner_of_file(const char *path, char owner[static UUID_TEXT_SIZE], struct error *err)
{
	/* O_NONBLOCK: a FIFO must not hold us up. */
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	owner[0] = '\0';
	if (fd < 0)
		return beneath_fail(err, "open", path);
	return lease_read_owner(fd, path, owner, err);
}

/* Gives it to group sanlock where there is one; without permission (standalone) it stays as it is.
 */
static void give_to_sanlock(int fd)
{
	struct group group;
	struct group *found = NULL;
	char buffer[4096];

	if (getgrnam_r("sanlock", &group, buffer, sizeof(buffer), &found) == 0 && found)
		if (fchown(fd, (uid_t)-1, found->gr_gid) < 0)
			return;
}

int lease_open_to_sanlock(int dir, int fd)
{
	give_to_sanlock(dir);
	give_to_sanlock(fd);
	/* After the change of group, which clears set-group-ID. */
	return fchmod(fd, LEASE_MODE_FILE) < 0 || fchmod(dir, LEASE_MODE_DIR) < 0 ? -1 : 0;
}

/* Fills the temporary directory: the resource file, formatted, with its LVB, durable. */
static int fill_directory(const struct lock_manager_ops *ops, int dir, const char *name,
	const char *owner, struct error *err)
{
	uint8_t sector[LEASE_SECTOR];
	cleanup_close int fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 || lease_open_to_sanlock(dir, fd) < 0)
		return beneath_fail(err, "make the lease", name);
	if (ops->format(fd, name, err) < 0)
		return -1;
	lease_lvb_encode(owner, sector);
	ssize_t done = pwrite(fd, sector, sizeof(sector), LEASE_LVB_OFFSET);
	if (done != (ssize_t)sizeof(sector)) {
		if (done >= 0)
			errno = ENOSPC;
		return beneath_fail(err, "write the lease", name);
	}
	if (fsync(fd) < 0 || fsync(dir) < 0)
		return beneath_fail(err, "sync the lease", name);
	return 0;
}

int lease_fail_foreign(
	const struct store *store, const char *name, const char *holder, struct error *err)
{
	cleanup_free char *vm = store_name_vm(store, holder);

	return error_set(err, ERR_LEASE, "the lease %s belongs to %s", name, vm);
}

static int fail_taken(
	const struct store *store, const char *name, const char *owner, struct error *err)
{
	struct error ignored = {0};
	char holder[UUID_TEXT_SIZE];

	if (lease_owner(store, name, holder, &ignored) < 0)
		return error_set(err, ERR_LEASE, "the lease %s exists already, but %s", name,
			ignored.message);
	if (str_equal(holder, owner))
		return error_set(err, ERR_LEASE, "the lease %s belongs to this VM already", name);
	return lease_fail_foreign(store, name, holder, err);
}

static char *temporary_prefix(const char *name, const char *owner)
{
	return xasprintf("%s-tmp%s-", name, owner);
}

int lease_create(const struct store *store, const char *name, const char *owner, struct error *err)
{
	const struct lock_manager_ops *ops = lock_manager_ops(store->lock_manager);
	char suffix[FILE_SUFFIX_SIZE];

	if (check_name(name, err) < 0 || store_check_uuid("the owner", owner, err) < 0)
		return -1;
	cleanup_close int locks = store_open_dir(store, STORE_LOCKS, err);
	if (locks < 0)
		return -1;
	file_random_suffix(suffix);
	cleanup_free char *prefix = temporary_prefix(name, owner);
	cleanup_free char *temp = xasprintf("%s%s", prefix, suffix);
	if (mkdirat(locks, temp, 0700) < 0)
		return beneath_fail(err, "make the lease", name);
	cleanup_close int dir = beneath_open_dir(locks, temp, err);
	int made = dir < 0 ? -1 : fill_directory(ops, dir, name, owner, err);
	if (made == 0 && renameat(locks, temp, locks, name) < 0) {
		made = -1;
		if (errno == EEXIST || errno == ENOTEMPTY)
			fail_taken(store, name, owner, err);
		else
			beneath_fail(err, "make the lease", name);
	}
	if (made < 0) {
		struct error ignored = {0};

		beneath_remove_tree(locks, temp, &ignored);
		return -1;
	}
	return fsync(locks) < 0 ? beneath_fail(err, "sync the directory of the lease", name) : 0;
}

struct sweep {
	const char *prefix;
	struct error *err;
};

static int sweep_temporary(void *context, int dir, const char *name)
{
	const struct sweep *sweep = context;

	return str_starts_with(name, sweep->prefix) ? beneath_remove_tree(dir, name, sweep->err)
						    : 0;
}

/* Removes the owner's temporary directories of a lease. */
static int sweep(int locks, const char *name, const char *owner, struct error *err)
{
	cleanup_free char *prefix = temporary_prefix(name, owner);
	struct sweep sweep = {prefix, err};

	return beneath_each(locks, sweep_temporary, &sweep, err);
}

/* 1: the resource is the owner's and nobody works under it now; 0: there is none; -1: hands off.
 */
static int check_removable(
	const struct store *store, const char *name, const char *owner, struct error *err)
{
	const struct lock_manager_ops *ops = lock_manager_ops(store->lock_manager);
	char holder[UUID_TEXT_SIZE];

	cleanup_close int fd = lease_open(store->root, name, err);
	if (fd < 0) {
		if (err->code != ERR_NOT_FOUND)
			return -1;
		error_clear(err);
		return 0;
	}
	if (lease_read_owner(fd, name, holder, err) < 0)
		return -1;
	if (!str_equal(holder, owner))
		return lease_fail_foreign(store, name, holder, err);
	return ops->check_free(store->root, fd, name, err) < 0 ? -1 : 1;
}

int lease_take_away(int root, const char *name, const char *owner, struct error *err)
{
	char suffix[FILE_SUFFIX_SIZE];
	cleanup_close int locks = beneath_open_dir(root, STORE_LOCKS, err);

	if (locks < 0)
		return -1;
	file_random_suffix(suffix);
	cleanup_free char *prefix = temporary_prefix(name, owner);
	cleanup_free char *temp = xasprintf("%s%s", prefix, suffix);
	if (renameat(locks, name, locks, temp) < 0)
		return errno == ENOENT ? 0 : beneath_fail(err, "remove the lease", name);
	return fsync(locks) < 0 ? beneath_fail(err, "sync the directory of the lease", name) : 0;
}

/* Takes it away while it is held: what is free now may be another host's a moment later. */
static int hold_and_take_away(
	const struct store *store, const char *name, const char *owner, struct error *err)
{
	const struct lock_manager_ops *ops = lock_manager_ops(store->lock_manager);
	const struct work work = {
		.kind = WORK_DROP, .device = -1, .vm = owner, .lease = name, .path = name};
	uint8_t lvb[LEASE_SECTOR];

	if (!ops->held_by_file)
		return work_run(store, &work, NULL, NULL, err);
	cleanup_close int fd = lease_open(store->root, name, err);
	if (fd < 0 || ops->hold(store->root, fd, name, lvb, err) < 0)
		return -1;
	return lease_take_away(store->root, name, owner, err);
}

int lease_remove(const struct store *store, const char *name, const char *owner, struct error *err)
{
	if (check_name(name, err) < 0 || store_check_uuid("the owner", owner, err) < 0)
		return -1;
	cleanup_close int locks = store_open_dir(store, STORE_LOCKS, err);
	if (locks < 0)
		return -1;
	if (sweep(locks, name, owner, err) < 0)
		return -1;
	int removable = check_removable(store, name, owner, err);
	if (removable <= 0)
		return removable;
	if (hold_and_take_away(store, name, owner, err) < 0)
		return -1;
	/* A cut before this leaves a temporary directory of this owner. */
	return sweep(locks, name, owner, err);
}
