/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of leases that differs between lock managers: one table of functions each. Files,
 * names, modes and the LVB are the same under all (lease.c).
 */
#ifndef STORAGE_LOCK_MANAGER_H
#define STORAGE_LOCK_MANAGER_H

#include "base/error.h"
#include "storage/lease.h"

#include <stdbool.h>

struct lock_manager_ops {
	/* Makes VMS/lock when it is missing; root is VMS. */
	int (*prepare)(int root, struct error *err);
	/* Formats the new, empty resource file NAME that is open as fd; the LVB comes after. */
	int (*format)(int fd, const char *name, struct error *err);
	/* 0 when nobody works under the resource file open as fd; ERR_BUSY otherwise. */
	int (*check_free)(int fd, const char *name, struct error *err);
	/*
	 * Takes the resource for this process until it exits or closes fd and its copies: ERR_LEASE
	 * when another holds it. Only in lease-run: sanlock kills the process that holds when the
	 * lockspace is lost.
	 */
	int (*hold)(int fd, const char *name, struct error *err);
};

/* NULL with ERR_NOT_IMPLEMENTED for one that this version cannot use. */
const struct lock_manager_ops *lock_manager_ops(enum lock_manager manager, struct error *err);

/* By name; false when there is none of that name. */
bool lock_manager_parse(const char *name, enum lock_manager *manager);
const char *lock_manager_name(enum lock_manager manager);

extern const struct lock_manager_ops lock_manager_local;

#endif
