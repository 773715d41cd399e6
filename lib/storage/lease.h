/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Leases: who may touch a disk (spec: storage-and-locks.md, Resources).
 *
 * A lease resource is VMS/lock/NAME/NAME with the owner's UUID in its LVB. The
 * file is the same under every lock manager; `sanlock` arbitrates between hosts,
 * `local` between the operations of one host, with open file description locks. Work under a lease
 * runs in a child, the applet lease-run, so that the work dies with the lease.
 */
#ifndef STORAGE_LEASE_H
#define STORAGE_LEASE_H

#include "base/error.h"
#include "base/uuid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lock_manager { LOCK_MANAGER_LOCAL, LOCK_MANAGER_SANLOCK };

#define LEASE_LOCKSPACE  "__VIRTX__DISKS__"
#define LEASE_SECTOR     512
#define LEASE_LVB_OFFSET (2002 * LEASE_SECTOR)
#define LEASE_FILE_SIZE                                                          \
	(1024 * 1024) /* what sanlock aligns a resource to with 512-byte sectors \
		       */
#define LEASE_MODE_DIR  02771
#define LEASE_MODE_FILE 0660

struct store;

/*
 * Makes the resource with the owner as LVB: temporary directory, file, rename; durable. ERR_LEASE
 * when it exists, with the owner's UUID in the message; nothing half made stays.
 */
int lease_create(const struct store *store, const char *name, const char *owner, struct error *err);

/* Removes it when the LVB is the owner's; one that is not there is a success; ERR_LEASE when it is
 * another's, ERR_BUSY while work goes on under it. */
int lease_remove(const struct store *store, const char *name, const char *owner, struct error *err);

/* Reads the LVB. ERR_NOT_FOUND without a resource, ERR_STORED_DATA when it holds no UUID. */
int lease_owner(const struct store *store, const char *name, char owner[static UUID_TEXT_SIZE],
	struct error *err);

/* 0 when the VM's own lease is free (or becomes so shortly) or there is none: it runs nowhere.
 * ERR_LEASE says where it runs. */
int lease_check_vm_free(const struct store *store, const char *vm, struct error *err);

/* The same of any lease: 0 when nobody holds it or there is none. ERR_LEASE says who does. */
int lease_check_free(const struct store *store, const char *name, struct error *err);

/* Where the VM runs, by its own lease: *host_id is that host's in the lockspace, 0 when nobody
 * holds it or there is none; 0 also under the lock manager `local`. -1 when nobody can tell. */
int lease_find_vm_host(
	const struct store *store, const char *vm, uint64_t *host_id, struct error *err);
/* The same of where it ran last, whether it is held or not. */
int lease_find_last_vm_host(
	const struct store *store, const char *vm, uint64_t *host_id, struct error *err);

/* As lease_owner, of a resource file anywhere, for virtx-check-lvb. */
int lease_owner_of_file(const char *path, char owner[static UUID_TEXT_SIZE], struct error *err);

/* The LVB sector: exactly LEASE_SECTOR bytes in and out; decode is -1 with ERR_STORED_DATA for
 * anything but a UUID and zeros. */
void lease_lvb_encode(const char *owner, uint8_t sector[static LEASE_SECTOR]);
int lease_lvb_decode(const uint8_t sector[static LEASE_SECTOR], char owner[static UUID_TEXT_SIZE],
	struct error *err);

#endif
