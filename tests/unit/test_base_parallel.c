/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/parallel.h: each once, no more at a time than allowed, and as many as that. */
#include "base/parallel.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
/* cmocka needs those before it */
#include <cmocka.h>

#define COUNT 50

static atomic_uint done[COUNT], at_once, most;

static void work(void *context, size_t index)
{
	unsigned now = atomic_fetch_add(&at_once, 1) + 1, before = atomic_load(&most);

	assert_ptr_equal(context, &most);
	while (now > before && !atomic_compare_exchange_weak(&most, &before, now))
		;
	atomic_fetch_add(&done[index], 1);
	poll(NULL, 0, 2);
	atomic_fetch_sub(&at_once, 1);
}

static void test_each_once(void **state)
{
	static const struct {
		size_t count, threads;
	} rows[] = {{0, 3}, {1, 8}, {COUNT, 1}, {COUNT, 4}, {3, 100}};

	(void)state;
	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		atomic_store(&most, 0);
		for (size_t i = 0; i < COUNT; i++)
			atomic_store(&done[i], 0);
		parallel_each(rows[r].count, rows[r].threads, work, &most);
		for (size_t i = 0; i < COUNT; i++)
			assert_int_equal(atomic_load(&done[i]), i < rows[r].count);
		assert_true(atomic_load(&most) <= rows[r].threads);
	}
}

static atomic_uint here;

/* Returns when all are here, so that it never would one after the other. */
static void meet(void *context, size_t index)
{
	(void)context;
	(void)index;
	atomic_fetch_add(&here, 1);
	for (int i = 0; atomic_load(&here) < 4 && i < 10000; i++)
		poll(NULL, 0, 1);
	assert_int_equal(atomic_load(&here), 4);
}

static void test_at_a_time(void **state)
{
	(void)state;
	parallel_each(4, 4, meet, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_once),
		cmocka_unit_test(test_at_a_time),
	};

	return cmocka_run_group_tests_name("parallel", tests, NULL, NULL);
}
