/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an open store is made of; for the files of this module only. */
#ifndef STORAGE_STORE_PRIVATE_H
#define STORAGE_STORE_PRIVATE_H

#include "storage/store.h"

struct store {
	char *vms_dir;
	char host[UUID_TEXT_SIZE];
	char cluster[UUID_TEXT_SIZE];
	enum lock_manager lock_manager;
	unsigned sanlock_io_timeout; /* s */
	char *(*name_vm)(void *context, const char *uuid);
	void *context; /* of name_vm */
	char *helper;
	/*
	 * VMS_DIR, open since the marker was read in it: whatever is mounted over it or
	 * unmounted later, work goes on in the storage that was checked.
	 */
	int root;
	int lock; /* xml/HOST/.lock, locked */
};

/* Opens ds, xml or lock; the caller closes it. */
int store_open_dir(const struct store *store, const char *name, struct error *err);

/* What of a path lies below the datastore (it points into path); NULL when it does not lie there.
 */
const char *store_below_datastore(const struct store *store, const char *path);

/* -1 with ERR_INVALID for anything but a canonical UUID: nothing else ever becomes part of a path.
 */
int store_check_uuid(const char *what, const char *uuid, struct error *err);

#endif
