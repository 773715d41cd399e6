/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An array of members: there are hundreds at most. */
#include "peers.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>

#define SILENT_MS 2000
#define WAITING   2

struct entry {
	struct peer peer;
	uint64_t round;
	unsigned waiting;         /* short requests that it has not answered */
	int64_t waiting_since_ms; /* since the first of them or its last answer */
	bool asking;              /* for its proof, just now */
	int64_t asked_ms;         /* when that ended last; 0: not as it stands */
};

struct peers {
	char own[UUID_TEXT_SIZE];
	bool allow_old;
	pthread_mutex_t lock; /* of everything below */
	uint64_t round;
	struct entry *entries;
	size_t count;
};

struct peers *peers_new(const char *own, bool allow_old)
{
	struct peers *peers = xcalloc(1, sizeof(*peers));

	str_copy(peers->own, sizeof(peers->own), own);
	peers->allow_old = allow_old;
	pthread_mutex_init(&peers->lock, NULL);
	return peers;
}

void peers_free(struct peers *peers)
{
	if (!peers)
		return;
	pthread_mutex_destroy(&peers->lock);
	free(peers->entries);
	free(peers);
}

/* The functions that take a struct entry, and these two, are called with the lock held. */

static struct entry *find_member(struct peers *peers, const char *name)
{
	for (size_t i = 0; i < peers->count; i++)
		if (str_equal(peers->entries[i].peer.name, name))
			return &peers->entries[i];
	return NULL;
}

static bool is_believed(const struct peers *peers, const struct peer *peer)
{
	return peer->cstate == CSTATE_ACTIVE && (peer->old ? peers->allow_old : peer->proven);
}

/* The member that speaks for a host. */
static struct entry *find_host(struct peers *peers, const char *uuid)
{
	struct entry *best = NULL;

	for (size_t i = 0; i < peers->count; i++) {
		struct entry *entry = &peers->entries[i];

		if (!str_equal(entry->peer.uuid, uuid))
			continue;
		if (is_believed(peers, &entry->peer))
			return entry;
		if (!best || entry->peer.cstate == CSTATE_ACTIVE)
			best = entry;
	}
	return best;
}

static bool is_same(const struct peer *a, const struct peer *b)
{
	return str_equal(a->uuid, b->uuid) && str_equal(a->server, b->server) && a->old == b->old;
}

/* A place for a new member: NULL when all have one that is there. */
static struct entry *make_room(struct peers *peers)
{
	struct entry *entry = NULL;

	if (peers->count < PEERS_MAX) {
		peers->entries =
			xreallocarray(peers->entries, peers->count + 1, sizeof(*peers->entries));
		entry = &peers->entries[peers->count++];
	}
	for (size_t i = 0; i < peers->count && !entry; i++)
		if (peers->entries[i].peer.cstate != CSTATE_ACTIVE)
			entry = &peers->entries[i];
	if (entry)
		*entry = (struct entry){0};
	return entry;
}

/* Nothing when the member was put in that round or later. */
static bool put_before(struct peers *peers, uint64_t round, const struct peer *peer)
{
	bool put = false;

	if (str_equal(peer->uuid, peers->own))
		return false;
	pthread_mutex_lock(&peers->lock);
	struct entry *entry = find_member(peers, peer->name);
	if (!entry)
		entry = make_room(peers);
	if (entry && entry->round < round) {
		const struct peer before = entry->peer;
		bool stays = is_same(&before, peer) && peer->cstate == CSTATE_ACTIVE;

		entry->peer = *peer;
		entry->peer.proven = stays && before.proven;
		str_copy(entry->peer.why, sizeof(entry->peer.why), stays ? before.why : "");
		if (!stays)
			entry->asked_ms = 0;
		entry->round = peers->round;
		put = true;
	}
	pthread_mutex_unlock(&peers->lock);
	return put;
}

bool peers_put(struct peers *peers, const struct peer *peer)
{
	return put_before(peers, UINT64_MAX, peer);
}

bool peers_put_listed(struct peers *peers, uint64_t round, const struct peer *peer)
{
	return put_before(peers, round, peer);
}

uint64_t peers_begin_round(struct peers *peers)
{
	pthread_mutex_lock(&peers->lock);
	uint64_t round = ++peers->round;
	pthread_mutex_unlock(&peers->lock);
	return round;
}

size_t peers_end_round(struct peers *peers, uint64_t round, char (**gone)[UUID_TEXT_SIZE])
{
	size_t count = 0;

	pthread_mutex_lock(&peers->lock);
	*gone = xcalloc(peers->count + 1, sizeof(**gone));
	for (size_t i = 0; i < peers->count; i++) {
		struct entry *entry = &peers->entries[i];

		if (entry->round >= round)
			continue;
		entry->peer.proven = false;
		if (entry->peer.cstate != CSTATE_ACTIVE)
			continue;
		entry->peer.cstate = CSTATE_FAILED;
		memcpy((*gone)[count++], entry->peer.uuid, UUID_TEXT_SIZE);
	}
	pthread_mutex_unlock(&peers->lock);
	return count;
}

bool peers_find(struct peers *peers, const char *uuid, struct peer *peer)
{
	pthread_mutex_lock(&peers->lock);
	const struct entry *entry = find_host(peers, uuid);
	if (entry)
		*peer = entry->peer;
	pthread_mutex_unlock(&peers->lock);
	return entry != NULL;
}

enum cstate peers_get_state(struct peers *peers, const char *uuid)
{
	struct peer peer;

	return peers_find(peers, uuid, &peer) ? peer.cstate : CSTATE_INVALID;
}

bool peers_is_believed(struct peers *peers, const char *uuid)
{
	pthread_mutex_lock(&peers->lock);
	const struct entry *entry = find_host(peers, uuid);
	bool believed = entry && is_believed(peers, &entry->peer);
	pthread_mutex_unlock(&peers->lock);
	return believed;
}

size_t peers_count(struct peers *peers)
{
	size_t count = 0;

	if (!peers)
		return 0;
	pthread_mutex_lock(&peers->lock);
	for (size_t i = 0; i < peers->count; i++)
		count += peers->entries[i].peer.cstate == CSTATE_ACTIVE;
	pthread_mutex_unlock(&peers->lock);
	return count;
}

bool peers_may_say(struct peers *peers, const char *uuid, bool extended)
{
	pthread_mutex_lock(&peers->lock);
	const struct entry *entry = find_host(peers, uuid);
	bool may = entry && is_believed(peers, &entry->peer) && extended != entry->peer.old;
	pthread_mutex_unlock(&peers->lock);
	return may;
}

size_t peers_list_proven(struct peers *peers, struct peer **list)
{
	size_t count = 0;

	pthread_mutex_lock(&peers->lock);
	*list = xcalloc(peers->count + 1, sizeof(**list));
	for (size_t i = 0; i < peers->count; i++) {
		const struct peer *peer = &peers->entries[i].peer;

		if (peer->cstate == CSTATE_ACTIVE && !peer->old && peer->proven)
			(*list)[count++] = *peer;
	}
	pthread_mutex_unlock(&peers->lock);
	return count;
}

static bool is_due(const struct entry *entry, int64_t now_ms)
{
	const struct peer *peer = &entry->peer;

	return peer->cstate == CSTATE_ACTIVE && !peer->old && !peer->proven && !entry->asking &&
	       (!entry->asked_ms || now_ms >= entry->asked_ms + PEERS_PROBE_MS);
}

bool peers_take_unproven(struct peers *peers, int64_t now_ms, struct peer *peer)
{
	struct entry *first = NULL;
	unsigned asking = 0;

	pthread_mutex_lock(&peers->lock);
	for (size_t i = 0; i < peers->count; i++) {
		struct entry *entry = &peers->entries[i];

		asking += entry->asking;
		if (is_due(entry, now_ms) && (!first || entry->asked_ms < first->asked_ms))
			first = entry;
	}
	if (asking >= PEERS_MAX_PROBES)
		first = NULL;
	if (first) {
		first->asking = true;
		*peer = first->peer;
	}
	pthread_mutex_unlock(&peers->lock);
	return first != NULL;
}

void peers_set_proven(struct peers *peers, const struct peer *asked, bool proven, const char *why)
{
	pthread_mutex_lock(&peers->lock);
	struct entry *entry = find_member(peers, asked->name);
	if (entry)
		entry->asking = false;
	if (entry && is_same(&entry->peer, asked) && entry->peer.cstate == CSTATE_ACTIVE) {
		entry->peer.proven = proven;
		entry->asked_ms = clock_ms();
		snprintf(entry->peer.why, sizeof(entry->peer.why), "%.255s", why);
	}
	pthread_mutex_unlock(&peers->lock);
}

static bool print_address(const struct sockaddr *address, char text[static INET6_ADDRSTRLEN])
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;

	if (address->sa_family == AF_INET)
		return inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, text,
			INET6_ADDRSTRLEN);
	if (address->sa_family != AF_INET6)
		return false;
	if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		return inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, text, INET6_ADDRSTRLEN);
	return inet_ntop(AF_INET6, &v6->sin6_addr, text, INET6_ADDRSTRLEN);
}

bool peers_is_address(struct peers *peers, const struct sockaddr *address)
{
	char text[INET6_ADDRSTRLEN];
	bool found = false;

	if (!print_address(address, text))
		return false;
	pthread_mutex_lock(&peers->lock);
	for (size_t i = 0; i < peers->count && !found; i++)
		found = peers->entries[i].peer.proven &&
			str_equal(peers->entries[i].peer.address, text);
	pthread_mutex_unlock(&peers->lock);
	return found;
}

bool peers_enter(struct peers *peers, const char *uuid)
{
	bool enter = true;
	int64_t now = clock_ms();

	pthread_mutex_lock(&peers->lock);
	struct entry *entry = find_host(peers, uuid);
	if (entry) {
		enter = entry->waiting < WAITING || now - entry->waiting_since_ms <= SILENT_MS;
		if (entry->waiting == 0)
			entry->waiting_since_ms = now;
		entry->waiting += enter;
	}
	pthread_mutex_unlock(&peers->lock);
	return enter;
}

void peers_leave(struct peers *peers, const char *uuid, bool answered)
{
	pthread_mutex_lock(&peers->lock);
	struct entry *entry = find_host(peers, uuid);
	if (entry && entry->waiting)
		entry->waiting--;
	if (entry && answered)
		entry->waiting_since_ms = clock_ms();
	pthread_mutex_unlock(&peers->lock);
}
