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

/*
 * Whether a VM that is defined, and so has its part of what is reserved, can have its memory,
 * unless the configuration allows overcommit: ERR_CAPACITY with both figures.
 */
int guest_check_memory(struct daemon *daemon, const struct vmdef *def, struct error *err);

/* What is held for a VM while it is made or changed; zeroed: nothing. */
struct guest_claim {
	struct daemon *daemon; /* NULL: no memory */
	const struct vmdef *def;
	char uuid[UUID_TEXT_SIZE];
	struct guest_claim *next; /* all claims are in one list */
};
/*
 * Claims the MACs and the memory of a definition, so that of two that come at once and do not go
 * together one is refused: ERR_INVALID for a MAC that another VM of this host has or is being
 * given, ERR_CAPACITY. old: the definition in force, whose memory the VM has already; NULL: it is
 * being made. Afterwards, also on -1, it is in a list until it is released: neither it nor def may
 * move.
 */
int guest_claim(struct guest_claim *claim, struct daemon *daemon, const char *uuid,
	const struct vmdef *def, const struct vmdef *old, struct error *err);
void guest_release(struct guest_claim *claim);
#define cleanup_guest_claim CLEANUP(guest_release)

#endif
