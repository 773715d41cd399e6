/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A call with a deadline: whoever comes last, caller or thread, frees what they share. */
#include "hypervisor/deadline.h"

#include "base/mem.h"

#include <errno.h>
#include <pthread.h>

struct call {
	void (*run)(void *argument);
	void (*discard)(void *argument);
	void *argument;
	pthread_mutex_t lock;
	pthread_cond_t finished;
	bool done, abandoned; /* under lock */
};

int64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct timespec monotonic_after(unsigned milliseconds)
{
	int64_t at = monotonic_ms() + milliseconds;

	return (struct timespec){.tv_sec = at / 1000, .tv_nsec = at % 1000 * 1000000};
}

static struct call *call_new(void (*run)(void *), void (*discard)(void *), void *argument)
{
	struct call *call = xcalloc(1, sizeof(*call));
	pthread_condattr_t attributes;

	call->run = run;
	call->discard = discard;
	call->argument = argument;
	pthread_mutex_init(&call->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&call->finished, &attributes);
	pthread_condattr_destroy(&attributes);
	return call;
}

static void call_free(struct call *call)
{
	pthread_cond_destroy(&call->finished);
	pthread_mutex_destroy(&call->lock);
	free(call);
}

static void *call_main(void *data)
{
	struct call *call = data;
	bool abandoned;

	call->run(call->argument);
	pthread_mutex_lock(&call->lock);
	call->done = true;
	abandoned = call->abandoned;
	pthread_cond_signal(&call->finished);
	pthread_mutex_unlock(&call->lock);
	if (abandoned) {
		call->discard(call->argument);
		call_free(call);
	}
	return NULL;
}

bool deadline_run(void (*run)(void *), void (*discard)(void *), void *argument, unsigned timeout_ms)
{
	struct call *call = call_new(run, discard, argument);
	struct timespec until = monotonic_after(timeout_ms);
	pthread_t thread;
	bool done;
	int status = 0;

	if (pthread_create(&thread, NULL, call_main, call)) {
		discard(argument);
		call_free(call);
		return false;
	}
	pthread_mutex_lock(&call->lock);
	while (!call->done && status != ETIMEDOUT)
		status = pthread_cond_timedwait(&call->finished, &call->lock, &until);
	done = call->done;
	call->abandoned = !done;
	pthread_mutex_unlock(&call->lock);
	if (!done) {
		pthread_detach(thread);
		return false;
	}
	pthread_join(thread, NULL);
	call_free(call);
	return true;
}
