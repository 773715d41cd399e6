/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asks other hosts what membership wants to know: a member for its proof, a host for its inventory.
 * Each question has a thread, so that a host that hangs delays no other; PEERS_MAX_PROBES members
 * and CLAIMS_MAX_PULLS hosts are asked at a time. Every step of a question has a deadline.
 */
#ifndef VIRTXD_ASKER_H
#define VIRTXD_ASKER_H

#include "daemon.h"

struct asker;

/* daemon is borrowed: its peers, claims and forward. */
struct asker *asker_new(struct daemon *daemon);
/* Waits for the threads: 13 s at most. NULL is fine. */
void asker_free(struct asker *asker);

/* Starts what is due. */
void asker_turn(struct asker *asker);

/* Tells claims what the member records say of that host. */
void asker_note_state(struct daemon *daemon, const char *host_uuid);

#endif
