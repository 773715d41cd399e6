/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When a host may send an event, and when gossip is full. */
#include "applets/virtxd/gossip_room.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those before it */
#include <cmocka.h>

static unsigned take_all(struct gossip_room *room)
{
	unsigned count = 0;

	while (gossip_room_take(room))
		count++;
	return count;
}

static void test_one_host_leaves_room_for_others(void **state)
{
	struct gossip_room room = {0};

	(void)state;
	assert_int_equal(take_all(&room), 0);
	gossip_room_update(&room, 1000000, 0);
	assert_int_equal(take_all(&room), GOSSIP_OWN_EVENTS);
	gossip_room_update(&room, 1000000 + 1000 / GOSSIP_OWN_EVENTS, 0);
	assert_int_equal(take_all(&room), 1);
	/* A long rest is worth no more than a second. */
	gossip_room_update(&room, 9000000, 0);
	assert_int_equal(take_all(&room), GOSSIP_OWN_EVENTS);
}

static void test_others_fill_it(void **state)
{
	struct gossip_room room = {0};

	(void)state;
	gossip_room_update(&room, 1000000, 0);
	/* As many as gossip carries. */
	for (int64_t now = 1000000; now < 1010000; now += 1000)
		gossip_room_update(&room, now, now == 1000000 ? 0 : GOSSIP_EVENTS);
	assert_true(gossip_room_take(&room));
	gossip_room_update(&room, 1010000, 2 * GOSSIP_EVENTS);
	assert_false(gossip_room_take(&room));
	gossip_room_update(&room, 1012000, 0);
	assert_true(gossip_room_take(&room));
}

static void test_it_is_forgotten(void **state)
{
	struct gossip_room room = {0};

	(void)state;
	gossip_room_update(&room, 1000000, 1000000);
	gossip_room_update(&room, 1000000 + GOSSIP_CALM_MS, 0);
	assert_false(gossip_room_take(&room));
	gossip_room_update(&room, 1000000 + GOSSIP_CALM_MS + 1000, 0);
	assert_true(gossip_room_take(&room));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_host_leaves_room_for_others),
		cmocka_unit_test(test_others_fill_it),
		cmocka_unit_test(test_it_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
