/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A drained host takes no VMs: none is created there, none migrates to it, and those that it has
 * are moved away by an operation "drain", whose subject is the host. What it has can still be
 * booted, changed and deleted: a VM that no other host can take must not be lost for that. The mark
 * is kept on the storage (storage/drain_mark.h) and told to the others (serf's tag `drain`); a
 * start goes on with what the last one was moving.
 */
#ifndef VIRTXD_DRAIN_HOST_H
#define VIRTXD_DRAIN_HOST_H

#include "daemon.h"

struct drain_host;

/* Reads the mark, after the store was opened and before recovery forgets what was interrupted. A
 * mark that cannot be read is logged and does not count: such a storage lets nothing be made. */
struct drain_host *drain_host_new(struct daemon *daemon);
/* Goes on with a drain that the last run left, when the other hosts can be asked. */
void drain_host_resume(struct drain_host *drain);
/* The daemon stops: no further VM is moved, and the next start goes on. NULL is fine. */
void drain_host_interrupt(struct drain_host *drain);
/* When nothing is moved any more. NULL is fine. */
void drain_host_free(struct drain_host *drain);

/* Whether this host is drained. From memory, any thread. */
bool drain_host_is_drained(const struct daemon *daemon);
/* ERR_DRAINED, with what to do, when it is. */
int drain_host_check(const struct daemon *daemon, struct error *err);

/*
 * Marks the host and begins to move its VMs away; id: of the operation, which is the one that runs
 * already when there is one. ERR_BUSY while an earlier drain is being cancelled, ERR_REGISTER.
 */
int drain_host_begin(struct drain_host *drain, char id[static UUID_TEXT_SIZE], struct error *err);
/* Takes the mark away, and cancels what runs. One that is not marked is a success. ERR_BUSY,
 * ERR_REGISTER. */
int drain_host_lift(struct drain_host *drain, struct error *err);

#endif
