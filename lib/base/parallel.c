/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads that take the next index each: see parallel.h. */
#include "base/parallel.h"

#include "base/mem.h"

#include <pthread.h>
#include <stdatomic.h>

struct parallel {
	size_t count;
	atomic_size_t next;
	void (*work)(void *context, size_t index);
	void *context;
};

static void *take_next(void *argument)
{
	struct parallel *parallel = argument;
	size_t i;

	while ((i = atomic_fetch_add(&parallel->next, 1)) < parallel->count)
		parallel->work(parallel->context, i);
	return NULL;
}

void parallel_each(
	size_t count, size_t threads, void (*work)(void *context, size_t index), void *context)
{
	struct parallel parallel = {.count = count, .work = work, .context = context};
	size_t most = threads < count ? threads : count, started = 0;
	cleanup_free pthread_t *others = xcalloc(most + 1, sizeof(*others));

	while (started + 1 < most &&
		pthread_create(&others[started], NULL, take_next, &parallel) == 0)
		started++;
	take_next(&parallel);
	while (started > 0)
		pthread_join(others[--started], NULL);
}
