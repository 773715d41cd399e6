/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many events this host may still send by gossip. Every host sees all events of the cluster, so
 * each can tell by itself when gossip is full; what is not sent then is no loss, as the digest in
 * HI tells others that they have to ask. No clock, no lock: the caller has both.
 */
#ifndef VIRTXD_GOSSIP_ROOM_H
#define VIRTXD_GOSSIP_ROOM_H

#include <stdbool.h>
#include <stdint.h>

/* Events a second, of all hosts and of this one: with many more of them gossip loses some. As many
 * may come at once after a quiet second. */
#define GOSSIP_EVENTS     20
#define GOSSIP_OWN_EVENTS 10
/* However much there was, it is forgotten after that. */
#define GOSSIP_CALM_MS 5000

/* Begins as zeros. */
struct gossip_room {
	int64_t at_ms;
	int64_t all, own; /* thousandths of events */
};

/* Time has passed, in which so many events of any host came; now_ms: clock_ms(). */
void gossip_room_update(struct gossip_room *room, int64_t now_ms, unsigned events);
/* Whether one more may be sent, which is then counted. */
bool gossip_room_take(struct gossip_room *room);

#endif
