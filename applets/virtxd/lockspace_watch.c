/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's place in the lockspace: see lockspace_watch.h. */
#include "lockspace_watch.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "recovery_watch.h"
#include "seed_lease.h"
#include "storage/lockspace.h"

#include <pthread.h>

#define CHECK_S 2
#define STOP_S  2

struct lockspace_watch {
	struct daemon *daemon;
	atomic_bool stopping;
	pthread_mutex_t lock; /* of everything below */
	pthread_cond_t changed;
	bool ended, tried;
	struct error err; /* why the host is not in the lockspace; empty: it is */
};

static void watch_free(struct lockspace_watch *watch)
{
	pthread_cond_destroy(&watch->changed);
	pthread_mutex_destroy(&watch->lock);
	free(watch);
}

/* Called with the lock held. */
static void wait_seconds(struct lockspace_watch *watch, int seconds)
{
	clock_wait(&watch->changed, &watch->lock, clock_ms() + seconds * 1000);
}

/* A change is logged once. True when the host is in it and was not before. */
static bool note(struct lockspace_watch *watch, unsigned id, const struct error *err)
{
	pthread_mutex_lock(&watch->lock);
	bool member = !error_is_set(err), before = !error_is_set(&watch->err);

	if (member && !before)
		log_info("in the lockspace", "lockid", LOG_NUM(id));
	else if (!member && before)
		log_error("not in the lockspace any more", "reason", err->message, "hint",
			err->hint[0] ? err->hint : NULL);
	watch->err = *err;
	pthread_mutex_unlock(&watch->lock);
	atomic_store(&watch->daemon->lockid, member ? id : 0);
	return member && !before;
}

/* One look, and what it asks for. */
static void keep(struct lockspace_watch *watch)
{
	const struct store *store = watch->daemon->store;
	struct error err = {0};
	unsigned id;

	if (lockspace_check(store, &id, &err) < 0) {
		note(watch, 0, &err); /* known while the joining takes its time */
		error_clear(&err);
		lockspace_join(store, &watch->stopping, &id, &err);
	}
	bool gained = note(watch, id, &err);
	pthread_mutex_lock(&watch->lock);
	watch->tried = true;
	pthread_mutex_unlock(&watch->lock);
	/* What could not be settled for want of leases can be now. */
	if (gained)
		recovery_watch_wake(watch->daemon->recovery_watch);
	if (!error_is_set(&err))
		seed_leases_sweep(watch->daemon);
}

static void *watch_lockspace(void *context)
{
	struct lockspace_watch *watch = context;

	while (!atomic_load(&watch->stopping)) {
		keep(watch);
		pthread_mutex_lock(&watch->lock);
		if (!atomic_load(&watch->stopping))
			wait_seconds(watch, CHECK_S);
		pthread_mutex_unlock(&watch->lock);
	}
	pthread_mutex_lock(&watch->lock);
	watch->ended = true;
	pthread_cond_signal(&watch->changed);
	pthread_mutex_unlock(&watch->lock);
	return NULL;
}

struct lockspace_watch *lockspace_watch_start(struct daemon *daemon, struct error *err)
{
	struct lockspace_watch *watch = xcalloc(1, sizeof(*watch));
	pthread_t thread;

	watch->daemon = daemon;
	error_set(&watch->err, ERR_UNAVAILABLE, "this host has not joined the lockspace yet");
	pthread_mutex_init(&watch->lock, NULL);
	pthread_cond_init(&watch->changed, NULL);
	int failure = pthread_create(&thread, NULL, watch_lockspace, watch);
	if (failure) {
		watch_free(watch);
		error_set_errno(err, ERR_UNAVAILABLE, failure, "starting a thread");
		return NULL;
	}
	pthread_detach(thread);
	return watch;
}

bool lockspace_watch_stop(struct lockspace_watch *watch)
{
	if (!watch)
		return true;
	pthread_mutex_lock(&watch->lock);
	atomic_store(&watch->stopping, true);
	pthread_cond_signal(&watch->changed);
	for (int i = 0; i < STOP_S && !watch->ended; i++)
		wait_seconds(watch, 1);
	bool ended = watch->ended;
	pthread_mutex_unlock(&watch->lock);
	if (ended)
		watch_free(watch);
	return ended;
}

int lockspace_watch_check(struct lockspace_watch *watch, struct error *err)
{
	if (!watch)
		return 0;
	pthread_mutex_lock(&watch->lock);
	if (error_is_set(&watch->err))
		*err = watch->err;
	pthread_mutex_unlock(&watch->lock);
	return error_is_set(err) ? error_prefix(err, "lockspace") : 0;
}

bool lockspace_watch_has_tried(struct lockspace_watch *watch)
{
	pthread_mutex_lock(&watch->lock);
	bool tried = watch->tried;
	pthread_mutex_unlock(&watch->lock);
	return tried;
}
