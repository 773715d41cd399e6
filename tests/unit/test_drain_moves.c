/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which way a VM can leave a host, by its state; the rest needs hosts (drain_host.t,
 * hosts_drain.t). */
#include "applets/virtxd/drain_moves.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka needs those before it */
#include <cmocka.h>

static void test_ways(void **state)
{
	static const enum drain_way ways[] = {
		[RUNSTATE_NONE] = DRAIN_NEVER,
		[RUNSTATE_DELETED] = DRAIN_NEVER,
		[RUNSTATE_POWEROFF] = DRAIN_COLD,
		[RUNSTATE_STARTUP] = DRAIN_LATER,
		[RUNSTATE_RUNNING] = DRAIN_LIVE,
		[RUNSTATE_PAUSED] = DRAIN_LIVE,
		[RUNSTATE_MIGRATING] = DRAIN_LATER,
		[RUNSTATE_TERMINATING] = DRAIN_LATER,
		[RUNSTATE_PMSUSPENDED] = DRAIN_NEVER,
		[RUNSTATE_CRASHED] = DRAIN_COLD,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		assert_int_equal(drain_way_of((enum runstate)i), ways[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_ways)};

	return cmocka_run_group_tests_name("drain_moves", tests, NULL, NULL);
}
