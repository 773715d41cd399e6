/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Leases on open files; for the files of this module only. */
#ifndef STORAGE_LEASE_PRIVATE_H
#define STORAGE_LEASE_PRIVATE_H

#include "base/error.h"
#include "base/uuid.h"
#include "storage/store.h"

/* Opens VMS/lock/NAME/NAME for reading and writing, root being VMS. The caller closes it.
 * ERR_NOT_FOUND without one. */
int lease_open(int root, const char *name, struct error *err);

/* Reads the LVB's sector of an open resource file. */
int lease_read_sector(
	int fd, const char *name, uint8_t sector[static LEASE_SECTOR], struct error *err);

/* As lease_owner, of an open resource file. */
int lease_read_owner(
	int fd, const char *name, char owner[static UUID_TEXT_SIZE], struct error *err);

/* Gives a new file and its directory their modes, and to group sanlock where there is one. -1 with
 * errno. */
int lease_open_to_sanlock(int dir, int fd);

/*
 * Takes the owner's lease, which the caller holds, out of the way in one step: it becomes one of
 * his temporary directories. Durable; one that is gone is a success.
 */
int lease_take_away(int root, const char *name, const char *owner, struct error *err);

/* ERR_LEASE: whose it is. */
int lease_fail_foreign(
	const struct store *store, const char *name, const char *holder, struct error *err);

#endif
