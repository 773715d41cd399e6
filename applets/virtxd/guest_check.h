/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this host can run: asked before anything is made, so that the answer says why not. */
#ifndef VIRTXD_GUEST_CHECK_H
#define VIRTXD_GUEST_CHECK_H

#include "daemon.h"
#include "model/vmdef.h"

/*
 * Whether a validated definition fits this host: firmware, NUMA placement, networks, bridges, VLAN
 * tags: ERR_UNSUPPORTED with the reason.
 */
int guest_check(struct daemon *daemon, const struct vmdef *def, struct error *err);

/* Whether its MACs are its own: one that another VM (not uuid) of this host has is ERR_INVALID. */
int guest_check_macs(
	struct daemon *daemon, const char *uuid, const struct vmdef *def, struct error *err);

/*
 * Whether its memory can be had, unless the configuration allows overcommit: ERR_CAPACITY with both
 * figures. A VM that is defined is part of what is reserved already, one that is not (is_new) comes
 * on top.
 */
int guest_check_memory(
	struct daemon *daemon, const struct vmdef *def, bool is_new, struct error *err);

#endif
