/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LUNs: whole block devices in a VM's hands (spec: storage-and-locks.md, Resource names and What
 * happens to disks); for the files of this module only.
 *
 * A path is resolved once, beneath /dev; from then on the descriptor is the LUN, whatever the path
 * leads to later. Opened exclusively, so what the host itself uses is refused. Errors: ERR_STORAGE,
 * ERR_NOT_FOUND without such a device.
 */
#ifndef STORAGE_LUN_H
#define STORAGE_LUN_H

#include "base/error.h"
#include "model/vmdef.h"
#include "storage/store.h"

#include <stdint.h>
#include <sys/types.h>

/*
 * Opens a block device that a definition begins to use (flags: O_RDONLY or O_RDWR), and fills in
 * size_mib and, where it is none or the disk is unmanaged, prov. One that the host uses is refused
 * with what uses it. For a lun also a partition (ERR_STORAGE), one smaller than the size asked for,
 * and for a managed one names under which another lease guards the device, or would (ERR_LEASE,
 * ERR_INVALID with the name to use). The caller closes it.
 */
int lun_claim(const struct store *store, struct disk *disk, int flags, struct error *err);

/* Opens a managed lun that its VM has already, to clear it: as lun_claim, but for size and the
 * choice of name. The caller closes it. */
int lun_open_own(const struct store *store, const struct disk *disk, int flags, struct error *err);

/* Whether a guest may use a lun as it is now: what its path leads to, and that no other lease
 * guards that. Quick, and without opening it. */
int lun_check_use(const struct store *store, const struct disk *disk, struct error *err);

/* Bytes of an open block device. */
int lun_size(int fd, const char *path, uint64_t *bytes, struct error *err);

/* What of this host uses a block device or a part of it: "is mounted at /srv"; NULL when nothing is
 * known. The caller frees it. */
char *lun_find_user(dev_t device);

/* One LUN to be cleared. */
struct lun_wipe {
	int fd;           /* open for writing, best with O_DIRECT; a regular file in tests */
	const char *path; /* for messages */
	uint64_t bytes;
	bool keep_space; /* thick: nothing of the space is given back to the array */
	/* Called before each piece with the bytes that are clear; -1 stops. */
	int (*on_piece)(void *context, uint64_t clear, struct error *err);
	void *context;
};

/*
 * Clears all of it, durably: afterwards it reads as zeros. What the device says it did is checked
 * by reading samples of each piece, and what is not zero is overwritten.
 */
int lun_wipe(const struct lun_wipe *wipe, struct error *err);

/* Whether both ends of a LUN and samples between them read as zeros: 1, or 0. */
int lun_looks_clear(int fd, const char *path, struct error *err);

#endif
