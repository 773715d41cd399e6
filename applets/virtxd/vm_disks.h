/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The disks of an operation: what an intent makes, takes back and releases. */
#ifndef VIRTXD_VM_DISKS_H
#define VIRTXD_VM_DISKS_H

#include "daemon.h"
#include "intent.h"
#include "operations.h"

/*
 * Compares the disks of a new definition with those in force: a path that stays keeps size and
 * provisioning (which are filled in), and while it is managed its lease; one that asks for others
 * is ERR_STATE.
 */
int vm_disks_keep(
	const char *vms_dir, const struct vmdef *old, struct vmdef *def, struct error *err);

/* Whether all that the intent makes can be made, and what it removes be removed; changes nothing.
 */
int vm_disks_check(struct daemon *daemon, const struct intent *intent, struct error *err);
/* The latter alone, for a delete. */
int vm_disks_check_release(struct daemon *daemon, const struct intent *intent, struct error *err);

/*
 * Makes or claims the disks of intent->def that intent->old does not have, noting each image in the
 * intent. Fills in sizes and provisioning. Between disks and in them it looks at the operation's
 * cancel flag.
 */
int vm_disks_make(struct daemon *daemon, struct operation *operation, struct intent *intent,
	struct error *err);

/* Takes back what vm_disks_make made, latest first. Goes on after a failure; the first one is err.
 */
int vm_disks_unmake(struct daemon *daemon, const struct intent *intent, struct error *err);

/* Whether releasing the disks that go clears a LUN, which takes as long as the LUN is large. */
bool vm_disks_clears_lun(const struct intent *intent);

/*
 * Releases the disks that go: for update those of intent->old that intent->def does not have (or
 * does not manage any more), for delete all. Number of those that could not be; each is logged.
 * *retry: another try may help. operation: to show progress, or NULL.
 */
unsigned vm_disks_release(struct daemon *daemon, struct operation *operation,
	const struct intent *intent, bool *retry);

#endif
