/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Disks in a storage of one's own, and a qemu-img that does as the test says. The test program is
 * its own lease-run. */
#ifndef TESTS_STORAGE_DISK_FIXTURE_H
#define TESTS_STORAGE_DISK_FIXTURE_H

#include "storage_fixture.h"

#include "applets/applets.h"
#include "storage/disk.h"

/* A disk at VMS/ds/PATH, whose path belongs to the test's list. */
static inline struct disk make_disk(
	const struct fixture *fixture, const char *path, enum disk_prov prov, int32_t size)
{
	return (struct disk){
		.path = xasprintf("%s/ds/%s", fixture->vms, path),
		.device = DISK_DEVICE_DISK,
		.man = DISK_MANAGED,
		.prov = prov,
		.size_mib = size,
	};
}

#define cleanup_disk CLEANUP(free_disk)
static inline void free_disk(struct disk *disk)
{
	free(disk->path);
}

static inline uint64_t inode_of(const char *path)
{
	struct stat info;

	return lstat(path, &info) == 0 ? (uint64_t)info.st_ino : 0;
}

/* Puts a program of ours in qemu-img's place for one test. */
static char *old_path;

static inline void fake_qemu_img(const struct fixture *fixture, const char *script)
{
	struct error err = {0};
	cleanup_free char *file = xasprintf("%s/qemu-img", fixture->folder);
	cleanup_free char *text = xasprintf("#!/bin/sh\ncd %s\n%s\n", fixture->folder, script);
	cleanup_free char *path = xasprintf("%s:%s", fixture->folder, getenv("PATH"));

	assert_int_equal(file_write_atomic(file, text, strlen(text), 0755, &err), 0);
	old_path = xstrdup(getenv("PATH"));
	setenv("PATH", path, 1);
}

static inline int tear_down_disks(void **state)
{
	if (old_path)
		setenv("PATH", old_path, 1);
	free(old_path);
	old_path = NULL;
	return fixture_tear_down(state);
}

#endif
