/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is left is tried again: see recovery_watch.h. */
#include "recovery_watch.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "recovery.h"

#include <pthread.h>

#define RETRY_MS     1000
#define RETRY_MAX_MS 60000
#define STOP_MS      2000

struct recovery_watch {
	struct daemon *daemon;
	pthread_mutex_t lock; /* of everything below; not held while anything is settled */
	pthread_cond_t changed;
	bool started, stopping, ended;
	char (*vms)[UUID_TEXT_SIZE]; /* to be tried again */
	size_t count;
	int64_t at_ms, after_ms; /* when (0: not said), and how long after that the next time */
};

struct recovery_watch *recovery_watch_new(struct daemon *daemon)
{
	struct recovery_watch *watch = xcalloc(1, sizeof(*watch));

	watch->daemon = daemon;
	pthread_mutex_init(&watch->lock, NULL);
	pthread_cond_init(&watch->changed, NULL);
	return watch;
}

static void watch_free(struct recovery_watch *watch)
{
	pthread_cond_destroy(&watch->changed);
	pthread_mutex_destroy(&watch->lock);
	free(watch->vms);
	free(watch);
}

/* Called with the lock held. */
static bool is_noted(const struct recovery_watch *watch, const char *vm)
{
	for (size_t i = 0; i < watch->count; i++)
		if (str_equal(watch->vms[i], vm))
			return true;
	return false;
}

/* Called with the lock held. */
static void add(struct recovery_watch *watch, const char *vm)
{
	if (is_noted(watch, vm))
		return;
	watch->vms = xreallocarray(watch->vms, watch->count + 1, sizeof(*watch->vms));
	str_copy(watch->vms[watch->count++], UUID_TEXT_SIZE, vm);
}

/* The next try comes after wait_ms at the latest. Called with the lock held. */
static void hurry(struct recovery_watch *watch, int64_t wait_ms)
{
	int64_t at = clock_ms() + wait_ms;

	if (watch->at_ms > at || watch->at_ms == 0)
		watch->at_ms = at;
	watch->after_ms = RETRY_MS;
	pthread_cond_signal(&watch->changed);
}

void recovery_watch_note(struct recovery_watch *watch, const char *vm)
{
	if (!watch)
		return;
	pthread_mutex_lock(&watch->lock);
	if (watch->count == 0)
		watch->at_ms = 0;
	add(watch, vm);
	hurry(watch, RETRY_MS);
	pthread_mutex_unlock(&watch->lock);
}

void recovery_watch_wake(struct recovery_watch *watch)
{
	if (!watch)
		return;
	pthread_mutex_lock(&watch->lock);
	hurry(watch, 0);
	pthread_mutex_unlock(&watch->lock);
}

/* One try of each. Called with the lock held; releases it meanwhile. */
static void try_all(struct recovery_watch *watch)
{
	cleanup_free char(*vms)[UUID_TEXT_SIZE] = steal(&watch->vms);
	size_t count = watch->count;

	watch->count = 0;
	watch->at_ms = clock_ms() + watch->after_ms;
	watch->after_ms = watch->after_ms * 2 < RETRY_MAX_MS ? watch->after_ms * 2 : RETRY_MAX_MS;
	for (size_t i = 0; i < count; i++) {
		pthread_mutex_unlock(&watch->lock);
		bool settled = recovery_retry(watch->daemon, vms[i]);
		pthread_mutex_lock(&watch->lock);
		if (!settled)
			add(watch, vms[i]);
	}
}

static void *watch_recovery(void *context)
{
	struct recovery_watch *watch = context;

	pthread_mutex_lock(&watch->lock);
	while (!watch->stopping) {
		if (watch->count > 0 && clock_ms() >= watch->at_ms)
			try_all(watch);
		else
			clock_wait(&watch->changed, &watch->lock,
				watch->count > 0 ? watch->at_ms : clock_ms() + RETRY_MAX_MS);
	}
	watch->ended = true;
	pthread_cond_signal(&watch->changed);
	pthread_mutex_unlock(&watch->lock);
	return NULL;
}

int recovery_watch_start(struct recovery_watch *watch, struct error *err)
{
	pthread_t thread;
	int failure = pthread_create(&thread, NULL, watch_recovery, watch);

	if (failure)
		return error_set_errno(err, ERR_UNAVAILABLE, failure, "starting a thread");
	pthread_detach(thread);
	watch->started = true;
	return 0;
}

bool recovery_watch_stop(struct recovery_watch *watch)
{
	int64_t end = clock_ms() + STOP_MS;

	if (!watch)
		return true;
	pthread_mutex_lock(&watch->lock);
	watch->stopping = true;
	pthread_cond_signal(&watch->changed);
	while (watch->started && !watch->ended && clock_ms() < end)
		clock_wait(&watch->changed, &watch->lock, end);
	bool ended = !watch->started || watch->ended;
	pthread_mutex_unlock(&watch->lock);
	if (ended)
		watch_free(watch);
	return ended;
}
