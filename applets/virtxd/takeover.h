/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Taking over the VMs of a host that died: the entry moves from its register to this host's, the VM
 * is defined here, and what that host had begun with it is this host's to settle. An intent says so
 * from before the move until all that is done.
 */
#ifndef VIRTXD_TAKEOVER_H
#define VIRTXD_TAKEOVER_H

#include "daemon.h"
#include "intent.h"

/* 0 when a host has failed, left or is no member. ERR_STATE: it is active; ERR_UNAVAILABLE: without
 * serf's agent nobody can tell. */
int takeover_check_host(struct daemon *daemon, const char *host, struct error *err);

/*
 * The caller holds the VM's operation, and takeover_check_host() has passed. Refused, with the
 * reason, while the VM runs here or anybody holds its lease or one of its disks', while its entry
 * or what that host left beside it cannot be understood, or libvirt does not take it: then all is
 * as before. *gone: what became of a VM whose create or delete that host had not completed, which
 * is not there now; NULL otherwise. -1 also when the VM is here, but what had been begun cannot be
 * settled yet: that is tried again.
 */
int takeover_vm(struct daemon *daemon, const char *vm, const char *from, const char **gone,
	struct error *err);

/* For recovery: the rest of a takeover that was cut. What the dead host left may be this host's
 * intent then, in place of this one. */
int takeover_settle(
	struct daemon *daemon, const struct intent *intent, const char **how, struct error *err);

#endif
