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
 * Whether a VM that is defined, and so has its part of what is reserved, can have its memory,
 * unless the configuration allows overcommit: ERR_CAPACITY with both figures.
 */
int guest_check_memory(struct daemon *daemon, const struct vmdef *def, struct error *err);

/* Memory that is held for a VM while it is made; zeroed: none. */
struct guest_memory {
	struct daemon *daemon;
	char uuid[UUID_TEXT_SIZE];
};
/*
 * The same for a VM that is not defined yet: its memory is held, so that of two that come at once
 * but do not fit together one is refused.
 */
int guest_reserve_memory(struct guest_memory *memory, struct daemon *daemon, const char *uuid,
	const struct vmdef *def, struct error *err);
void guest_release_memory(struct guest_memory *memory);
#define cleanup_guest_memory CLEANUP(guest_release_memory)

#endif
