/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A drained host takes no VMs: none is created there, none migrates to it. What it has can still be
 * booted, changed and deleted: a VM that no other host can take must not be lost for that. The mark
 * is kept on the storage (storage/drain_mark.h) and told to the others (serf's tag `drain`).
 */
#ifndef VIRTXD_DRAIN_HOST_H
#define VIRTXD_DRAIN_HOST_H

#include "daemon.h"

/* Reads the mark, after the store was opened. One that cannot be read is logged and does not count:
 * then the storage lets nothing be made either. */
void drain_host_load(struct daemon *daemon);

/* Whether this host is drained. From memory, any thread. */
bool drain_host_is_drained(const struct daemon *daemon);
/* ERR_DRAINED, with what to do, when it is. */
int drain_host_check(const struct daemon *daemon, struct error *err);

#endif
