/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Moving all VMs of this host to others, as far as that can be. */
#ifndef VIRTXD_DRAIN_MOVES_H
#define VIRTXD_DRAIN_MOVES_H

#include "daemon.h"
#include "operations.h"

#define DRAIN_AT_ONCE     2
#define DRAIN_RETRY_MS    5000   /* what is busy or changes its state is tried again, */
#define DRAIN_PATIENCE_MS 300000 /* for so long; */
#define DRAIN_SETTLE_MS   20000  /* what was in another state than it seemed, for so long */

/* How a VM can go. */
enum drain_way {
	DRAIN_LIVE,  /* with its guest */
	DRAIN_COLD,  /* its definition alone, as it is off */
	DRAIN_LATER, /* it is on its way to another state */
	DRAIN_NEVER
};
enum drain_way drain_way_of(enum runstate runstate);

/*
 * Moves them, DRAIN_AT_ONCE at a time, each to the host that fits it best; also those that come to
 * be while it runs. What cannot go is in the operation's `left`, domains that are not VirtX's too.
 * err: ERR_MIGRATION when VMs stay, ERR_CANCELLED by the operation. With *stopping it returns as
 * soon as it can, whatever err says.
 */
void drain_moves_run(struct daemon *daemon, struct operation *operation,
	const atomic_bool *stopping, struct error *err);

/* Where each would go now, and if none why: an array of {vm, name, live, host, uuid, code, detail,
 * hint}, which the caller puts. Nothing is moved or kept free. */
struct json_object *drain_moves_plan(struct daemon *daemon);

#endif
