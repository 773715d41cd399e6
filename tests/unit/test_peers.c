/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who the members are and which of them are believed; with requests it is tested in test_forward.c.
 */
#include "applets/virtxd/peers.h"
#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka needs those before it */
#include <cmocka.h>
#include <netinet/in.h>

#define OWN_UUID   "aaaaaaaa-0000-0000-0000-000000000001"
#define OTHER_UUID "bbbbbbbb-0000-0000-0000-000000000002"

static struct peers *peers;

static int set_up(void **state)
{
	(void)state;
	peers = peers_new(OWN_UUID, false);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	peers_free(peers);
	return 0;
}

static struct peer other(void)
{
	return (struct peer){.name = "virt2",
		.uuid = OTHER_UUID,
		.address = "127.0.0.1",
		.server = "127.0.0.1:8080",
		.cstate = CSTATE_ACTIVE};
}

/* It has proven itself. */
static void join(void)
{
	struct peer peer = other();

	assert_true(peers_put(peers, &peer));
	peers_set_proven(peers, &peer, true, "");
	assert_true(peers_is_believed(peers, OTHER_UUID));
}

static void test_addresses(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	struct sockaddr_in6 mapped = {.sin6_family = AF_INET6};
	struct peer peer = other();

	(void)state;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	inet_pton(AF_INET6, "::ffff:127.0.0.1", &mapped.sin6_addr);
	assert_true(peers_put(peers, &peer));
	assert_false(peers_is_address(peers, (struct sockaddr *)&address));
	join();
	assert_true(peers_is_address(peers, (struct sockaddr *)&address));
	assert_true(peers_is_address(peers, (struct sockaddr *)&mapped));
	address.sin_addr.s_addr = htonl(0x7f000002);
	assert_false(peers_is_address(peers, (struct sockaddr *)&address));
}

/* The same again, as serf's list has it every 30 s, changes nothing. */
static void test_who_stays_keeps_what_was_found(void **state)
{
	struct peer peer = other(), found;

	(void)state;
	assert_true(peers_put(peers, &peer));
	peers_set_proven(peers, &peer, false, "no key");
	assert_true(peers_put(peers, &peer));
	assert_true(peers_find(peers, OTHER_UUID, &found));
	assert_string_equal(found.why, "no key");
	assert_false(peers_may_say(peers, OTHER_UUID, true));
	join();
	peers_put(peers, &peer);
	assert_true(peers_is_believed(peers, OTHER_UUID));
	assert_true(peers_may_say(peers, OTHER_UUID, true));
	assert_false(peers_may_say(peers, OTHER_UUID, false));
	peer.cstate = CSTATE_FAILED;
	assert_true(peers_put(peers, &peer));
	peer.cstate = CSTATE_ACTIVE;
	assert_true(peers_put(peers, &peer));
	assert_false(peers_is_believed(peers, OTHER_UUID));
}

static void test_who_is_missing_has_failed(void **state)
{
	cleanup_free char(*gone)[UUID_TEXT_SIZE] = NULL, (*again)[UUID_TEXT_SIZE] = NULL;
	struct peer peer;

	(void)state;
	join();
	uint64_t round = peers_begin_round(peers);
	peer = other();
	assert_true(peers_put_listed(peers, round, &peer));
	assert_int_equal(peers_end_round(peers, round, &gone), 0);
	free(steal(&gone));
	round = peers_begin_round(peers);
	assert_int_equal(peers_end_round(peers, round, &gone), 1);
	assert_string_equal(gone[0], OTHER_UUID);
	assert_true(peers_find(peers, OTHER_UUID, &peer));
	assert_int_equal(peer.cstate, CSTATE_FAILED);
	assert_false(peers_is_believed(peers, OTHER_UUID));
	/* It is told once. */
	assert_int_equal(peers_end_round(peers, round, &again), 0);
}

/* serf answers with what was, while an event that is newer came before the answer. */
static void test_an_event_beats_an_older_list(void **state)
{
	cleanup_free char(*gone)[UUID_TEXT_SIZE] = NULL;
	struct peer before = other(), peer = other(), found;

	(void)state;
	str_copy(before.server, sizeof(before.server), "127.0.0.1:1");
	assert_true(peers_put(peers, &before));
	uint64_t round = peers_begin_round(peers);
	join();
	assert_false(peers_put_listed(peers, round, &before));
	assert_true(peers_find(peers, OTHER_UUID, &found));
	assert_string_equal(found.server, peer.server);
	assert_true(peers_is_believed(peers, OTHER_UUID));
	/* Neither does it fail when the list did not know it at all. */
	assert_int_equal(peers_end_round(peers, round, &gone), 0);
	assert_true(peers_is_believed(peers, OTHER_UUID));
	/* The next list counts again. */
	round = peers_begin_round(peers);
	assert_true(peers_put_listed(peers, round, &before));
	assert_false(peers_is_believed(peers, OTHER_UUID));
}

static void test_this_host_is_none(void **state)
{
	struct peer peer = other();

	(void)state;
	str_copy(peer.uuid, sizeof(peer.uuid), OWN_UUID);
	assert_false(peers_put(peers, &peer));
	assert_false(peers_find(peers, OWN_UUID, &peer));
}

/* A member that claims another's UUID without the key changes nothing, whatever happens to it. */
static void test_one_uuid_two_members(void **state)
{
	struct peer evil = other(), moved = other(), found;

	(void)state;
	str_copy(evil.name, sizeof(evil.name), "evil");
	str_copy(evil.server, sizeof(evil.server), "127.0.0.1:1");
	assert_true(peers_put(peers, &evil));
	assert_false(peers_is_believed(peers, OTHER_UUID));
	join();
	assert_true(peers_find(peers, OTHER_UUID, &found));
	assert_string_equal(found.name, "virt2");
	evil.cstate = CSTATE_FAILED;
	assert_true(peers_put(peers, &evil));
	assert_int_equal(peers_get_state(peers, OTHER_UUID), CSTATE_ACTIVE);
	assert_true(peers_is_believed(peers, OTHER_UUID));
	/* At another address the host has to prove itself again, and what was asked before does not
	 * count. */
	struct peer asked = other();
	str_copy(moved.server, sizeof(moved.server), "127.0.0.1:2");
	assert_true(peers_put(peers, &moved));
	assert_false(peers_is_believed(peers, OTHER_UUID));
	peers_set_proven(peers, &asked, true, "");
	assert_false(peers_is_believed(peers, OTHER_UUID));
}

static void test_old_ones_need_permission(void **state)
{
	struct peer peer = other();
	struct peers *lenient = peers_new(OWN_UUID, true);

	(void)state;
	peer.old = true;
	assert_true(peers_put(peers, &peer));
	assert_false(peers_is_believed(peers, OTHER_UUID));
	assert_true(peers_put(lenient, &peer));
	assert_true(peers_is_believed(lenient, OTHER_UUID));
	assert_true(peers_may_say(lenient, OTHER_UUID, false));
	assert_false(peers_may_say(lenient, OTHER_UUID, true));
	peer.cstate = CSTATE_LEFT;
	assert_true(peers_put(lenient, &peer));
	assert_false(peers_is_believed(lenient, OTHER_UUID));
	peers_free(lenient);
}

static void test_members_are_bounded(void **state)
{
	struct peer peer = {.cstate = CSTATE_ACTIVE};

	(void)state;
	for (int i = 0; i <= PEERS_MAX; i++) {
		snprintf(peer.name, sizeof(peer.name), "m%d", i);
		snprintf(peer.uuid, sizeof(peer.uuid), "cccccccc-0000-0000-0000-%012d", i);
		assert_true(peers_put(peers, &peer) == (i < PEERS_MAX));
	}
	/* One that is gone gives way. */
	str_copy(peer.name, sizeof(peer.name), "m7");
	str_copy(peer.uuid, sizeof(peer.uuid), "cccccccc-0000-0000-0000-000000000007");
	peer.cstate = CSTATE_LEFT;
	assert_true(peers_put(peers, &peer));
	join();
	assert_int_equal(peers_get_state(peers, peer.uuid), CSTATE_INVALID);
}

static void test_two_may_wait(void **state)
{
	(void)state;
	join();
	for (int i = 0; i < 5; i++)
		assert_true(peers_enter(peers, OTHER_UUID)); /* nobody has waited for long */
	for (int i = 0; i < 5; i++)
		peers_leave(peers, OTHER_UUID, true);
	assert_true(peers_enter(peers, "nobody"));
	peers_leave(peers, "nobody", false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		TEST(test_addresses),
		TEST(test_who_stays_keeps_what_was_found),
		TEST(test_who_is_missing_has_failed),
		TEST(test_an_event_beats_an_older_list),
		TEST(test_this_host_is_none),
		TEST(test_one_uuid_two_members),
		TEST(test_old_ones_need_permission),
		TEST(test_members_are_bounded),
		TEST(test_two_may_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
