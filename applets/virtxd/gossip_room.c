/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two buckets that fill with time. */
#include "gossip_room.h"

#define ONE 1000

static int64_t between(int64_t low, int64_t value, int64_t high)
{
	return value < low ? low : value > high ? high : value;
}

void gossip_room_update(struct gossip_room *room, int64_t now_ms, unsigned events)
{
	int64_t passed = now_ms - room->at_ms;

	room->at_ms = now_ms;
	room->all = between(-GOSSIP_EVENTS * GOSSIP_CALM_MS,
		room->all + passed * GOSSIP_EVENTS - (int64_t)events * ONE, GOSSIP_EVENTS * ONE);
	room->own = between(0, room->own + passed * GOSSIP_OWN_EVENTS, GOSSIP_OWN_EVENTS * ONE);
}

bool gossip_room_take(struct gossip_room *room)
{
	if (room->all < ONE || room->own < ONE)
		return false;
	room->all -= ONE;
	room->own -= ONE;
	return true;
}
