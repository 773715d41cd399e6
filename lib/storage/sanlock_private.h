/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files that talk to sanlock share; nobody else includes it. */
#ifndef STORAGE_SANLOCK_PRIVATE_H
#define STORAGE_SANLOCK_PRIVATE_H

#include "base/error.h"

/* libsanlock's headers want these before them. */
#include <stddef.h>
#include <stdint.h>

#include <sanlock.h>
#include <sanlock_admin.h>
#include <sanlock_resource.h>
#include <sanlock_rv.h>

/*
 * Sets err from what libsanlock returned (-errno or one of its own numbers): "cannot WHAT NAME:
 * reason". ERR_UNAVAILABLE when sanlock is away or this host is not in the lockspace, ERR_LEASE
 * otherwise.
 */
int arbiter_fail(struct error *err, int result, const char *what, const char *name);

/* The path of a file that is open as fd, for sanlock to open; it sees the same storage. */
int arbiter_path(int fd, char path[static SANLK_PATH_LEN], struct error *err);

#endif
