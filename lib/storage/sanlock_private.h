/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files that talk to sanlock share; nobody else includes it. */
#ifndef STORAGE_SANLOCK_PRIVATE_H
#define STORAGE_SANLOCK_PRIVATE_H

#include "base/error.h"
#include "storage/lease.h"

/* libsanlock's headers want these before them. */
#include <stddef.h>
#include <stdint.h>

#include <sanlock.h>
#include <sanlock_admin.h>
#include <sanlock_resource.h>
#include <sanlock_rv.h>

/* A resource on one disk, as libsanlock wants it. */
union resource {
	struct sanlk_resource resource;
	uint8_t room[sizeof(struct sanlk_resource) + sizeof(struct sanlk_disk)];
};

/*
 * libsanlock's calls, with a deadline. They wait for sanlock as long as it takes, so each is made
 * in a thread that is left behind when sanlock does not answer: -ETIMEDOUT, and at once as long as
 * an earlier call hangs. Otherwise the results are libsanlock's; lists are the caller's to free.
 */
int arbiter_version(void);
int arbiter_get_lockspaces(struct sanlk_lockspace **spaces, int *count);
int arbiter_get_hosts(struct sanlk_host **hosts, int *count);
int arbiter_write_lockspace(const struct sanlk_lockspace *space, unsigned io_timeout);
int arbiter_write_resource(const union resource *resource);
int arbiter_read_owners(const union resource *resource, struct sanlk_host **owners, int *count);
/* The connection of this process, at whose end all that it holds is given back. */
int arbiter_register(void);
int arbiter_acquire(int connection, const union resource *resource);
int arbiter_get_lvb(const union resource *resource, uint8_t lvb[static LEASE_SECTOR]);

/*
 * Sets err from what one of them returned (-errno or one of libsanlock's own numbers): "cannot WHAT
 * NAME: reason". ERR_UNAVAILABLE when sanlock is away, hangs, or this host is not in the lockspace;
 * ERR_LEASE otherwise.
 */
int arbiter_fail(struct error *err, int result, const char *what, const char *name);

/* The path of a file that is open as fd, for sanlock to open; it sees the same storage. */
int arbiter_path(int fd, char path[static SANLK_PATH_LEN], struct error *err);

#endif
