/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the serf client share: a recorder of its callbacks, and waiting. */
#ifndef SERF_FIXTURE_H
#define SERF_FIXTURE_H

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/serf.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Waits for a condition, at most so many seconds; its last value. */
#define wait_for(seconds, condition)                                              \
	({                                                                        \
		int64_t wait_end = clock_ms() + (seconds)*1000;                   \
		bool wait_met;                                                    \
		while (!(wait_met = (condition)) && clock_ms() < wait_end)        \
			nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL); \
		wait_met;                                                         \
	})

/* What the callbacks told so far. */
struct recorder {
	pthread_mutex_t lock;
	unsigned connected, disconnected, events;
	unsigned lists[SERF_MEMBERS_REAPED + 1]; /* by enum serf_change */
	size_t members;                          /* in the last list of all */
	char member[SERF_MAX_NAME + 1]; /* the last one something happened to, or last of all */
	char uuid[SERF_MAX_NAME + 1];   /* its tag */
	char address[INET6_ADDRSTRLEN];
	char name[SERF_MAX_NAME + 1]; /* of the last event */
	char payload[1024];
	size_t payload_len;
	struct error cause;
};

static inline void record_connected(void *context)
{
	struct recorder *recorder = context;

	pthread_mutex_lock(&recorder->lock);
	recorder->connected++;
	pthread_mutex_unlock(&recorder->lock);
}

static inline void record_disconnected(void *context, const struct error *cause)
{
	struct recorder *recorder = context;

	pthread_mutex_lock(&recorder->lock);
	recorder->disconnected++;
	recorder->cause = *cause;
	pthread_mutex_unlock(&recorder->lock);
}

static inline void record_members(
	void *context, enum serf_change change, const struct serf_member *members, size_t count)
{
	struct recorder *recorder = context;

	pthread_mutex_lock(&recorder->lock);
	recorder->lists[change]++;
	if (change == SERF_MEMBERS_ALL)
		recorder->members = count;
	if (count > 0) {
		const struct serf_member *last = &members[count - 1];
		const char *uuid = serf_member_tag(last, "uuid");

		str_copy(recorder->member, sizeof(recorder->member), last->name);
		str_copy(recorder->uuid, sizeof(recorder->uuid), uuid ? uuid : "");
		str_copy(recorder->address, sizeof(recorder->address), last->address);
	}
	pthread_mutex_unlock(&recorder->lock);
}

static inline void record_event(void *context, const char *name, const void *payload, size_t len)
{
	struct recorder *recorder = context;

	pthread_mutex_lock(&recorder->lock);
	recorder->events++;
	str_copy(recorder->name, sizeof(recorder->name), name);
	recorder->payload_len = len;
	if (len > 0 && len <= sizeof(recorder->payload))
		memcpy(recorder->payload, payload, len);
	pthread_mutex_unlock(&recorder->lock);
}

/* Evaluates an expression about a recorder while nothing is recorded. */
#define recorded(recorder, expression)                     \
	({                                                 \
		pthread_mutex_lock(&(recorder)->lock);     \
		__typeof__(expression) value = expression; \
		pthread_mutex_unlock(&(recorder)->lock);   \
		value;                                     \
	})

/* Those that run, so that a test that fails leaves none behind. */
static struct serf *clients[8];

/* Ends one; NULL: all. */
static inline void client_stop(struct serf *serf)
{
	for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++)
		if (clients[i] && (!serf || clients[i] == serf)) {
			serf_stop(clients[i]);
			clients[i] = NULL;
		}
}

/* A client with short times; its recorder starts anew. */
static inline struct serf *client_start(
	struct recorder *recorder, const char *address, const char *key)
{
	struct serf_config config = {
		.address = address,
		.key = key,
		.retry_ms = 100,
		.answer_ms = 3000,
		.refresh_ms = 500,
		.on_connected = record_connected,
		.on_disconnected = record_disconnected,
		.on_members = record_members,
		.on_event = record_event,
		.context = recorder,
	};
	struct error err = {0};
	size_t at = 0;

	*recorder = (struct recorder){0};
	pthread_mutex_init(&recorder->lock, NULL);
	struct serf *serf = serf_start(&config, &err);
	if (!serf)
		fail_msg("%s", err.message);
	while (clients[at])
		at++;
	clients[at] = serf;
	return serf;
}

/* It has been told who the members are. */
static inline bool knows_members(struct recorder *recorder)
{
	return recorded(recorder, recorder->lists[SERF_MEMBERS_ALL]) > 0;
}

static inline bool is_connected(struct serf *serf)
{
	struct error err = {0};

	return serf_check(serf, &err) == 0;
}

#endif
