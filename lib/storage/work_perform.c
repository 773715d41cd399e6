/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Work under a lease, lease-run's side: see work.h. It cleans nothing up when it fails: it may be
 * killed at any point, so whoever started it has to be able to do that anyway.
 */
#include "base/file.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/str.h"
#include "storage/beneath.h"
#include "storage/lease_private.h"
#include "storage/lock_manager.h"
#include "storage/lun.h"
#include "storage/store_private.h"
#include "storage/work.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMAGE_MODE 0660

/* Takes one lease and checks its owner. The descriptor, and with it the lease, is kept until the
 * process ends. */
static int hold_lease(const struct work *work, const char *name, struct error *err)
{
	const struct lock_manager_ops *ops = lock_manager_ops(work->manager);
	char owner[UUID_TEXT_SIZE];
	uint8_t lvb[LEASE_SECTOR];

	cleanup_close int fd = lease_open(work->root, name, err);
	if (fd < 0 || ops->hold(work->root, fd, name, lvb, err) < 0)
		return -1;
	if (lease_lvb_decode(lvb, owner, err) < 0)
		return error_prefix(err, "lease %s", name);
	if (!str_equal(owner, work->vm))
		return error_set(err, ERR_LEASE, "the lease %s belongs to VM %s", name, owner);
	steal_fd(&fd);
	return 0;
}

/* -1 when nothing may be touched any more: the leases are lost. */
static int check_held(const struct work *work, struct error *err)
{
	if (work->ended && atomic_load(work->ended))
		return error_set(err, ERR_UNAVAILABLE,
			"sanlock took the lease back: this host has lost the lockspace");
	return lock_manager_ops(work->manager)->check_held(err);
}

static int hold_leases(const struct work *work, struct error *err)
{
	char vm_lease[256];

	vm_lease_name(work->vm, vm_lease);
	/* A VM of another implementation has no lease of its own until its first boot here. */
	if (hold_lease(work, vm_lease, err) < 0 && err->code != ERR_NOT_FOUND)
		return -1;
	error_clear(err);
	return str_equal(work->lease, vm_lease) ? 0 : hold_lease(work, work->lease, err);
}

static __attribute__((format(printf, 2, 3))) void say(
	const struct work_report *report, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	cleanup_free char *line = xvasprintf(format, args);
	va_end(args);
	report->say(report->context, line);
}

/* How far the work has got. */
struct progress {
	const struct work *work;
	const struct work_report *report;
	uint64_t bytes; /* when it is done; 0: nobody can say */
	unsigned percent;
};

/* 100 is said when all is durable. */
static void tell_progress(struct progress *progress, uint64_t done)
{
	uint64_t percent = progress->bytes ? done * 100 / progress->bytes : 0;

	if (percent > 99)
		percent = 99;
	if (percent > progress->percent) {
		progress->percent = (unsigned)percent;
		say(progress->report, "progress %u", progress->percent);
	}
}

/* The image as it grows. */
struct growth {
	struct progress progress;
	int fd;
	struct error lost; /* why qemu-img is stopped */
	atomic_bool stop;
};

static void tell_growth(void *context)
{
	struct growth *growth = context;
	struct stat info;

	if (check_held(growth->progress.work, &growth->lost) < 0)
		atomic_store(&growth->stop, true);
	if (fstat(growth->fd, &info) < 0)
		return;
	/* Where fallocate is missing the C library writes from the beginning to the end, and not
	 * every store counts blocks: the size follows. */
	uint64_t size = (uint64_t)info.st_size, blocks = (uint64_t)info.st_blocks * 512;
	tell_progress(&growth->progress, size > blocks ? size : blocks);
}

/* Fills the open, empty file: storage-and-locks.md, Image creation. */
static int fill_image(
	const struct work *work, const struct work_report *report, int fd, struct error *err)
{
	bool qcow2 = str_ends_with(work->path, ".qcow2");
	bool thick = work->prov == DISK_PROV_THICK;
	const char *options = qcow2 ? (thick ? "preallocation=falloc,lazy_refcounts=off"
					     : "preallocation=metadata,lazy_refcounts=off")
				    : (thick ? "preallocation=falloc" : "preallocation=off");
	cleanup_free char *file = xasprintf("/dev/fd/%d", fd);
	cleanup_free char *size = xasprintf("%" PRId32 "M", work->size_mib);
	const char *const argv[] = {"qemu-img", "create", "-q", "-f", qcow2 ? "qcow2" : "raw", "-o",
		options, file, size, NULL};
	struct growth growth = {
		.progress = {.work = work,
			.report = report,
			.bytes = thick ? (uint64_t)work->size_mib << 20 : 0},
		.fd = fd,
	};
	const struct process process = {
		.argv = argv,
		.fds = &fd,
		.fd_count = 1,
		.cancel = &growth.stop,
		.on_tick = tell_growth,
		.context = &growth,
	};

	if (process_run(&process, NULL, err) < 0) {
		if (error_is_set(&growth.lost))
			*err = growth.lost;
		return -1;
	}
	if (fsync(fd) < 0)
		return error_set_errno(err, ERR_STORAGE, errno, "cannot sync the new image");
	return 0;
}

static int open_temporary(int dir, const char *temp)
{
	return openat(dir, temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, IMAGE_MODE);
}

/* Opens directory and temporary file. Another operation may remove an empty directory just now:
 * then again. */
static int open_place(int ds, const struct work *work, const char *temp, const char **name,
	int *dir, struct error *err)
{
	for (int attempt = 0; attempt < 10; attempt++) {
		unsigned made;

		error_clear(err);
		*dir = beneath_make_parents(ds, work->path, STORE_MODE_DIR, name, &made, err);
		if (*dir < 0 && err->code == ERR_NOT_FOUND)
			continue;
		if (*dir < 0)
			return -1;
		int fd = open_temporary(*dir, temp);
		if (fd >= 0)
			beneath_give(*dir, fd);
		if (fd >= 0 || errno != ENOENT)
			return fd >= 0 ? fd : beneath_fail(err, "make", work->path);
		close(steal_fd(dir));
	}
	error_clear(err);
	return error_set(err, ERR_STORAGE, "the directory of %s vanishes", work->path);
}

/* Says that it is made and waits until that is noted. */
static int wait_for_go(
	const struct work *work, const struct work_report *report, int fd, struct error *err)
{
	struct stat info;
	char go;
	ssize_t got;

	if (fstat(fd, &info) < 0)
		return beneath_fail(err, "look at", work->path);
	/* As a signed number, as all of the command line; file systems use all 64 bits. */
	say(report, "made %" PRId64, (int64_t)info.st_ino);
	while ((got = read(work->go, &go, 1)) < 0 && errno == EINTR)
		;
	return got == 1 ? 0 : error_set(err, ERR_CANCELLED, "the new image was not wanted");
}

static int fail_exists(const char *path, struct error *err)
{
	return error_set(err, ERR_EXISTS, "%s exists already and is not overwritten", path);
}

static int make_image(
	int ds, const struct work *work, const struct work_report *report, struct error *err)
{
	char suffix[FILE_SUFFIX_SIZE];
	cleanup_free char *prefix = work_temporary_prefix(work->vm);
	cleanup_close int dir = -1;
	const char *name;
	struct stat info;

	file_random_suffix(suffix);
	cleanup_free char *temp = xasprintf("%s%s" WORK_TEMPORARY_SUFFIX, prefix, suffix);
	cleanup_close int fd = open_place(ds, work, temp, &name, &dir, err);
	if (fd < 0)
		return -1;
	if (fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) == 0)
		return fail_exists(work->path, err);
	if (fill_image(work, report, fd, err) < 0)
		return error_prefix(err, "cannot make %s", work->path);
	if (fsync(dir) < 0)
		return beneath_fail(err, "sync the directory of", work->path);
	if (wait_for_go(work, report, fd, err) < 0 || check_held(work, err) < 0)
		return -1;
	if (beneath_rename_new(dir, temp, dir, name) < 0)
		return errno == EEXIST ? fail_exists(work->path, err)
				       : beneath_fail(err, "make", work->path);
	if (fsync(dir) < 0)
		return beneath_fail(err, "sync the directory of", work->path);
	say(report, "progress 100");
	return 0;
}

/* Removes the image; one that is gone, or is not the one with the noted inode, is a success. */
static int remove_image(int ds, const struct work *work, struct error *err)
{
	const char *name;
	struct stat info;
	cleanup_close int dir = beneath_open_parent(ds, work->path, &name, err);

	if (dir < 0 || fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) < 0) {
		if (dir < 0 ? err->code != ERR_NOT_FOUND : errno != ENOENT)
			return beneath_fail(err, "look at", work->path);
		error_clear(err);
		return 0;
	}
	if (work->inode && work->inode != (uint64_t)info.st_ino)
		return 0;
	if (!S_ISREG(info.st_mode))
		return error_set(
			err, ERR_STORAGE, "%s is not a regular file and is left alone", work->path);
	if (check_held(work, err) < 0)
		return -1;
	if (unlinkat(dir, name, 0) < 0 || fsync(dir) < 0)
		return beneath_fail(err, "remove", work->path);
	return 0;
}

static int before_piece(void *context, uint64_t clear, struct error *err)
{
	struct progress *progress = context;

	tell_progress(progress, clear);
	return check_held(progress->work, err);
}

static int wipe_device(const struct work *work, const struct work_report *report, struct error *err)
{
	struct progress progress = {.work = work, .report = report};
	struct lun_wipe wipe = {
		.fd = work->device,
		.path = work->path,
		.keep_space = work->prov == DISK_PROV_THICK,
		.on_piece = before_piece,
		.context = &progress,
	};

	if (lun_size(work->device, work->path, &wipe.bytes, err) < 0)
		return -1;
	progress.bytes = wipe.bytes;
	if (lun_wipe(&wipe, err) < 0)
		return -1;
	/* Partitions of before are devices still. A kernel that knows none here refuses. */
	ioctl(work->device, BLKRRPART);
	say(report, "progress 100");
	return 0;
}

int work_perform(const struct work *work, const struct work_report *report, struct error *err)
{
	cleanup_close int ds = beneath_open_dir(work->root, STORE_DATASTORE, err);

	if (ds < 0 || hold_leases(work, err) < 0)
		return -1;
	switch (work->kind) {
	case WORK_MAKE:
		return make_image(ds, work, report, err);
	case WORK_REMOVE:
		return remove_image(ds, work, err);
	case WORK_WIPE:
		return wipe_device(work, report, err);
	case WORK_DROP:
		break;
	}
	return lease_take_away(work->root, work->lease, work->vm, err);
}
