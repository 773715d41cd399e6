/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the hypervisor module share: a recorder of its callbacks, waiting, folders. */
#ifndef HYPERVISOR_FIXTURE_H
#define HYPERVISOR_FIXTURE_H

#include "base/clock.h"
#include "base/deadline.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/str.h"
#include "folder_fixture.h"
#include "hypervisor/hypervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define ORDINARY_UID 65534 /* nobody */

/* Waits for a condition, at most so many seconds; its last value. */
#define wait_for(seconds, condition)                                              \
	({                                                                        \
		int64_t wait_end = clock_ms() + (seconds)*1000;                   \
		bool wait_met;                                                    \
		while (!(wait_met = (condition)) && clock_ms() < wait_end)        \
			nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL); \
		wait_met;                                                         \
	})

struct recorder {
	atomic_int events[3]; /* by enum hypervisor_event */
	atomic_int connected, lost;
	char uuid[UUID_TEXT_SIZE]; /* the only one events are counted of; "": all */
};

static inline void record_event(void *context, enum hypervisor_event event, const char *uuid)
{
	struct recorder *recorder = context;

	if (!*recorder->uuid || str_equal(recorder->uuid, uuid))
		atomic_fetch_add(&recorder->events[event], 1);
}

static inline void record_connection(void *context, bool connected)
{
	struct recorder *recorder = context;

	atomic_fetch_add(connected ? &recorder->connected : &recorder->lost, 1);
}

static inline struct hypervisor *start(
	const char *uri, struct recorder *recorder, struct error *err)
{
	struct hypervisor_config config = {.uri = uri,
		.reconnect_ms = 200,
		.on_event = record_event,
		.on_connection = record_connection,
		.context = recorder};

	return hypervisor_start(&config, err);
}

static inline void folder_remove(const char *path)
{
	struct error err = {0};
	struct process rm = {
		.argv = (const char *const[]){"rm", "-rf", "--", path, NULL}, .timeout_s = 30};

	if (process_run(&rm, NULL, &err))
		fprintf(stderr, "%s\n", err.message);
}

#endif
