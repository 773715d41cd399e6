/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happens to the disks of a VM (spec: storage-and-locks.md, What happens to
 * disks): made, detected, claimed, given back, removed.
 *
 * Paths below the datastore are opened beneath it, through no symlink, and only
 * regular files; checked at use, whatever was checked before. qemu-img runs in a child under the
 * lease, with open descriptors in place of names where it can, and so does the clearing of a LUN.
 * May take long: never call with a lock held.
 */
#ifndef STORAGE_DISK_H
#define STORAGE_DISK_H

#include "base/error.h"
#include "model/vmdef.h"
#include "storage/store.h"

#include <stdatomic.h>
#include <stdint.h>

/* How long work is followed and stopped; all members may be NULL. */
struct disk_work {
	/* Percent done of this disk, 0 to 100. */
	void (*on_progress)(void *context, unsigned percent);
	/*
	 * Called after an image has been made under a temporary name and before it gets its own:
	 * the caller notes path and inode durably, so that a rollback removes this image and no
	 * other. -1 stops.
	 */
	int (*on_made)(void *context, const char *path, uint64_t inode, struct error *err);
	void *context;
	const atomic_bool *cancel;
};

/*
 * Everything that disk_provision would refuse, changing nothing: image there or not, lease free,
 * backing chain, kind of file; a LUN in use by the host, or guarded by a lease of another name.
 */
int disk_check(
	const struct store *store, const char *vm, const struct disk *disk, struct error *err);

/*
 * Makes or claims a disk for a VM, by the table of the spec; size_mib and prov are
 * filled with what was found or made. A LUN is cleared where an image would be made. ERR_EXISTS for
 * an image that exists where one would be made, ERR_LEASE with the owner, ERR_NOT_FOUND (as
 * ERR_STORAGE) for an unmanaged one that is missing. On -1 nothing that it made stays; of a LUN
 * some may be cleared.
 */
int disk_provision(const struct store *store, const char *vm, struct disk *disk,
	const struct disk_work *work, struct error *err);

/* Whether disk_release could remove the disk as things are now: a LUN that is in use by the host,
 * or is not there, cannot be cleared. Changes nothing. */
int disk_check_release(const struct store *store, const struct disk *disk, struct error *err);

/*
 * Gives a disk back at delete: with remove, a managed image is removed (under its lease) or a LUN
 * cleared, then the lease. Repeatable after a cut: what is gone already is a success. A disk whose
 * lease is another VM's is left alone: ERR_LEASE; so is one without a lease, when it is still there
 * (a LUN: not clear). Empty directories above an image that is gone go too, below the datastore,
 * when they are such as are made here. ERR_BUSY while another operation works on it.
 */
int disk_release(const struct store *store, const char *vm, const struct disk *disk, bool remove,
	const struct disk_work *work, struct error *err);

/*
 * Rolls a provisioning back: removes the image at disk->path when its inode is the noted one (0:
 * none was noted), temporary files that carry the VM's UUID, empty directories above them as
 * disk_release does, then the lease when it is the VM's. A LUN is left as it is.
 * Repeatable.
 */
int disk_rollback(const struct store *store, const char *vm, const struct disk *disk,
	uint64_t inode, struct error *err);

/* Kind, size (MiB) and provisioning of an existing image; refuses backing files and data files
 * outside the datastore, and compressed qcow2. */
int disk_detect(const struct store *store, struct disk *disk, struct error *err);

/*
 * Whether a guest may use a disk as it is now: an image must be a regular file, reached through no
 * link, that refers to nothing outside the datastore; a lun a whole block device, not guarded by
 * another lease than its own. Quick. Other devices are not looked at. ERR_STORAGE, ERR_LEASE.
 */
int disk_check_use(const struct store *store, const struct disk *disk, struct error *err);

/*
 * Builds VMS/ds/ci/VM/seed.iso (mode 0640, its directory 0750) atomically from the three files,
 * NULL for one that is not given; meta-data has its default. *path: the caller frees. ERR_SEED.
 */
int seed_create(const struct store *store, const char *vm, const char *user_data,
	const char *meta_data, const char *network_config, char **path, struct error *err);
/* Removes seed and directory; none is a success. */
int seed_remove(const struct store *store, const char *vm, struct error *err);
/* VMS/ds/ci/VM/seed.iso; the caller frees. */
char *seed_path(const struct store *store, const char *vm);

#endif
