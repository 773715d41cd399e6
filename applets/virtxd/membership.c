/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two threads beside serf's: one tells others of changes, the other keeps what is known in order
 * and sees that members are asked for proofs and inventories (asker.h).
 */
#include "membership.h"

#include "announce.h"
#include "asker.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/claims.h"
#include "cluster/serf.h"
#include "drain_host.h"
#include "forward.h"

#include <pthread.h>

#define KEEPER_MS 500
#define TRIM_MS   10000
#define TAGS_MS   2000
#define OLD_PORT  "8080"

struct membership {
	struct daemon *daemon;
	struct serf *serf;
	struct asker *asker;
	pthread_t announcer, keeper;
	uint64_t round;       /* of peers; serf's thread alone */
	pthread_mutex_t lock; /* of everything below */
	pthread_cond_t changed;
	bool stopping, has_announcer, has_keeper;
	bool away;    /* the agent is, which was logged */
	bool current; /* all members were heard of since it was there */
	bool has_old; /* an old peer that is allowed is active */
};

/* ---- members ---- */

static enum cstate state_of(enum serf_change change, const struct serf_member *member)
{
	switch (change) {
	case SERF_MEMBERS_JOINED:
		return CSTATE_ACTIVE;
	case SERF_MEMBERS_LEFT:
		return CSTATE_LEFT;
	case SERF_MEMBERS_FAILED:
	case SERF_MEMBERS_REAPED:
		return CSTATE_FAILED;
	case SERF_MEMBERS_ALL:
	case SERF_MEMBERS_UPDATED:
		break;
	}
	switch (member->status) {
	case SERF_STATUS_ALIVE:
		return CSTATE_ACTIVE;
	case SERF_STATUS_LEAVING:
	case SERF_STATUS_LEFT:
		return CSTATE_LEFT;
	case SERF_STATUS_FAILED:
	case SERF_STATUS_OTHER:
		break;
	}
	return CSTATE_FAILED;
}

/* False for a member that is no host: other programs use the agents too. */
static bool read_member(
	enum serf_change change, const struct serf_member *member, struct peer *peer)
{
	const char *uuid = serf_member_tag(member, "uuid");
	const char *version = serf_member_tag(member, "virtx");
	const char *port = serf_member_tag(member, "port");
	const char *drain = serf_member_tag(member, "drain");
	int64_t number;

	*peer = (struct peer){
		.cstate = state_of(change, member),
		.old = !version,
		.drained = drain && str_equal(drain, "1"),
	};
	if (peer->old)
		port = OLD_PORT;
	if (!uuid || !uuid_canonical(uuid, peer->uuid) || !port ||
		!str_parse_int(port, 1, UINT16_MAX, &number) ||
		!str_copy(peer->name, sizeof(peer->name), member->name) ||
		!str_copy(peer->address, sizeof(peer->address), member->address))
		return false;
	snprintf(peer->server, sizeof(peer->server),
		strchr(peer->address, ':') ? "[%s]:%lld" : "%s:%lld", peer->address,
		(long long)number);
	return true;
}

/* Members that serf has forgotten while we were not connected. */
static void note_gone(struct daemon *daemon, uint64_t round)
{
	cleanup_free char(*gone)[UUID_TEXT_SIZE] = NULL;
	size_t count = peers_end_round(daemon->peers, round, &gone);

	for (size_t i = 0; i < count; i++)
		asker_note_state(daemon, gone[i]);
}

static void on_asking(void *context)
{
	struct membership *membership = context;

	membership->round = peers_begin_round(membership->daemon->peers);
}

static void on_members(
	void *context, enum serf_change change, const struct serf_member *members, size_t count)
{
	struct membership *membership = context;
	struct daemon *daemon = membership->daemon;
	bool is_list = change == SERF_MEMBERS_ALL, has_old = false;

	for (size_t i = 0; i < count; i++) {
		struct peer peer;

		if (!read_member(change, &members[i], &peer))
			continue;
		has_old |= peer.old && peer.cstate == CSTATE_ACTIVE;
		if (is_list ? peers_put_listed(daemon->peers, membership->round, &peer)
			    : peers_put(daemon->peers, &peer))
			asker_note_state(daemon, peer.uuid);
	}
	if (is_list)
		note_gone(daemon, membership->round);
	pthread_mutex_lock(&membership->lock);
	membership->has_old = (is_list ? has_old : membership->has_old || has_old) &&
			      daemon->settings.allow_old_peers;
	membership->current |= is_list;
	pthread_cond_broadcast(&membership->changed);
	pthread_mutex_unlock(&membership->lock);
}

bool membership_is_current(struct membership *membership)
{
	pthread_mutex_lock(&membership->lock);
	bool current = membership->current;
	pthread_mutex_unlock(&membership->lock);
	return current;
}

/* ---- what is said ---- */

/* An event does not tell who sent it, so what it says of a host counts when that host does. */
static void on_event(void *context, const char *name, const void *payload, size_t len)
{
	struct membership *membership = context;
	struct daemon *daemon = membership->daemon;
	struct error err = {0};

	announce_count_event(daemon->announce);
	if (str_equal(name, WIRE_HOST)) {
		cleanup_wire_host struct wire_host host = {0};

		if (wire_host_decode(payload, len, &host, &err) == 0 &&
			peers_may_say(daemon->peers, host.host.uuid, host.stamp.extended))
			claims_hear_host(daemon->claims, &host, clock_ms());
	} else if (str_equal(name, WIRE_EVENT)) {
		struct wire_event event;

		if (wire_event_decode(payload, len, &event, &err) == 0 &&
			peers_may_say(daemon->peers, event.host_uuid, event.stamp.extended))
			claims_hear_event(daemon->claims, &event, clock_ms());
	} else if (str_equal(name, WIRE_VM)) {
		cleanup_wire_vm struct wire_vm vm = {0};

		if (wire_vm_decode(payload, len, &vm, &err) == 0 &&
			peers_may_say(daemon->peers, vm.row.host_uuid, vm.stamp.extended))
			claims_hear_vm(daemon->claims, &vm, clock_ms());
	}
	if (error_is_set(&err))
		log_debug("event not understood", "event", name, "reason", err.message);
}

/* ---- the agent ---- */

static void on_connected(void *context)
{
	struct membership *membership = context;

	pthread_mutex_lock(&membership->lock);
	bool was_away = membership->away;
	membership->away = false;
	pthread_mutex_unlock(&membership->lock);
	log_info(was_away ? "serf agent is back" : "serf agent connected", "address",
		membership->daemon->settings.serf_rpc);
	announce_soon(membership->daemon->announce);
}

static void on_disconnected(void *context, const struct error *cause)
{
	struct membership *membership = context;

	pthread_mutex_lock(&membership->lock);
	bool is_news = !membership->away;
	membership->away = true;
	membership->current = false;
	pthread_mutex_unlock(&membership->lock);
	if (is_news)
		log_warning("no serf agent: this host neither hears of others nor tells them",
			"reason", cause->message, "hint", cause->hint[0] ? cause->hint : NULL);
}

void membership_tell_tags(struct membership *membership)
{
	struct daemon *daemon = membership->daemon;
	const char *colon = strrchr(http_server_address(daemon->http, 0), ':');
	struct serf_tag tags[] = {
		{.name = (char *)"uuid", .value = daemon->host_uuid},
		{.name = (char *)"virtx", .value = (char *)"1"},
		{.name = (char *)"port", .value = (char *)(colon ? colon + 1 : OLD_PORT)},
		{.name = (char *)"drain",
			.value = drain_host_is_drained(daemon) ? (char *)"1" : NULL},
	};
	struct error err = {0};

	/* They are set at each connection, also when there is none now. */
	if (serf_set_tags(membership->serf, tags, sizeof(tags) / sizeof(tags[0]), TAGS_MS, &err) <
		0)
		log_debug("tags not set yet", "reason", err.message);
}

/* ---- threads ---- */

/* Waits for at most ms; false when it is time to end. */
static bool go_on(struct membership *membership, int64_t ms)
{
	pthread_mutex_lock(&membership->lock);
	if (!membership->stopping)
		clock_wait(&membership->changed, &membership->lock, clock_ms() + ms);
	bool stopping = membership->stopping;
	pthread_mutex_unlock(&membership->lock);
	return !stopping;
}

static void *run_announcer(void *context)
{
	struct membership *membership = context;

	while (go_on(membership, ANNOUNCE_TURN_MS)) {
		pthread_mutex_lock(&membership->lock);
		bool has_old = membership->has_old;
		pthread_mutex_unlock(&membership->lock);
		announce_turn(membership->daemon->announce, membership->serf, has_old);
	}
	return NULL;
}

static void *run_keeper(void *context)
{
	struct membership *membership = context;
	int64_t trim_ms = 0;

	while (go_on(membership, KEEPER_MS)) {
		asker_turn(membership->asker);
		claims_tick(membership->daemon->claims, clock_ms());
		if (clock_ms() >= trim_ms) {
			forward_trim(membership->daemon->forward);
			trim_ms = clock_ms() + TRIM_MS;
		}
	}
	return NULL;
}

static int start_threads(struct membership *membership, struct error *err)
{
	int failure = pthread_create(&membership->announcer, NULL, run_announcer, membership);

	membership->has_announcer = failure == 0;
	if (failure == 0) {
		failure = pthread_create(&membership->keeper, NULL, run_keeper, membership);
		membership->has_keeper = failure == 0;
	}
	return failure ? error_set_errno(err, ERR_INTERNAL, failure, "starting a thread") : 0;
}

struct membership *membership_start(struct daemon *daemon, struct error *err)
{
	struct membership *membership = xcalloc(1, sizeof(*membership));

	membership->daemon = daemon;
	membership->asker = asker_new(daemon);
	pthread_mutex_init(&membership->lock, NULL);
	pthread_cond_init(&membership->changed, NULL);
	membership->serf = serf_start(
		&(struct serf_config){
			.address = daemon->settings.serf_rpc,
			.key = daemon->settings.serf_key,
			.on_connected = on_connected,
			.on_disconnected = on_disconnected,
			.on_asking = on_asking,
			.on_members = on_members,
			.on_event = on_event,
			.context = membership,
		},
		err);
	if (membership->serf) {
		membership_tell_tags(membership);
		if (start_threads(membership, err) == 0)
			return membership;
	}
	membership_stop(membership);
	return NULL;
}

void membership_stop(struct membership *membership)
{
	if (!membership)
		return;
	pthread_mutex_lock(&membership->lock);
	membership->stopping = true;
	pthread_cond_broadcast(&membership->changed);
	pthread_mutex_unlock(&membership->lock);
	if (membership->has_announcer)
		pthread_join(membership->announcer, NULL);
	if (membership->has_keeper)
		pthread_join(membership->keeper, NULL);
	asker_free(membership->asker);
	serf_stop(membership->serf);
	pthread_cond_destroy(&membership->changed);
	pthread_mutex_destroy(&membership->lock);
	free(membership);
}
