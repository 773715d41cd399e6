/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks the storage every few seconds; everything else is known already. */
#include "readiness.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "collector.h"
#include "lockspace_watch.h"
#include "recovery_watch.h"

#include <pthread.h>
#include <time.h>

#define CHECK_S        1
#define SILENT_MS      2000  /* without an answer the storage is said to hang */
#define REFUSE_MS      10000 /* and nothing is begun on it any more: it may be slow, and no more */
#define STOP_S         2
#define ROUND_GRACE_MS 15000

struct readiness {
	struct store *store;
	struct recovery_watch *recovery_watch;
	pthread_mutex_t lock; /* of everything below */
	pthread_cond_t changed;
	bool stopping, ended;
	int64_t good_ms;  /* monotonic time of the last check that passed */
	struct error err; /* of the last check */
};

static void readiness_free(struct readiness *readiness)
{
	pthread_cond_destroy(&readiness->changed);
	pthread_mutex_destroy(&readiness->lock);
	free(readiness);
}

/* Called with the lock held. */
static void wait_seconds(struct readiness *readiness, int seconds)
{
	clock_wait(&readiness->changed, &readiness->lock, clock_ms() + seconds * 1000);
}

/* A change is logged once. Called with the lock held. */
static void note_check(struct readiness *readiness, const struct error *err)
{
	bool was_good = !error_is_set(&readiness->err), is_good = !error_is_set(err);

	if (was_good && !is_good)
		log_error("storage cannot be used", "reason", err->message);
	else if (!was_good && is_good)
		log_info("storage can be used again");
	if (is_good && (!was_good || clock_ms() - readiness->good_ms > SILENT_MS))
		recovery_watch_wake(readiness->recovery_watch);
	readiness->err = *err;
	if (is_good)
		readiness->good_ms = clock_ms();
}

static void *watch_storage(void *context)
{
	struct readiness *readiness = context;

	pthread_mutex_lock(&readiness->lock);
	while (!readiness->stopping) {
		struct error err = {0};

		pthread_mutex_unlock(&readiness->lock);
		store_check(readiness->store, &err);
		pthread_mutex_lock(&readiness->lock);
		note_check(readiness, &err);
		if (!readiness->stopping)
			wait_seconds(readiness, CHECK_S);
	}
	readiness->ended = true;
	pthread_cond_signal(&readiness->changed);
	pthread_mutex_unlock(&readiness->lock);
	return NULL;
}

struct readiness *readiness_start(struct daemon *daemon, struct error *err)
{
	struct readiness *readiness = xcalloc(1, sizeof(*readiness));
	pthread_t thread;

	readiness->store = daemon->store;
	readiness->recovery_watch = daemon->recovery_watch;
	readiness->good_ms = clock_ms(); /* it was opened just now */
	pthread_mutex_init(&readiness->lock, NULL);
	pthread_cond_init(&readiness->changed, NULL);
	int failure = pthread_create(&thread, NULL, watch_storage, readiness);
	if (failure) {
		readiness_free(readiness);
		error_set_errno(err, ERR_UNAVAILABLE, failure, "starting a thread");
		return NULL;
	}
	pthread_detach(thread);
	return readiness;
}

bool readiness_stop(struct readiness *readiness)
{
	if (!readiness)
		return true;
	pthread_mutex_lock(&readiness->lock);
	readiness->stopping = true;
	pthread_cond_signal(&readiness->changed);
	for (int i = 0; i < STOP_S && !readiness->ended; i++)
		wait_seconds(readiness, 1);
	bool ended = readiness->ended;
	pthread_mutex_unlock(&readiness->lock);
	if (ended)
		readiness_free(readiness);
	return ended;
}

static int check_storage(struct readiness *readiness, int64_t silent_ms, struct error *err)
{
	pthread_mutex_lock(&readiness->lock);
	int64_t silent = clock_ms() - readiness->good_ms;
	if (error_is_set(&readiness->err))
		*err = readiness->err;
	pthread_mutex_unlock(&readiness->lock);
	if (error_is_set(err))
		err->code = ERR_UNAVAILABLE; /* the reason names the storage itself */
	else if (silent > silent_ms)
		error_set(err, ERR_UNAVAILABLE, "storage: no answer for %lld s",
			(long long)silent / 1000);
	return error_is_set(err) ? -1 : 0;
}

int readiness_check_storage(struct readiness *readiness, struct error *err)
{
	return check_storage(readiness, REFUSE_MS, err);
}

int readiness_check(struct daemon *daemon, struct error *err)
{
	int64_t round = collector_last_round(daemon->collector);
	int64_t age = clock_ms() - round;
	char why[256];

	if (!hypervisor_is_connected(daemon->hypervisor, why, sizeof(why)))
		return error_set(err, ERR_UNAVAILABLE, "libvirt: %s", why);
	if (check_storage(daemon->readiness, SILENT_MS, err) < 0)
		return -1;
	if (lockspace_watch_check(daemon->lockspace, err) < 0)
		return -1;
	if (!round)
		return error_set(err, ERR_UNAVAILABLE, "VMs were not collected yet");
	if (age > 2 * daemon->settings.collect_interval * 1000 + ROUND_GRACE_MS)
		return error_set(err, ERR_UNAVAILABLE, "VMs were last collected %lld s ago",
			(long long)age / 1000);
	return 0;
}
