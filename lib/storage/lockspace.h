/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cluster's lockspace, VMS/lock/__VIRTX__DISKS__ (spec: storage-and-locks.md, Lockspace): made
 * once for the cluster, joined by every host under a host id of its own, never left: running VMs
 * hold leases in it. Under the lock manager `local` there is none, every call succeeds and ids are
 * 0.
 *
 * Errors are ERR_UNAVAILABLE: sanlock is away, or the host cannot be in the lockspace now. All of
 * it talks to sanlock and to the storage, and blocks as long as they do.
 */
#ifndef STORAGE_LOCKSPACE_H
#define STORAGE_LOCKSPACE_H

#include "base/error.h"
#include "storage/lockid.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct store;

/* 0 while this host is in the lockspace; *id is its host id. */
int lockspace_check(const struct store *store, unsigned *id, struct error *err);

/* What sanlock says of it: *found when this host is in it, or on its way in or out (-1 then, as
 * with that of another storage). For the lock manager sanlock only. */
int lockspace_find(const struct store *store, bool *found, unsigned *id, struct error *err);

/* 0 when sanlock's daemon answers. */
int lockspace_check_daemon(struct error *err);

/*
 * Makes the lockspace where there is none, and joins it unless this host is in it: about 2 x
 * sanlock_io_timeout with a place that is free or was this host's. A place that another host has,
 * or takes at the same moment, is known to be busy after 8 x sanlock_io_timeout and a minute; then
 * the next one is tried, up to 10, unless lockid names this one. Ends early once *stop.
 * Only one thread of a host calls it.
 */
int lockspace_join(
	const struct store *store, const atomic_bool *stop, unsigned *id, struct error *err);

/* The host id that a host tries first: from its UUID, LOCKID_MIN to LOCKID_MAX. */
unsigned lockspace_first_id(const char *host_uuid);

/*
 * Host ids that nobody uses or has used without giving them back (timestamp 0), in turn from
 * `first`, of a lockspace that is open as fd. Returns how many; places that cannot be read are left
 * out.
 */
unsigned lockspace_list_free(int fd, unsigned first, uint16_t ids[static LOCKID_MAX]);

/* What sanlock calls the host with an id, or "host id N"; root is VMS. */
#define LOCKSPACE_HOST_SIZE 64
void lockspace_host_name(int root, uint64_t id, char name[static LOCKSPACE_HOST_SIZE]);

#endif
