/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls that are left behind: who owns the argument, and when. */
#include "base/clock.h"
#include "base/deadline.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct work {
	sem_t go, discarded;
	bool ran;
};

static void run_at_once(void *argument)
{
	struct work *work = argument;

	work->ran = true;
}

static void run_when_told(void *argument)
{
	struct work *work = argument;

	sem_wait(&work->go);
	work->ran = true;
}

static void discard(void *argument)
{
	struct work *work = argument;

	sem_post(&work->discarded);
}

static void work_init(struct work *work)
{
	*work = (struct work){0};
	sem_init(&work->go, 0, 0);
	sem_init(&work->discarded, 0, 0);
}

static void test_returns_in_time(void **unused)
{
	struct work work;

	(void)unused;
	work_init(&work);
	assert_true(deadline_run(run_at_once, discard, &work, 10000));
	assert_true(work.ran);
	assert_int_equal(sem_trywait(&work.discarded), -1);
}

static void test_left_behind(void **unused)
{
	struct timespec until;
	struct work work;
	int64_t began = clock_ms();

	(void)unused;
	work_init(&work);
	assert_false(deadline_run(run_when_told, discard, &work, 50));
	assert_in_range(clock_ms() - began, 50, 5000);
	assert_int_equal(sem_trywait(&work.discarded), -1);
	sem_post(&work.go);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 10;
	assert_int_equal(sem_timedwait(&work.discarded, &until), 0);
	assert_true(work.ran);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_returns_in_time),
		cmocka_unit_test(test_left_behind),
	};

	return cmocka_run_group_tests_name("hypervisor_deadline", tests, NULL, NULL);
}
