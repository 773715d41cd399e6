/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Putting a VM right, back or forward, from its intent: what a handler does when a step fails, and
 * recovery when the daemon was cut. Every function can be repeated after it was cut itself.
 */
#ifndef VIRTXD_SETTLE_H
#define VIRTXD_SETTLE_H

#include "daemon.h"
#include "intent.h"
#include "operations.h"

/*
 * Takes everything of a create back: domain, register entry, images, leases, console log; the
 * intent last. -1 when something could not be taken back: then the intent stays, for the next
 * start. A domain that runs is left alone, with all that it has.
 */
int settle_back_create(struct daemon *daemon, const struct intent *intent, struct error *err);

/*
 * Takes back what an update made. old_xml: the domain as it was, defined again first; NULL when the
 * new one was never defined.
 */
int settle_back_update(
	struct daemon *daemon, struct intent *intent, const char *old_xml, struct error *err);

/* The domain that an update makes of the one in force; the caller frees it. */
char *settle_update_xml(
	struct daemon *daemon, const struct intent *intent, const char *old_xml, struct error *err);
/* Defines a domain and saves it in the register. */
int settle_define(struct daemon *daemon, const char *uuid, const char *xml, struct error *err);
/* The rest of an update: releases what goes; the intent last, unless another try may help. True
 * when nothing had to be left. */
bool settle_forward_update(
	struct daemon *daemon, struct operation *operation, const struct intent *intent);

/*
 * Deletes a VM: register entry, domain, then disks, seed, leases, console log; the intent last.
 * Until the domain is gone a failure leaves the VM as it was and removes the intent: -1 (if even
 * that fails, the intent stays and the delete goes on later). After that it only goes forward:
 * *complete false when something could not be removed; the intent stays when another try may help.
 * operation: NULL at recovery.
 */
int settle_delete(struct daemon *daemon, struct operation *operation, const struct intent *intent,
	bool *complete, struct error *err);

/*
 * Takes the seed of a VM and its lease out of the stored domain, where it has no place but at the
 * moment of the start; one that is not there is a success.
 */
int settle_detach_seed(struct daemon *daemon, const char *uuid, struct error *err);
/* Ends a boot with a seed: the seed leaves the stored domain, and the storage too unless the guest
 * has started; the intent last. */
int settle_boot(
	struct daemon *daemon, const struct intent *intent, bool started, struct error *err);

#endif
