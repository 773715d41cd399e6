/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this host tells the others of itself and its VMs (spec: cluster-wire.md): VE and VI for what
 * changed, HI every 15 s and after changes, and the whole inventory for those that ask. What gossip
 * loses, others notice by the digest in HI. So do they with what is not told at all: when more
 * changes at once than gossip carries, here or on all hosts, HI alone says that something did.
 */
#ifndef VIRTXD_ANNOUNCE_H
#define VIRTXD_ANNOUNCE_H

#include "cluster/serf.h"
#include "daemon.h"

struct announce;

/* After the collector's first round: what is there then is told to nobody, as others ask for it. */
struct announce *announce_new(struct daemon *daemon);
void announce_free(struct announce *announce);

/*
 * Looks for changes and sends what is due; to be called every ANNOUNCE_TURN_MS by one thread. serf
 * NULL, or not connected: changes are noted all the same. With old_peers all VMs are told again and
 * again, at most 50 a second, as they know nothing else.
 */
#define ANNOUNCE_TURN_MS 200
void announce_turn(struct announce *announce, struct serf *serf, bool old_peers);
/* HI at the next turn; any thread. */
void announce_soon(struct announce *announce);
/* Gossip brought an event of any host, this one too; any thread. */
void announce_count_event(struct announce *announce);

/* The body of GET /hosts/{id}/inventory, as of the last turn. The caller frees it. ERR_UNAVAILABLE
 * before the first collection. Any thread. */
char *announce_inventory(struct announce *announce, size_t *len, struct error *err);

#endif
