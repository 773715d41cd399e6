/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The collector's threads: one makes rounds and follows events, the other asks for guest addresses,
 * which a guest agent may keep waiting for seconds. Both hold no lock while they wait for libvirt.
 */
#include "collector.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "console.h"
#include "definition.h"
#include "drain_host.h"
#include "local_vms.h"
#include "oplog.h"
#include "seed_lease.h"

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#define COLLECT_TIMEOUT_MS 5000
#define TURN_MS            1000  /* the thread turns at least this often, for the watchdog */
#define ADDRESSES_MS       30000 /* between two looks at the guests' addresses */
#define MAX_PENDING        256   /* VMs with events; with more, all are read again */

struct collector {
	struct daemon *daemon;
	struct local_vms *vms;
	pthread_t thread, addresses_thread;
	bool started;
	atomic_llong heartbeat, last_round; /* monotonic ms */
	atomic_int mhz;                     /* of one CPU */

	pthread_mutex_t lock; /* of what events note */
	pthread_cond_t wake;
	bool stopping, round_wanted;
	char (*pending)[UUID_TEXT_SIZE]; /* room for MAX_PENDING */
	size_t n_pending;

	/* Only the collecting thread touches these. */
	struct host identity; /* uuid "" until libvirt told it */
	int32_t cpus;
	int64_t memory_kib;
	struct host_last last;
	bool failed; /* the last round, which was logged */

	pthread_mutex_t host_lock; /* of the figures of the last round */
	struct host_limits limits;
};

/*
 * Puts one VM as libvirt tells it. *behind: its log has not caught up (oplog.h). -1 with err when
 * its XML could not be had; its state is put all the same.
 */
static int put_vm(struct collector *collector, uint64_t ticket, const struct domain_stats *stats,
	bool with_definition, bool *behind, struct error *err)
{
	struct local_definition definition = {0};
	bool read =
		with_definition && definition_read(collector->daemon, stats, &definition, err) == 0;

	*behind = read && !definition.why &&
		  oplog_is_behind(collector->daemon, definition.reading.oplog, stats->runstate);
	if (err->code == ERR_NOT_FOUND) {
		local_vms_remove(collector->vms, ticket, stats->uuid);
		return -1;
	}
	local_vms_put(collector->vms, &(struct local_reading){
					      .ticket = ticket,
					      .stats = stats,
					      .definition = read ? &definition : NULL,
					      .now_ms = clock_wall_ms(),
					      .now_ns = clock_us() * 1000,
					      .mhz = atomic_load(&collector->mhz),
				      });
	definition_free(&definition);
	return with_definition && !read ? -1 : 0;
}

static int refresh_once(
	struct collector *collector, const char *uuid, bool *behind, struct error *err)
{
	uint64_t ticket = local_vms_ticket(collector->vms);
	struct domain_stats stats = {0};

	*behind = false;
	if (hypervisor_collect_one(collector->daemon->hypervisor, uuid, &stats, err) < 0) {
		if (err->code != ERR_NOT_FOUND)
			return -1;
	} else if (stats.persistent) {
		if (put_vm(collector, ticket, &stats, true, behind, err) == 0)
			return 0;
		if (err->code != ERR_NOT_FOUND)
			return -1;
	}
	error_clear(err);
	local_vms_remove(collector->vms, ticket, uuid);
	return 0;
}

/* Completes the log of a VM; what that wrote is read by the caller. The lease of a seed that it
 * came with goes when it stops. */
static void complete_log(struct collector *collector, const char *uuid)
{
	cleanup_vm struct vm vm = {0};
	struct error err = {0};
	bool arrived = false;

	if (local_vms_get(collector->vms, uuid, &vm, &err) == 0)
		arrived = oplog_catch_up(collector->daemon, uuid, &vm);
	if (arrived)
		seed_leases_let_go(collector->daemon, uuid);
}

int collector_refresh(struct collector *collector, const char *uuid, struct error *err)
{
	bool behind;

	if (refresh_once(collector, uuid, &behind, err) < 0)
		return -1;
	if (!behind)
		return 0;
	complete_log(collector, uuid);
	return refresh_once(collector, uuid, &behind, err);
}

/* What does not change while libvirt stays the same. */
static int identify(struct collector *collector, struct error *err)
{
	struct daemon *daemon = collector->daemon;
	struct hypervisor_host from = {0};
	int32_t mhz;

	if (collector->identity.uuid[0])
		return 0;
	if (hypervisor_get_host(daemon->hypervisor, &from, err) < 0)
		return -1;
	host_stats_identify(&host_files_system, &from, &collector->identity, &mhz);
	atomic_store(&collector->mhz, mhz);
	memcpy(collector->identity.uuid, daemon->host_uuid, sizeof(daemon->host_uuid));
	collector->identity.name = xstrdup(daemon->host_name);
	collector->cpus = from.nodes * from.sockets * from.cores * from.threads;
	collector->memory_kib = from.memory_kib;
	hypervisor_host_clear(&from);
	return 0;
}

static void publish_host(struct collector *collector)
{
	struct host *host = &collector->identity;
	struct host_round round = {
		.memory_kib = collector->memory_kib,
		.mhz = atomic_load(&collector->mhz),
		.cpus = collector->cpus,
	};
	struct host_limits limits;
	struct error err = {0};

	if (hypervisor_get_load(collector->daemon->hypervisor, &round.load, &err) == 0)
		round.at_ns = clock_us() * 1000;
	else
		log_debug("load of the host not read", "reason", err.message);
	local_vms_sum(collector->vms, &round);
	host_stats_compute(&host_files_system, &round, &collector->last, host);
	host->lockid = (int16_t)atomic_load(&collector->daemon->lockid);
	host->drained = drain_host_is_drained(collector->daemon);
	host->ts_ms = clock_wall_ms();
	inventory_put_host(collector->daemon->inventory, host);
	host_stats_limits(&host_files_system, &round, host, &limits);
	pthread_mutex_lock(&collector->host_lock);
	collector->limits = limits;
	pthread_mutex_unlock(&collector->host_lock);
}

static void put_all(
	struct collector *collector, uint64_t ticket, const struct domain_stats *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		bool wants = local_vms_wants_definition(collector->vms, &list[i]), behind;
		struct error err = {0};

		put_vm(collector, ticket, &list[i], wants, &behind, &err);
		if (error_is_set(&err) && err.code != ERR_NOT_FOUND)
			log_warning("VM not read", "vm", list[i].uuid, "reason", err.message);
		if (behind) {
			complete_log(collector, list[i].uuid);
			local_vms_mark(collector->vms, list[i].uuid);
		}
		atomic_store(&collector->heartbeat, clock_ms());
	}
}

/* One reading of everything. Nothing is removed unless the list of all was read. */
static int make_round(struct collector *collector, struct error *err)
{
	uint64_t ticket = local_vms_ticket(collector->vms);
	cleanup_free struct domain_stats *list = NULL;
	size_t count = 0;

	if (identify(collector, err) < 0 || hypervisor_collect(collector->daemon->hypervisor,
						    COLLECT_TIMEOUT_MS, &list, &count, err) < 0)
		return -1;
	put_all(collector, ticket, list, count);
	local_vms_sweep(collector->vms, ticket);
	publish_host(collector);
	console_trim(collector->daemon);
	atomic_store(&collector->last_round, clock_ms());
	/* The XML of many VMs was in memory for a moment; it would stay there. */
	malloc_trim(0);
	return 0;
}

/* A failure is logged once, and its end too. */
static void round_or_complain(struct collector *collector)
{
	struct error err = {0};
	bool failed = make_round(collector, &err) < 0;

	if (failed && !collector->failed)
		log_warning("collection failed", "reason", err.message);
	else if (!failed && collector->failed)
		log_info("collection works again");
	collector->failed = failed;
}

/* Takes the VMs that had events; the caller frees the list. Called with the lock held. */
static size_t take_pending(struct collector *collector, char (**list)[UUID_TEXT_SIZE])
{
	size_t count = collector->n_pending;

	*list = xmemdup(collector->pending, count * UUID_TEXT_SIZE);
	collector->n_pending = 0;
	return count;
}

static void refresh_pending(struct collector *collector, char (*list)[UUID_TEXT_SIZE], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct error err = {0};

		if (collector_refresh(collector, list[i], &err) < 0)
			log_debug("VM not read after its event", "vm", list[i], "reason",
				err.message);
		atomic_store(&collector->heartbeat, clock_ms());
	}
}

static void *collect(void *context)
{
	struct collector *collector = context;
	int64_t interval = collector->daemon->settings.collect_interval * 1000;
	int64_t next = clock_ms() + interval;

	pthread_mutex_lock(&collector->lock);
	while (!collector->stopping) {
		int64_t now = clock_ms();
		cleanup_free char(*list)[UUID_TEXT_SIZE] = NULL;

		atomic_store(&collector->heartbeat, now);
		if (!collector->n_pending && !collector->round_wanted && now < next) {
			clock_wait(&collector->wake, &collector->lock,
				now + TURN_MS < next ? now + TURN_MS : next);
			continue;
		}
		bool round = collector->round_wanted || now >= next;
		size_t count = take_pending(collector, &list);

		collector->round_wanted = false;
		pthread_mutex_unlock(&collector->lock);
		refresh_pending(collector, list, count);
		if (round) {
			round_or_complain(collector);
			next = clock_ms() + interval;
		}
		pthread_mutex_lock(&collector->lock);
	}
	pthread_mutex_unlock(&collector->lock);
	return NULL;
}

static bool is_stopping(struct collector *collector)
{
	pthread_mutex_lock(&collector->lock);
	bool stopping = collector->stopping;
	pthread_mutex_unlock(&collector->lock);
	return stopping;
}

static void look_for_addresses(struct collector *collector)
{
	cleanup_free char(*list)[UUID_TEXT_SIZE] = NULL;
	size_t count = local_vms_list_running(collector->vms, &list);

	for (size_t i = 0; i < count && !is_stopping(collector); i++) {
		struct error err = {0};
		char **addresses;
		size_t n;

		if (hypervisor_get_addresses(
			    collector->daemon->hypervisor, list[i], &addresses, &n, &err) == 0)
			local_vms_set_addresses(collector->vms, list[i], addresses, n);
	}
}

static void *follow_addresses(void *context)
{
	struct collector *collector = context;

	while (!is_stopping(collector)) {
		int64_t next = clock_ms() + ADDRESSES_MS;

		look_for_addresses(collector);
		pthread_mutex_lock(&collector->lock);
		while (!collector->stopping && clock_ms() < next)
			clock_wait(&collector->wake, &collector->lock, next);
		pthread_mutex_unlock(&collector->lock);
	}
	return NULL;
}

struct collector *collector_new(struct daemon *daemon)
{
	struct collector *collector = xcalloc(1, sizeof(*collector));

	collector->daemon = daemon;
	collector->vms = local_vms_new(daemon->inventory, daemon->host_uuid);
	collector->pending = xcalloc(MAX_PENDING, sizeof(*collector->pending));
	pthread_mutex_init(&collector->lock, NULL);
	pthread_mutex_init(&collector->host_lock, NULL);
	pthread_cond_init(&collector->wake, NULL);
	atomic_store(&collector->heartbeat, clock_ms());
	return collector;
}

void collector_free(struct collector *collector)
{
	if (!collector)
		return;
	local_vms_free(collector->vms);
	host_free(&collector->identity);
	pthread_cond_destroy(&collector->wake);
	pthread_mutex_destroy(&collector->lock);
	pthread_mutex_destroy(&collector->host_lock);
	free(collector->pending);
	free(collector);
}

/* Tells both threads, and waits for as many as were started. */
static void stop_threads(struct collector *collector, bool both)
{
	pthread_mutex_lock(&collector->lock);
	collector->stopping = true;
	pthread_cond_broadcast(&collector->wake);
	pthread_mutex_unlock(&collector->lock);
	pthread_join(collector->thread, NULL);
	if (both)
		pthread_join(collector->addresses_thread, NULL);
}

int collector_start(struct collector *collector, struct error *err)
{
	int failure;

	round_or_complain(collector);
	failure = pthread_create(&collector->thread, NULL, collect, collector);
	if (failure)
		return error_set_errno(err, ERR_UNAVAILABLE, failure, "starting the collector");
	failure = pthread_create(&collector->addresses_thread, NULL, follow_addresses, collector);
	if (failure) {
		stop_threads(collector, false);
		return error_set_errno(err, ERR_UNAVAILABLE, failure, "starting the collector");
	}
	collector->started = true;
	return 0;
}

void collector_stop(struct collector *collector)
{
	if (collector && collector->started)
		stop_threads(collector, true);
}

struct local_vms *collector_vms(struct collector *collector)
{
	return collector->vms;
}

int collector_get_vm(
	struct collector *collector, const char *uuid, struct vm *vm, struct error *err)
{
	return local_vms_get(collector->vms, uuid, vm, err);
}

struct http_body *collector_get_vm_body(
	struct collector *collector, const char *uuid, char etag[static 17], struct error *err)
{
	return local_vms_body(collector->vms, uuid, etag, err);
}

int collector_check_own(struct collector *collector, const char *uuid, struct error *err)
{
	return local_vms_check_own(collector->vms, uuid, err);
}

bool collector_is_foreign(struct collector *collector, const char *uuid)
{
	return local_vms_is_foreign(collector->vms, uuid);
}

static int64_t limit_mib(struct collector *collector, bool hugepages)
{
	pthread_mutex_lock(&collector->host_lock);
	struct host_limits limits = collector->limits;
	pthread_mutex_unlock(&collector->host_lock);
	return hugepages ? limits.hugepages : limits.memory;
}

int64_t collector_available_mib(struct collector *collector, bool hugepages)
{
	struct host_round now = {0};

	/* What VMs reserve is known now; what the rest of the host uses, since the last round. */
	local_vms_sum(collector->vms, &now);
	return limit_mib(collector, hugepages) -
	       (hugepages ? now.vms_hugepages_mib : now.vms_memory_mib);
}

bool collector_reserve(struct collector *collector, const char *uuid, bool hugepages, int32_t mib,
	int64_t *available_mib)
{
	return local_vms_reserve(collector->vms, uuid, hugepages, mib,
		limit_mib(collector, hugepages), available_mib);
}

void collector_release(struct collector *collector, const char *uuid)
{
	local_vms_release(collector->vms, uuid);
}

int64_t collector_last_round(struct collector *collector)
{
	return atomic_load(&collector->last_round);
}

int64_t collector_heartbeat(struct collector *collector)
{
	return atomic_load(&collector->heartbeat);
}

/* Notes a VM; false when there is no room. Called with the lock held. */
static bool note_pending(struct collector *collector, const char *uuid)
{
	for (size_t i = 0; i < collector->n_pending; i++)
		if (str_equal(collector->pending[i], uuid))
			return true;
	if (collector->n_pending == MAX_PENDING)
		return false;
	str_copy(collector->pending[collector->n_pending++], UUID_TEXT_SIZE, uuid);
	return true;
}

void collector_on_event(void *context, enum hypervisor_event event, const char *uuid)
{
	struct collector *collector = context;

	(void)event; /* whatever it was, the VM is read again */
	pthread_mutex_lock(&collector->lock);
	bool noted = note_pending(collector, uuid);
	if (!noted)
		collector->round_wanted = true;
	pthread_cond_broadcast(&collector->wake);
	pthread_mutex_unlock(&collector->lock);
	if (!noted)
		local_vms_mark(collector->vms, uuid);
}

void collector_on_connection(void *context, bool connected)
{
	struct collector *collector = context;

	if (!connected)
		return;
	local_vms_mark(collector->vms, NULL); /* events may have been missed */
	pthread_mutex_lock(&collector->lock);
	collector->round_wanted = true;
	pthread_cond_broadcast(&collector->wake);
	pthread_mutex_unlock(&collector->lock);
}
