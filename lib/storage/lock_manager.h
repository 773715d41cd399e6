/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of leases that differs between lock managers: one table of functions each. Files,
 * names, modes and the LVB are the same under all (lease.c).
 */
#ifndef STORAGE_LOCK_MANAGER_H
#define STORAGE_LOCK_MANAGER_H

#include "base/error.h"
#include "storage/lease.h"
#include "storage/lockspace.h"

#include <stdbool.h>

/* root is VMS; fd a resource file, NAME, open for reading and writing. */
struct lock_manager_ops {
	bool held_by_file; /* whoever has the file open holds the lease, and no process is killed */
	/* Makes VMS/lock when it is missing, unless that has to wait (lockspace.h). */
	int (*prepare)(int root, struct error *err);
	/* Formats a new, empty resource; the LVB comes after. */
	int (*format)(int fd, const char *name, struct error *err);
	/* 0 when nobody works under the resource and no VM runs with it; ERR_BUSY otherwise. */
	int (*check_free)(int root, int fd, const char *name, struct error *err);
	/*
	 * Who works under the resource or runs with it: 1 and the id of that host in the lockspace,
	 * 0 when nobody does, -1 when nobody can tell.
	 */
	int (*find_holder)(int fd, const char *name, uint64_t *host_id, struct error *err);
	/* The same of the host that had it last, although it may have given it back. */
	int (*find_last)(int fd, const char *name, uint64_t *host_id, struct error *err);
	/*
	 * Takes the resource for this process until it exits (or closes fd and its copies), and
	 * reads its LVB: ERR_BUSY when another holds it. Only in lease-run, unless held_by_file:
	 * sanlock kills the process that holds when the lockspace is lost.
	 */
	int (*hold)(int root, int fd, const char *name, uint8_t lvb[static LEASE_SECTOR],
		struct error *err);
	/* -1 with ERR_UNAVAILABLE when what hold() took has been lost since. */
	int (*check_held)(struct error *err);
};

const struct lock_manager_ops *lock_manager_ops(enum lock_manager manager);

/* By name; false when there is none of that name. */
bool lock_manager_parse(const char *name, enum lock_manager *manager);
const char *lock_manager_name(enum lock_manager manager);

extern const struct lock_manager_ops lock_manager_local;
extern const struct lock_manager_ops lock_manager_sanlock;

#endif
