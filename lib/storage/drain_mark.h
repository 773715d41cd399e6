/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mark of a drained host: VMS/xml/HOST/drain, ours. It outlives restarts, and tells the next
 * one whether VMs were still on their way.
 */
#ifndef STORAGE_DRAIN_MARK_H
#define STORAGE_DRAIN_MARK_H

#include "storage/store.h"

#define DRAIN_MARK_FILE "drain"

enum drain_mark {
	DRAIN_MARK_NONE,   /* not drained */
	DRAIN_MARK_MOVING, /* drained, and its VMs are being moved */
	DRAIN_MARK_DONE    /* drained, and what could be moved was */
};

/* Writes or removes (DRAIN_MARK_NONE) this host's mark, durably. ERR_REGISTER. */
int drain_mark_save(const struct store *store, enum drain_mark mark, struct error *err);
/* Reads it. One that cannot be understood is DRAIN_MARK_DONE: somebody wanted the host drained.
 * ERR_REGISTER. */
int drain_mark_load(const struct store *store, enum drain_mark *mark, struct error *err);

#endif
