/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mark of this host, and the thread that empties it: see drain_host.h. */
#include "drain_host.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "drain_moves.h"
#include "membership.h"
#include "operations.h"
#include "peers.h"
#include "storage/drain_mark.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>

#define KIND      "drain"
#define CHANGE_MS 5000  /* one waits so long for another change */
#define HOSTS_MS  60000 /* a start waits so long for another host */
#define STEP_MS   500

struct drain_host {
	struct daemon *daemon;
	atomic_bool stopping;
	bool resumes;         /* what the last run left is to be gone on with */
	pthread_mutex_t lock; /* of everything below; not held while anything is written */
	pthread_cond_t changed;
	bool changing;               /* somebody changes the mark, in several steps */
	struct operation *operation; /* NULL: none runs; set during a change */
};

struct drain_host *drain_host_new(struct daemon *daemon)
{
	struct drain_host *drain = xcalloc(1, sizeof(*drain));
	struct error err = {0};
	enum drain_mark mark;

	drain->daemon = daemon;
	pthread_mutex_init(&drain->lock, NULL);
	pthread_cond_init(&drain->changed, NULL);
	if (drain_mark_load(daemon->store, &mark, &err) < 0)
		log_error("whether this host is drained is not known", "reason", err.message);
	else if (mark != DRAIN_MARK_NONE)
		log_info("this host is drained: it takes no VMs");
	atomic_store(&daemon->drained, mark != DRAIN_MARK_NONE);
	inventory_set_drained(daemon->inventory, daemon->host_uuid, mark != DRAIN_MARK_NONE);
	drain->resumes = mark == DRAIN_MARK_MOVING;
	if (drain->resumes)
		drain->operation = operations_resume(daemon->operations, KIND, daemon->host_uuid);
	return drain;
}

void drain_host_free(struct drain_host *drain)
{
	if (!drain)
		return;
	pthread_cond_destroy(&drain->changed);
	pthread_mutex_destroy(&drain->lock);
	free(drain);
}

void drain_host_interrupt(struct drain_host *drain)
{
	if (drain)
		atomic_store(&drain->stopping, true);
}

bool drain_host_is_drained(const struct daemon *daemon)
{
	return atomic_load(&daemon->drained);
}

int drain_host_check(const struct daemon *daemon, struct error *err)
{
	if (!drain_host_is_drained(daemon))
		return 0;
	error_set(err, ERR_DRAINED, "host %s is drained: it takes no VMs", daemon->host_name);
	return error_hint(err, "virtx undrain host %s, or choose another host", daemon->host_name);
}

/* ---- the mark ---- */

/* One change at a time; ended by end_change(). */
static int begin_change(struct drain_host *drain, struct error *err)
{
	int64_t deadline = clock_ms() + CHANGE_MS;

	pthread_mutex_lock(&drain->lock);
	while (drain->changing && clock_wait(&drain->changed, &drain->lock, deadline) != ETIMEDOUT)
		;
	bool mine = !drain->changing;
	drain->changing = true;
	pthread_mutex_unlock(&drain->lock);
	return mine ? 0
		    : error_set(err, ERR_BUSY, "the mark of host %s is being changed",
			      drain->daemon->host_name);
}

static void end_change(struct drain_host *drain)
{
	pthread_mutex_lock(&drain->lock);
	drain->changing = false;
	pthread_cond_broadcast(&drain->changed);
	pthread_mutex_unlock(&drain->lock);
}

/* Tells everybody; the mark is written. */
static void set_drained(struct daemon *daemon, bool drained)
{
	atomic_store(&daemon->drained, drained);
	inventory_set_drained(daemon->inventory, daemon->host_uuid, drained);
	if (daemon->membership)
		membership_tell_tags(daemon->membership);
	log_info(drained ? "this host is drained: it takes no VMs" : "this host takes VMs again");
}

static void save_or_complain(struct drain_host *drain, enum drain_mark mark)
{
	struct error err = {0};

	if (drain_mark_save(drain->daemon->store, mark, &err) < 0)
		log_warning("mark of the drained host not written", "reason", err.message);
}

static void set_operation(struct drain_host *drain, struct operation *operation)
{
	pthread_mutex_lock(&drain->lock);
	drain->operation = operation;
	pthread_mutex_unlock(&drain->lock);
}

/* ---- moving ---- */

/* A start knows no other host until serf has named them and they have proven themselves. */
static void wait_for_hosts(struct drain_host *drain)
{
	struct daemon *daemon = drain->daemon;
	const atomic_bool *cancel = operation_cancel_flag(drain->operation);
	int64_t deadline = clock_ms() + HOSTS_MS;

	operation_progress(drain->operation, "waits for other hosts", 0);
	while (clock_ms() < deadline && !atomic_load(cancel) && !atomic_load(&drain->stopping)) {
		cleanup_free struct peer *peers = NULL;

		if (peers_list_proven(daemon->peers, &peers) > 0)
			return;
		poll(NULL, 0, STEP_MS);
	}
}

/* Called during a change. A mark that was taken away meanwhile stays away. */
static void conclude(struct drain_host *drain, struct operation *operation, const struct error *err)
{
	if (drain_host_is_drained(drain->daemon))
		save_or_complain(drain, DRAIN_MARK_DONE);
	set_operation(drain, NULL);
	operation_end(operation, err);
}

static void finish(struct drain_host *drain, struct operation *operation, const struct error *err)
{
	struct error busy = {0};

	while (begin_change(drain, &busy) < 0)
		error_clear(&busy);
	conclude(drain, operation, err);
	end_change(drain);
}

static void *empty_host(void *context)
{
	struct drain_host *drain = context;
	struct operation *operation = drain->operation; /* nobody else changes it while it runs */
	struct error err = {0};

	if (drain->resumes)
		wait_for_hosts(drain);
	drain_moves_run(drain->daemon, operation, &drain->stopping, &err);
	/* The next start goes on with it, under the same id. */
	if (!atomic_load(&drain->stopping))
		finish(drain, operation, &err);
	return NULL;
}

/* Detached: where it is when the daemon stops does not matter. Called during a change. */
static int start_thread(struct drain_host *drain, struct operation *operation, struct error *err)
{
	pthread_t thread;
	int failure = pthread_create(&thread, NULL, empty_host, drain);

	if (failure == 0) {
		pthread_detach(thread);
		return 0;
	}
	error_set_errno(err, ERR_UNAVAILABLE, failure, "starting a thread");
	conclude(drain, operation, err);
	return -1;
}

/* Called during a change. */
static int begin_operation(struct drain_host *drain, struct error *err)
{
	struct daemon *daemon = drain->daemon;
	struct operation *operation = operations_begin(
		daemon->operations, KIND, daemon->host_uuid, daemon->host_name, NULL, err);

	if (!operation)
		return -1;
	operation_detach(operation);
	set_operation(drain, operation);
	return 0;
}

void drain_host_resume(struct drain_host *drain)
{
	struct error err = {0};

	if (begin_change(drain, &err) == 0) {
		if (drain->resumes && (drain->operation || begin_operation(drain, &err) == 0))
			start_thread(drain, drain->operation, &err);
		end_change(drain);
	}
	if (error_is_set(&err))
		log_error("the drain of this host does not go on", "reason", err.message);
}

/* The one that runs: true and its id, or err when it is to end. */
static bool is_running(struct drain_host *drain, char id[static UUID_TEXT_SIZE], struct error *err)
{
	pthread_mutex_lock(&drain->lock);
	const struct operation *operation = drain->operation;
	if (operation) {
		str_copy(id, UUID_TEXT_SIZE, operation_id(operation));
		if (atomic_load(operation_cancel_flag(operation)))
			error_set(err, ERR_BUSY, "an earlier drain of host %s is being cancelled",
				drain->daemon->host_name);
	}
	pthread_mutex_unlock(&drain->lock);
	return operation;
}

static int begin(struct drain_host *drain, char id[static UUID_TEXT_SIZE], struct error *err)
{
	struct daemon *daemon = drain->daemon;

	if (drain_mark_save(daemon->store, DRAIN_MARK_MOVING, err) < 0)
		return -1;
	if (begin_operation(drain, err) < 0) {
		save_or_complain(
			drain, drain_host_is_drained(daemon) ? DRAIN_MARK_DONE : DRAIN_MARK_NONE);
		return -1;
	}
	str_copy(id, UUID_TEXT_SIZE, operation_id(drain->operation));
	set_drained(daemon, true);
	drain->resumes = false;
	return start_thread(drain, drain->operation, err);
}

int drain_host_begin(struct drain_host *drain, char id[static UUID_TEXT_SIZE], struct error *err)
{
	if (begin_change(drain, err) < 0)
		return -1;
	int result = is_running(drain, id, err) ? 0 : begin(drain, id, err);
	end_change(drain);
	return error_is_set(err) ? -1 : result;
}

int drain_host_lift(struct drain_host *drain, struct error *err)
{
	struct error ignored = {0};
	char id[UUID_TEXT_SIZE];

	if (begin_change(drain, err) < 0)
		return -1;
	int result = drain_mark_save(drain->daemon->store, DRAIN_MARK_NONE, err);
	if (result == 0 && drain_host_is_drained(drain->daemon))
		set_drained(drain->daemon, false);
	drain->resumes = drain->resumes && result < 0;
	if (result == 0 && is_running(drain, id, &ignored))
		operations_cancel(drain->daemon->operations, id, &ignored);
	end_change(drain);
	return result;
}
