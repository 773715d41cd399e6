/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shared storage: where everything lies (spec: storage-and-locks.md).
 *
 * VMS/.virtx-cluster   marker: JSON {"cluster": UUID}
 * VMS/.virtx-key       ours: the hosts' shared secret (cluster_key.h)
 * VMS/ds/              datastore: images, .iso, ci/VM/seed.iso
 * VMS/xml/HOST/        the register: VM.xml, lockid; ours: VM.intent, drain, .lock
 * VMS/lock/NAME/NAME   lease resources
 *
 * Shared with other implementations: paths, modes and formats are fixed.
 */
#ifndef STORAGE_STORE_H
#define STORAGE_STORE_H

#include "base/error.h"
#include "base/uuid.h"
#include "storage/lease.h"

#include <stdbool.h>

struct store;

struct store_config {
	const char *vms_dir; /* absolute, without trailing slash */
	const char *host_uuid;
	enum lock_manager lock_manager;
	unsigned sanlock_io_timeout; /* s, the same on every host; 0: sanlock's default */
	/*
	 * What errors call a VM of which storage knows the UUID only: "web-01 (UUID)"; malloc'd,
	 * NULL when it is not known. May be NULL. Called by any thread.
	 */
	char *(*name_vm)(void *context, const char *uuid);
	void *context;
	const char *helper; /* executable that plays virtx's internal roles; NULL: /proc/self/exe */
};

/*
 * Makes VMS_DIR a cluster's storage: the folders above and the marker. One that holds a register or
 * a lockspace already is taken over, its contents untouched; one with a marker is a success that
 * changes nothing. *cluster is its id.
 */
int store_init(const char *vms_dir, char cluster[static UUID_TEXT_SIZE], struct error *err);

/*
 * Opens it for a host: the marker must be there (a /vms with a register or lockspace and no marker
 * is taken over; an empty or missing one is ERR_UNAVAILABLE with what to do), makes the host's
 * register directory (0750) and locks it: a second daemon for the same host is ERR_BUSY. Sets the
 * process's umask to 0006. NULL on error.
 */
struct store *store_open(const struct store_config *config, struct error *err);
/*
 * Opens it to look at, for a checker: makes nothing, locks nothing, and a marker that is missing or
 * bad does not matter here: *marker says so (ERR_NOT_FOUND: there is none). NULL on error.
 */
struct store *store_look(
	const struct store_config *config, struct error *marker, struct error *err);
/*
 * Whether a virtxd works for a host on this storage: *served. With `keep`, none can start for it
 * until the store is closed, unless one runs; for one host of a store.
 */
int store_is_served(
	struct store *store, const char *host, bool keep, bool *served, struct error *err);
void store_close(struct store *store);

/*
 * "VM web-01 (UUID), running on virt2" for messages, less what is not known; the caller frees it.
 * What name_vm does not know is looked for in the register, where it runs in its lease.
 */
char *store_name_vm(const struct store *store, const char *uuid);

/* The folders of VMS, open as store_root(), which is borrowed. */
#define STORE_DATASTORE "ds"
#define STORE_REGISTER  "xml"
#define STORE_LOCKS     "lock"
#define STORE_MODE_DIR  0750
#define STORE_MODE_FILE 0640
int store_root(const struct store *store);

const char *store_vms_dir(const struct store *store);
const char *store_host_uuid(const struct store *store);
const char *store_cluster(const struct store *store);

/* 0 while vms_dir is what was opened and the marker can still be read; ERR_UNAVAILABLE otherwise.
 * May block as long as the storage does. */
int store_check(const struct store *store, struct error *err);

#endif
