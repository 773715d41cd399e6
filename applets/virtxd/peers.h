/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other hosts of the cluster as serf's member records have them, and which of them have proven
 * that they know the cluster's key: only those are sent requests, and only their words count.
 * Everything that comes out is a copy; one lock, a leaf, held for memory work only.
 */
#ifndef VIRTXD_PEERS_H
#define VIRTXD_PEERS_H

#include "base/error.h"
#include "base/uuid.h"
#include "model/enums.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define PEERS_MAX        1000 /* members that are remembered; one that is gone gives way */
#define PEERS_MAX_PROBES 8    /* members are asked for their proofs at a time */
#define PEERS_PROBE_MS   3000 /* from one answer to the next question */

struct peer {
	char name[256];               /* serf's: one member */
	char uuid[UUID_TEXT_SIZE];    /* its tag: the host it says it is */
	char address[64], server[80]; /* without and with the API's port */
	enum cstate cstate;
	bool old;      /* speaks the protocol of old peers, without proofs */
	bool proven;   /* as it stands here; never for an old one */
	bool drained;  /* its tag: it takes no VMs */
	char why[256]; /* what kept it from proving that, "" before it was asked */
};

struct peers;

/* own: this host's UUID; allow_old: old peers are believed without proof. */
struct peers *peers_new(const char *own, bool allow_old);
void peers_free(struct peers *peers);

/*
 * Adds or replaces the member of that name. It has to prove itself again when UUID or address are
 * others than before, or when it was not active. proven and why are not read. False: it is
 * this host itself, or there is no room.
 */
bool peers_put(struct peers *peers, const struct peer *peer);

/*
 * A round begins when serf is asked for all members. Its answer is put with peers_put_listed: what
 * peers_put said of a member since the round began is newer than the list, and stays (false then).
 * At the end whoever was not put since has failed: their UUIDs, those that were active before; the
 * caller frees *gone.
 */
uint64_t peers_begin_round(struct peers *peers);
bool peers_put_listed(struct peers *peers, uint64_t round, const struct peer *peer);
size_t peers_end_round(struct peers *peers, uint64_t round, char (**gone)[UUID_TEXT_SIZE]);

/* The host with that UUID: of several members that claim it the one that may be believed, or any.
 * False when there is none. */
bool peers_find(struct peers *peers, const char *uuid, struct peer *peer);
/* The state of the member that speaks for that host; CSTATE_INVALID when there is none. */
enum cstate peers_get_state(struct peers *peers, const char *uuid);
/* Whether that host is believed: it is active and proven, or old and allowed. */
bool peers_is_believed(struct peers *peers, const char *uuid);
/* Whether an event in the name of that host counts: it is believed, and its events have our
 * extension unless it is old. */
bool peers_may_say(struct peers *peers, const char *uuid, bool extended);
/* How many of them are active; 0 for NULL. */
size_t peers_count(struct peers *peers);
/* Those that are active and proven; the caller frees the list. */
size_t peers_list_proven(struct peers *peers, struct peer **list);

/*
 * A member to be asked for its proof now: active, not old, not proven, and not asked within
 * PEERS_PROBE_MS as it stands; who was asked longest ago comes first. Each is then set proven or
 * not. False when there is none, or PEERS_MAX_PROBES are being asked.
 */
bool peers_take_unproven(struct peers *peers, int64_t now_ms, struct peer *peer);
/* What asking brought; it does not count when the member has changed meanwhile. */
void peers_set_proven(struct peers *peers, const struct peer *asked, bool proven, const char *why);

/* True for the address of a host that is proven; for the HTTP server. */
bool peers_is_address(struct peers *peers, const struct sockaddr *address);

/*
 * Around each short request to a host: false when two others have been waiting for it for more
 * than two seconds without any answer, so that one host that hangs does not hold all threads.
 */
bool peers_enter(struct peers *peers, const char *uuid);
void peers_leave(struct peers *peers, const char *uuid, bool answered);

#endif
