/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compares the VMs with what was told of them last; each difference is one event and one step of
 * the generation. */
#include "announce.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "cluster/digest.h"
#include "cluster/wire_list.h"
#include "collector.h"
#include "gossip_room.h"
#include "local_vms.h"
#include "peers.h"

#include <pthread.h>
#include <stdatomic.h>

#define HOST_MS      15000 /* between two HIs, on average: hosts that start together spread */
#define SPREAD_MS    2000  /* shortest to longest */
#define BURST_MS     1000  /* after a change, when more may follow */
#define OLD_PER_TURN 10    /* VIs for old peers: 50 a second */

struct told {
	struct vm_row row;
	uint64_t hash;
};

struct announce {
	struct daemon *daemon;
	uint64_t boot_id;
	atomic_uint events; /* of all hosts, that were not looked at yet */
	/* Of the one thread that calls announce_turn. */
	uint64_t seen; /* local_vms_changes() */
	int64_t host_due_ms;
	struct gossip_room room;
	bool tell_all;   /* to old peers, who never ask */
	size_t next_old; /* index in told, for old peers */
	int64_t old_round_ms;

	pthread_mutex_t lock; /* of everything below */
	bool soon;
	uint64_t generation;
	struct told *told; /* by UUID */
	size_t count;
};

static int compare_told(const void *a, const void *b)
{
	return strcmp(((const struct told *)a)->row.uuid, ((const struct told *)b)->row.uuid);
}

/* The VMs as they are now, by UUID. */
static struct told *list_now(struct announce *announce, size_t *count)
{
	cleanup_free struct vm_row *rows = NULL;

	*count = local_vms_list_rows(collector_vms(announce->daemon->collector), &rows);
	struct told *now = xcalloc(*count + 1, sizeof(*now));
	for (size_t i = 0; i < *count; i++)
		now[i] = (struct told){rows[i], wire_vm_hash(&rows[i])};
	qsort(now, *count, sizeof(*now), compare_told);
	return now;
}

struct announce *announce_new(struct daemon *daemon)
{
	struct announce *announce = xcalloc(1, sizeof(*announce));

	announce->daemon = daemon;
	announce->boot_id = (uint64_t)clock_wall_ms();
	pthread_mutex_init(&announce->lock, NULL);
	announce->seen = local_vms_changes(collector_vms(daemon->collector));
	announce->told = list_now(announce, &announce->count);
	announce->host_due_ms = clock_ms() + clock_jitter_ms(HOST_MS);
	return announce;
}

static void told_free(struct told *told, size_t count)
{
	for (size_t i = 0; i < count; i++)
		vm_row_free(&told[i].row);
	free(told);
}

void announce_free(struct announce *announce)
{
	if (!announce)
		return;
	told_free(announce->told, announce->count);
	pthread_mutex_destroy(&announce->lock);
	free(announce);
}

void announce_soon(struct announce *announce)
{
	pthread_mutex_lock(&announce->lock);
	announce->soon = true;
	pthread_mutex_unlock(&announce->lock);
}

void announce_count_event(struct announce *announce)
{
	atomic_fetch_add(&announce->events, 1);
}

/* Nobody to tell is no failure: who comes later asks for everything. */
static void post(struct serf *serf, const char *name, const struct printbuf *payload)
{
	struct error err = {0};

	if (serf && serf_check(serf, &err) == 0 &&
		serf_post_event(serf, name, payload->buf, (size_t)payload->bpos, &err) < 0)
		log_debug("event not sent", "event", name, "reason", err.message);
}

static struct wire_stamp next_stamp(struct announce *announce)
{
	return (struct wire_stamp){
		.extended = true, .boot_id = announce->boot_id, .generation = announce->generation};
}

static void send_vm(struct announce *announce, struct serf *serf, const struct vm_row *row)
{
	cleanup_buf struct printbuf *payload = buf_new();
	struct wire_vm vm = {.row = *row, .stamp = next_stamp(announce)};

	vm.row.ts_ms = clock_wall_ms();
	wire_vm_encode(&vm, serf ? serf_max_payload(serf, WIRE_VM) : 0, payload);
	post(serf, WIRE_VM, payload);
}

static void send_event(
	struct announce *announce, struct serf *serf, const char *uuid, enum runstate runstate)
{
	cleanup_buf struct printbuf *payload = buf_new();
	struct wire_event event = {
		.runstate = runstate, .ts_ms = clock_wall_ms(), .stamp = next_stamp(announce)};

	str_copy(event.uuid, sizeof(event.uuid), uuid);
	memcpy(event.host_uuid, announce->daemon->host_uuid, sizeof(event.host_uuid));
	wire_event_encode(&event, payload);
	post(serf, WIRE_EVENT, payload);
}

/* ---- what changed ---- */

/* True when the rows differ in their runstate and in nothing else. */
static bool is_state_change(const struct told *before, const struct told *now)
{
	struct vm_row as_before = now->row;

	as_before.runstate = before->row.runstate;
	return now->row.runstate != before->row.runstate &&
	       wire_vm_hash(&as_before) == before->hash;
}

/* One VM, which is not there before, now, or neither missing. False when there is no room for it.
 * Called with the lock held. */
static bool tell_difference(struct announce *announce, struct serf *serf, const struct told *before,
	const struct told *now)
{
	if (before && now && before->hash == now->hash)
		return true;
	announce->generation++;
	if (!announce->tell_all && !gossip_room_take(&announce->room))
		return false;
	if (!now)
		send_event(announce, serf, before->row.uuid, RUNSTATE_DELETED);
	else if (before && is_state_change(before, now))
		send_event(announce, serf, now->row.uuid, now->row.runstate);
	else
		send_vm(announce, serf, &now->row);
	return true;
}

/* False when only HI can say that something did. serf_post_event only queues, so the lock is held
 * for memory work. */
static bool tell_changes(struct announce *announce, struct serf *serf)
{
	size_t n_now, i = 0, j = 0;
	bool all = true;
	struct told *now = list_now(announce, &n_now);

	pthread_mutex_lock(&announce->lock);
	while (i < announce->count || j < n_now) {
		const struct told *before = i < announce->count ? &announce->told[i] : NULL;
		const struct told *after = j < n_now ? &now[j] : NULL;
		int order = !before ? 1 : !after ? -1 : compare_told(before, after);

		all &= tell_difference(
			announce, serf, order <= 0 ? before : NULL, order >= 0 ? after : NULL);
		i += order <= 0;
		j += order >= 0;
	}
	struct told *old = announce->told;
	size_t n_old = announce->count;
	announce->told = now;
	announce->count = n_now;
	pthread_mutex_unlock(&announce->lock);
	told_free(old, n_old);
	return all;
}

/* ---- the host ---- */

/* This host with the digest of what was told. Called with the lock held. */
static int make_host(struct announce *announce, struct wire_host *host, struct error *err)
{
	struct digest digest = {0};

	*host = (struct wire_host){0};
	if (inventory_get_host(
		    announce->daemon->inventory, announce->daemon->host_uuid, &host->host, err) < 0)
		return -1;
	for (size_t i = 0; i < announce->count; i++)
		digest_add(&digest, announce->told[i].hash);
	host->host.cstate = CSTATE_ACTIVE;
	host->host.ts_ms = clock_wall_ms();
	host->stamp = next_stamp(announce);
	host->vms = digest.vms;
	host->digest = digest.sum;
	return 0;
}

static void send_host(struct announce *announce, struct serf *serf)
{
	cleanup_buf struct printbuf *payload = buf_new();
	cleanup_wire_host struct wire_host host = {0};
	struct error err = {0};

	pthread_mutex_lock(&announce->lock);
	int made = make_host(announce, &host, &err);
	pthread_mutex_unlock(&announce->lock);
	if (made < 0)
		return;
	wire_host_encode(&host, payload);
	post(serf, WIRE_HOST, payload);
}

static void tell_old_peers(struct announce *announce, struct serf *serf, int64_t now)
{
	if (announce->next_old >= announce->count) {
		if (now < announce->old_round_ms)
			return;
		announce->next_old = 0;
		announce->old_round_ms = now + HOST_MS;
	}
	for (int i = 0; i < OLD_PER_TURN && announce->next_old < announce->count; i++)
		send_vm(announce, serf, &announce->told[announce->next_old++].row);
}

/* Soon after a change. When gossip has no room, all hosts may be about to say the same, so each
 * takes a moment of its own. */
static void hasten_host(struct announce *announce, bool all_told, int64_t now)
{
	int64_t due = now + BURST_MS;

	if (!all_told)
		due += clock_jitter_ms(
			1 + (int64_t)peers_count(announce->daemon->peers) * 1000 / GOSSIP_EVENTS);
	if (announce->host_due_ms > due)
		announce->host_due_ms = due;
}

void announce_turn(struct announce *announce, struct serf *serf, bool old_peers)
{
	uint64_t changes = local_vms_changes(collector_vms(announce->daemon->collector));
	int64_t now = clock_ms();

	announce->tell_all = old_peers;
	gossip_room_update(&announce->room, now, atomic_exchange(&announce->events, 0));
	if (changes != announce->seen) {
		announce->seen = changes;
		hasten_host(announce, tell_changes(announce, serf), now);
	}
	pthread_mutex_lock(&announce->lock);
	bool soon = announce->soon;
	announce->soon = false;
	pthread_mutex_unlock(&announce->lock);
	bool due = now >= announce->host_due_ms;
	if (due)
		announce->host_due_ms = now + HOST_MS - SPREAD_MS / 2 + clock_jitter_ms(SPREAD_MS);
	if (due || soon)
		send_host(announce, serf);
	/* Only this thread replaces what was told. */
	if (old_peers)
		tell_old_peers(announce, serf, now);
}

char *announce_inventory(struct announce *announce, size_t *len, struct error *err)
{
	cleanup_wire_host struct wire_host host = {0};
	struct printbuf *body = buf_new();

	pthread_mutex_lock(&announce->lock);
	int made = make_host(announce, &host, err);
	if (made == 0)
		wire_list_put_host(body, &host);
	for (size_t i = 0; made == 0 && i < announce->count; i++) {
		struct wire_vm vm = {.row = announce->told[i].row, .stamp = host.stamp};

		vm.row.ts_ms = host.host.ts_ms;
		wire_list_put_vm(body, &vm);
	}
	pthread_mutex_unlock(&announce->lock);
	if (made < 0) {
		buf_free(body);
		err->code = ERR_UNAVAILABLE;
		return NULL;
	}
	*len = (size_t)body->bpos;
	return buf_steal(body);
}
