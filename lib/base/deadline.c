/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A call with a deadline: whoever comes last, caller or thread, frees what they share. */
#include "base/deadline.h"

#include "base/clock.h"
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

static struct call *call_new(void (*run)(void *), void (*discard)(void *), void *argument)
{
	struct call *call = xcalloc(1, sizeof(*call));

	call->run = run;
	call->discard = discard;
	call->argument = argument;
	pthread_mutex_init(&call->lock, NULL);
	pthread_cond_init(&call->finished, NULL);
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
	int64_t until = clock_ms() + timeout_ms;
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
		status = clock_wait(&call->finished, &call->lock, until);
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
