/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lock manager `local`: open file description locks on the resource files. It keeps the
 * operations of one host (of one NFS client, where the server has locks) apart; running VMs are
 * guarded by QEMU's own image locks.
 */
#include "base/mem.h"
#include "storage/beneath.h"
#include "storage/lease_private.h"
#include "storage/lock_manager.h"
#include "storage/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#define HOLD_WAIT_MS  1000
#define HOLD_PAUSE_MS 10

/* Where sanlock keeps hosts apart, somebody who does not ask it would take what is theirs. */
static int check_no_lockspace(int root, struct error *err)
{
	cleanup_close int fd = beneath_open_raw(root, STORE_LOCKS "/" LEASE_LOCKSPACE, O_PATH);

	if (fd < 0)
		return errno == ENOENT ? 0 : beneath_fail(err, "look at", STORE_LOCKS);
	error_set(err, ERR_UNAVAILABLE,
		"it has a lockspace (" STORE_LOCKS "/" LEASE_LOCKSPACE
		"): its hosts take leases from sanlock, which lock_manager = local does not ask");
	return error_hint(err, "set lock_manager = sanlock; or, when no host of the cluster runs, "
			       "remove the lockspace");
}

static int local_prepare(int root, struct error *err)
{
	if (check_no_lockspace(root, err) < 0)
		return -1;
	return beneath_make_dir(root, STORE_LOCKS, LEASE_MODE_DIR, err);
}

static int local_format(int fd, const char *name, struct error *err)
{
	if (ftruncate(fd, LEASE_FILE_SIZE) < 0)
		return beneath_fail(err, "size the lease", name);
	return 0;
}

static int fail_held(const char *name, struct error *err)
{
	return error_set(err, ERR_BUSY, "another operation holds the lease %s", name);
}

/*
 * A process that was killed gives its locks back a moment later than its parent learns of it, or
 * dies: a rollback right after that must not fail for it. True: wait was short, try again.
 */
static bool pause_shortly(unsigned attempt)
{
	if (attempt >= HOLD_WAIT_MS / HOLD_PAUSE_MS)
		return false;
	poll(NULL, 0, HOLD_PAUSE_MS);
	return true;
}

static int local_check_free(int root, int fd, const char *name, struct error *err)
{
	struct flock lock;
	unsigned attempt = 0;

	(void)root;
	do {
		lock = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
		if (fcntl(fd, F_OFD_GETLK, &lock) < 0)
			return beneath_fail(err, "look at the lease", name);
		if (lock.l_type == F_UNLCK)
			return 0;
	} while (pause_shortly(attempt++));
	return fail_held(name, err);
}

/* Running VMs hold nothing here, and which operation does is not known. */
static int local_find_holder(int fd, const char *name, uint64_t *host_id, struct error *err)
{
	(void)fd;
	(void)name;
	(void)host_id;
	(void)err;
	return 0;
}

static int local_hold(
	int root, int fd, const char *name, uint8_t lvb[static LEASE_SECTOR], struct error *err)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	unsigned attempt = 0;

	(void)root;
	do {
		if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
			return lease_read_sector(fd, name, lvb, err);
		if (errno != EAGAIN && errno != EACCES)
			return beneath_fail(err, "take the lease", name);
	} while (pause_shortly(attempt++));
	return fail_held(name, err);
}

/* The system's locks are not lost. */
static int local_check_held(struct error *err)
{
	(void)err;
	return 0;
}

const struct lock_manager_ops lock_manager_local = {
	.held_by_file = true,
	.prepare = local_prepare,
	.format = local_format,
	.check_free = local_check_free,
	.find_holder = local_find_holder,
	.find_last = local_find_holder,
	.hold = local_hold,
	.check_held = local_check_held,
};
