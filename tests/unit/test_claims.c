/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who has which VM: order of what is heard, late messages, pulls, hosts that fail, two hosts with
 * one VM, old peers. */
#include "claims_fixture.h"

/* ---- order ---- */

static void test_order_by_generation(void **state)
{
	(void)state;
	assert_false(say_vm(VM, HOST_A, "v", RUNSTATE_RUNNING, 5, 1, 100)); /* no HI yet */
	assert_true(say_host(HOST_A, 5, 1, 100, nothing));
	assert_true(say_vm(VM, HOST_A, "v", RUNSTATE_RUNNING, 5, 4, 100));
	/* Later by the clock, older by the generation. */
	assert_false(say_state(VM, HOST_A, RUNSTATE_PAUSED, 5, 3, 200));
	assert_shown(VM, HOST_A, RUNSTATE_RUNNING);
	/* The clock was set back. */
	assert_true(say_state(VM, HOST_A, RUNSTATE_PAUSED, 5, 5, 50));
	assert_shown(VM, HOST_A, RUNSTATE_PAUSED);
	assert_true(say_state(VM, HOST_A, RUNSTATE_PAUSED, 5, 5, 50)); /* equal: accepted */
	/* A daemon that started later counts from the beginning. */
	assert_true(say_state(VM, HOST_A, RUNSTATE_POWEROFF, 6, 1, 60));
	assert_false(say_vm(VM, HOST_A, "v", RUNSTATE_RUNNING, 5, 99, 999));
	assert_shown(VM, HOST_A, RUNSTATE_POWEROFF);
	/* Nobody else speaks for it, and nobody for us. */
	assert_false(say_state(VM, HOST_B, RUNSTATE_DELETED, 9, 9, 9999));
	assert_false(say_state(OTHER, HOST_A, RUNSTATE_RUNNING, 6, 2, 60));
	assert_false(say_host(OWN, 9, 9, 9, nothing));
	assert_false(say_vm(OTHER, OWN, "o", RUNSTATE_RUNNING, 9, 9, 9));
}

static void test_order_of_hosts(void **state)
{
	(void)state;
	assert_true(say_host(HOST_A, 5, 3, 100, nothing));
	assert_false(say_host(HOST_A, 5, 2, 200, nothing));
	assert_false(say_host(HOST_A, 5, 3, 99, nothing));
	assert_true(say_host(HOST_A, 5, 3, 101, nothing));
	assert_true(say_host(HOST_A, 6, 1, 50, nothing));
	assert_int_equal(state_of(HOST_A), CSTATE_ACTIVE);
}

static void test_deleted_stays_deleted(void **state)
{
	(void)state;
	say_host(HOST_A, 5, 1, 100, nothing);
	say_vm(VM, HOST_A, "v", RUNSTATE_RUNNING, 5, 2, 100);
	assert_true(say_state(VM, HOST_A, RUNSTATE_DELETED, 5, 4, 100));
	assert_not_shown(VM);
	assert_false(say_vm(VM, HOST_A, "v", RUNSTATE_RUNNING, 5, 3, 999));
	assert_false(say_vm(VM, HOST_A, "v", RUNSTATE_RUNNING, 5, 4, 999));
	assert_false(say_state(VM, HOST_A, RUNSTATE_RUNNING, 5, 5, 999));
	now += CLAIMS_GONE_MS - 1;
	claims_tick(claims, now);
	assert_false(say_vm(VM, HOST_A, "v", RUNSTATE_RUNNING, 5, 3, 999));
	/* Defined anew. */
	assert_true(say_vm(VM, HOST_A, "v", RUNSTATE_POWEROFF, 5, 6, 100));
	assert_shown(VM, HOST_A, RUNSTATE_POWEROFF);
	assert_true(say_state(VM, HOST_A, RUNSTATE_DELETED, 5, 7, 100));
	now += CLAIMS_GONE_MS;
	claims_tick(claims, now);
	assert_true(say_vm(VM, HOST_A, "v", RUNSTATE_RUNNING, 5, 3, 999)); /* forgotten */
}

/* ---- digests and pulls ---- */

static void test_difference_is_pulled(void **state)
{
	struct wire_vm vm = vm_of(VM, HOST_A, "v", RUNSTATE_RUNNING, 5, 2, 100);
	struct digest one = {1, wire_vm_hash(&vm.row)};
	char hosts[100][UUID_TEXT_SIZE];

	(void)state;
	say_host(HOST_A, 5, 1, 100, nothing);
	now += 10000;
	assert_int_equal(count_pulls(), 0);
	/* The VI comes within two seconds: nothing to pull. */
	say_host(HOST_A, 5, 2, 200, one);
	now += CLAIMS_PULL_MS - 1;
	assert_int_equal(count_pulls(), 0);
	claims_hear_vm(claims, &vm, now);
	say_host(HOST_A, 5, 2, 300, one);
	now += 10000;
	assert_int_equal(count_pulls(), 0);
	/* A VM's age is that of its host's last HI. */
	struct inventory_list list;
	struct vm_filter all = {0};
	struct error err = {0};
	assert_int_equal(inventory_list_vms(inventory, &all, NULL, &list, &err), 0);
	assert_non_null(strstr(list.json, "\"ts\":300"));
	free(list.json);

	/* The next one is lost. */
	say_host(HOST_A, 5, 3, 400, (struct digest){2, 77});
	now += CLAIMS_PULL_MS + CLAIMS_JITTER_MS;
	assert_int_equal(pulls(hosts), 1);
	assert_string_equal(hosts[0], HOST_A);
	assert_int_equal(count_pulls(), 0); /* one at a time */
	struct wire_vm other = vm_of(OTHER, HOST_A, "o", RUNSTATE_PAUSED, 0, 0, 400);
	struct wire_host host =
		host_of(HOST_A, 5, 3, 400, (struct digest){1, wire_vm_hash(&other.row)});
	claims_finish_pull(claims, &host, &other, 1, now);
	assert_not_shown(VM);
	assert_shown(OTHER, HOST_A, RUNSTATE_PAUSED);
	now += 100000;
	assert_int_equal(count_pulls(), 0);
	/* What was said of the one that went before the pull does not bring it back. */
	assert_false(claims_hear_vm(claims, &vm, now));
	claims_tick(claims, now + CLAIMS_GONE_MS);
	assert_false(claims_hear_vm(claims, &vm, now));
}

/* An HI that an event has overtaken says nothing of what is held now. */
static void test_overtaken_host(void **state)
{
	(void)state;
	say_host(HOST_A, 5, 1, 100, nothing);
	say_vm(VM, HOST_A, "v", RUNSTATE_RUNNING, 5, 3, 100);
	say_host(HOST_A, 5, 2, 100, (struct digest){7, 7});
	now += 10000;
	assert_int_equal(count_pulls(), 0);
	say_host(HOST_A, 5, 3, 100, (struct digest){7, 7});
	now += 10000;
	assert_int_equal(count_pulls(), 1);
}

/* What is heard while a pull runs is newer than what it brings. */
static void test_pull_is_older_than_events(void **state)
{
	struct wire_vm vms[] = {vm_of(VM, HOST_A, "v", RUNSTATE_RUNNING, 0, 0, 100)};
	struct wire_host host = host_of(HOST_A, 5, 3, 100, nothing);
	char hosts[100][UUID_TEXT_SIZE];

	(void)state;
	claims_want_pull(claims, HOST_A, now);
	assert_int_equal(pulls(hosts), 1);
	claims_finish_pull(claims, &host, vms, 1, now);
	assert_shown(VM, HOST_A, RUNSTATE_RUNNING);
	assert_int_equal(state_of(HOST_A), CSTATE_ACTIVE);
	claims_want_pull(claims, HOST_A, now);
	assert_int_equal(pulls(hosts), 1);
	say_state(VM, HOST_A, RUNSTATE_PAUSED, 5, 4, 100);
	say_vm(OTHER, HOST_A, "o", RUNSTATE_RUNNING, 5, 5, 100);
	claims_finish_pull(claims, &host, vms, 1, now);
	assert_shown(VM, HOST_A, RUNSTATE_PAUSED);
	assert_shown(OTHER, HOST_A, RUNSTATE_RUNNING);
}

/* Of a pull that brings nothing new only its time counts. */
static void test_pull_of_what_is_known(void **state)
{
	struct wire_vm vm = vm_of(VM, HOST_A, "v", RUNSTATE_RUNNING, 5, 1, 100);
	struct digest one = {1, wire_vm_hash(&vm.row)};
	struct wire_host host = host_of(HOST_A, 5, 1, 100, one);
	struct inventory_list list;
	struct vm_filter all = {0};
	struct error err = {0};

	(void)state;
	claims_finish_pull(claims, &host, &vm, 1, now);
	struct inventory_version before = inventory_vms_version(inventory);
	host = host_of(HOST_A, 5, 7, 900, one);
	vm.row.ts_ms = 900;
	claims_finish_pull(claims, &host, &vm, 1, now);
	assert_int_equal(inventory_vms_version(inventory).content, before.content);
	assert_int_equal(inventory_list_vms(inventory, &all, NULL, &list, &err), 0);
	assert_non_null(strstr(list.json, "\"ts\":900"));
	free(list.json);
	/* Said before the pull. */
	assert_false(say_state(VM, HOST_A, RUNSTATE_PAUSED, 5, 6, 999));
	assert_shown(VM, HOST_A, RUNSTATE_RUNNING);
	/* One that was gone is there again, though it is as it was. */
	assert_true(say_state(VM, HOST_A, RUNSTATE_DELETED, 5, 8, 950));
	assert_not_shown(VM);
	host = host_of(HOST_A, 5, 9, 1000, one);
	claims_finish_pull(claims, &host, &vm, 1, now);
	assert_shown(VM, HOST_A, RUNSTATE_RUNNING);
}

static void test_pulls_are_few(void **state)
{
	char hosts[100][UUID_TEXT_SIZE], more[100][UUID_TEXT_SIZE], uuid[UUID_TEXT_SIZE];

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		snprintf(uuid, sizeof(uuid), "cccccccc-0000-0000-0000-%012u", i);
		claims_want_pull(claims, uuid, now);
	}
	assert_int_equal(pulls(hosts), CLAIMS_MAX_PULLS);
	assert_int_equal(pulls(more), 0);
	/* One that is answered makes room. */
	claims_fail_pull(claims, hosts[0], now);
	assert_int_equal(pulls(more), 1);
	assert_string_not_equal(more[0], hosts[0]);
}

/* What fails is tried again, later and later. */
static void test_failed_pull(void **state)
{
	static const int64_t waits[] = {5000, 10000, 20000, 40000, 60000, 60000};

	(void)state;
	claims_want_pull(claims, HOST_A, now);
	assert_int_equal(count_pulls(), 1);
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		claims_fail_pull(claims, HOST_A, now);
		now += waits[i] - 1;
		assert_int_equal(count_pulls(), 0);
		now += 1;
		assert_int_equal(count_pulls(), 1);
	}
}

/* A pull that leaves a difference is not made again at once. */
static void test_difference_that_stays(void **state)
{
	struct wire_host host = host_of(HOST_A, 5, 3, 100, (struct digest){1, 1});

	(void)state;
	claims_want_pull(claims, HOST_A, now);
	assert_int_equal(count_pulls(), 1);
	claims_finish_pull(claims, &host, NULL, 0, now);
	now += CLAIMS_RETRY_MS - 1;
	assert_int_equal(count_pulls(), 0);
	now += 1;
	assert_int_equal(count_pulls(), 1);
	claims_finish_pull(claims, &host, NULL, 0, now);
	now += 2 * CLAIMS_RETRY_MS - 1;
	assert_int_equal(count_pulls(), 0);
}

/* ---- hosts that go, and two that have one VM ---- */

static void test_failed_host_keeps_its_vms(void **state)
{
	(void)state;
	say_host(HOST_A, 5, 1, 100, (struct digest){1, 1});
	say_vm(VM, HOST_A, "v", RUNSTATE_RUNNING, 5, 1, 100);
	claims_set_state(claims, HOST_A, CSTATE_FAILED, now);
	claims_set_state(claims, HOST_B, CSTATE_FAILED, now); /* never heard of */
	assert_shown(VM, HOST_A, RUNSTATE_RUNNING);
	assert_int_equal(state_of(HOST_A), CSTATE_FAILED);
	assert_int_equal(state_of(HOST_B), CSTATE_INVALID);
	now += 100000;
	assert_int_equal(count_pulls(), 0); /* not from a host that is away */
	assert_true(say_host(HOST_A, 5, 1, 200, (struct digest){1, 1}));
	assert_int_equal(state_of(HOST_A), CSTATE_ACTIVE);
	assert_int_equal(count_pulls(), 1);
}

static void test_drained_host(void **state)
{
	cleanup_host struct host host = {0};
	struct error err = {0};

	(void)state;
	claims_set_drained(claims, HOST_A, true); /* not known yet */
	say_host(HOST_A, 5, 1, 100, nothing);
	assert_int_equal(inventory_get_host(inventory, HOST_A, &host, &err), 0);
	assert_false(host.drained);
	host_free(&host);
	claims_set_drained(claims, HOST_A, true);
	say_host(HOST_A, 5, 2, 200, nothing); /* an HI does not tell */
	assert_int_equal(inventory_get_host(inventory, HOST_A, &host, &err), 0);
	assert_true(host.drained);
	host_free(&host);
	claims_set_drained(claims, HOST_A, false);
	assert_int_equal(inventory_get_host(inventory, HOST_A, &host, &err), 0);
	assert_false(host.drained);
}

static void test_migration(void **state)
{
	char hosts[2][UUID_TEXT_SIZE];

	(void)state;
	say_host(HOST_A, 5, 1, 100, nothing);
	say_host(HOST_B, 7, 1, 100, nothing);
	say_vm(VM, HOST_A, "v", RUNSTATE_RUNNING, 5, 2, 100);
	say_vm(VM, HOST_B, "v", RUNSTATE_PAUSED, 7, 2, 900);
	/* The target's word is newer, and yet the source still has it. */
	assert_shown(VM, HOST_A, RUNSTATE_RUNNING);
	say_state(VM, HOST_B, RUNSTATE_RUNNING, 7, 3, 901);
	assert_shown(VM, HOST_A, RUNSTATE_RUNNING);
	now += CLAIMS_CONFLICT_MS - 1;
	claims_tick(claims, now);
	assert_false(claims_is_conflict(claims, VM, hosts));
	say_state(VM, HOST_A, RUNSTATE_DELETED, 5, 3, 100);
	assert_shown(VM, HOST_B, RUNSTATE_RUNNING);
	now += CLAIMS_CONFLICT_MS;
	claims_tick(claims, now);
	assert_false(claims_is_conflict(claims, VM, hosts));
}

static size_t count_listed(const struct vm_filter *filter)
{
	struct inventory_list list;
	struct error err = {0};
	size_t count = 0;

	assert_int_equal(inventory_list_vms(inventory, filter, NULL, &list, &err), 0);
	for (const char *at = list.json; (at = strstr(at, "\"fields\"")); at++)
		count++;
	free(list.json);
	return count;
}

static void test_conflict(void **state)
{
	char hosts[2][UUID_TEXT_SIZE];
	struct wire_vm own = vm_of(VM, OWN, "v", RUNSTATE_RUNNING, 1, 1, 100);

	(void)state;
	claims_put_own(claims, &own.row, now);
	say_host(HOST_B, 7, 1, 100, nothing);
	say_vm(VM, HOST_B, "v", RUNSTATE_RUNNING, 7, 2, 900);
	now += CLAIMS_CONFLICT_MS;
	claims_tick(claims, now);
	assert_true(claims_is_conflict(claims, VM, hosts));
	assert_true(str_equal(hosts[0], OWN) || str_equal(hosts[1], OWN));
	assert_true(str_equal(hosts[0], HOST_B) || str_equal(hosts[1], HOST_B));
	assert_shown(VM, OWN, RUNSTATE_RUNNING);
	assert_marked(VM, "1 [\"" HOST_B "\",\"" OWN "\"]");
	struct vm_filter on_b = {.host_uuid = (char *)HOST_B};
	struct vm_filter on_a = {.host_uuid = (char *)HOST_A};
	assert_int_equal(count_listed(&on_b), 1);
	assert_int_equal(count_listed(&on_a), 0);
	/* One that is away has no say; one that is back does, after a while. */
	claims_set_state(claims, HOST_B, CSTATE_FAILED, now);
	assert_false(claims_is_conflict(claims, VM, hosts));
	assert_marked(VM, "1 []");
	assert_int_equal(count_listed(&on_b), 0);
	claims_set_state(claims, HOST_B, CSTATE_ACTIVE, now);
	claims_tick(claims, now);
	assert_false(claims_is_conflict(claims, VM, hosts));
	now += CLAIMS_CONFLICT_MS;
	claims_tick(claims, now);
	assert_true(claims_is_conflict(claims, VM, hosts));
	claims_remove_own(claims, VM, now);
	assert_false(claims_is_conflict(claims, VM, hosts));
	assert_shown(VM, HOST_B, RUNSTATE_RUNNING);
	assert_marked(VM, "1 []");
	claims_set_state(claims, HOST_B, CSTATE_LEFT, now);
	assert_marked(VM, "2 []");
	assert_false(claims_is_conflict(claims, OTHER, hosts));
}

/* The VM of a host that died runs elsewhere. */
static void test_active_host_counts_more(void **state)
{
	(void)state;
	say_host(HOST_A, 5, 1, 100, nothing);
	say_host(HOST_B, 7, 1, 100, nothing);
	say_vm(VM, HOST_A, "v", RUNSTATE_RUNNING, 5, 2, 100);
	claims_set_state(claims, HOST_A, CSTATE_FAILED, now);
	say_vm(VM, HOST_B, "v", RUNSTATE_PAUSED, 7, 2, 50);
	assert_shown(VM, HOST_B, RUNSTATE_PAUSED);
}

static void test_old_peers(void **state)
{
	char hosts[2][UUID_TEXT_SIZE];

	(void)state;
	assert_true(say_host(HOST_A, 0, 0, 100, nothing));
	assert_true(say_host(HOST_B, 0, 0, 100, nothing));
	assert_true(say_vm(VM, HOST_A, "v", RUNSTATE_RUNNING, 0, 0, 100));
	assert_false(say_state(VM, HOST_A, RUNSTATE_PAUSED, 0, 0, 99));
	assert_true(say_state(VM, HOST_A, RUNSTATE_PAUSED, 0, 0, 110));
	assert_false(
		say_vm(VM, HOST_A, "v", RUNSTATE_RUNNING, 0, 0, 105)); /* the event's time counts */
	assert_shown(VM, HOST_A, RUNSTATE_PAUSED);
	/* The newer ts has it, and there is no conflict. */
	assert_true(say_vm(VM, HOST_B, "v", RUNSTATE_RUNNING, 0, 0, 120));
	assert_shown(VM, HOST_B, RUNSTATE_RUNNING);
	assert_true(say_vm(VM, HOST_A, "v", RUNSTATE_POWEROFF, 0, 0, 130));
	assert_shown(VM, HOST_A, RUNSTATE_POWEROFF);
	now += 2 * CLAIMS_CONFLICT_MS;
	claims_tick(claims, now);
	assert_false(claims_is_conflict(claims, VM, hosts));
	assert_true(say_state(VM, HOST_A, RUNSTATE_DELETED, 0, 0, 140));
	assert_shown(VM, HOST_B, RUNSTATE_RUNNING);
	assert_false(say_vm(VM, HOST_A, "v", RUNSTATE_RUNNING, 0, 0, 140));
	assert_int_equal(count_pulls(), 0); /* they have nothing to pull from */
}

static void test_own(void **state)
{
	struct wire_vm one = vm_of(VM, OWN, "v", RUNSTATE_RUNNING, 1, 1, 1);
	struct wire_vm two = vm_of(OTHER, OWN, "o", RUNSTATE_RUNNING, 1, 1, 1);
	struct digest digest;

	(void)state;
	claims_put_own(claims, &one.row, now);
	claims_put_own(claims, &two.row, now);
	two.row.runstate = RUNSTATE_PAUSED;
	claims_put_own(claims, &two.row, now);
	assert_shown(OTHER, OWN, RUNSTATE_PAUSED);
	claims_get_own(claims, &digest);
	assert_int_equal(digest.vms, 2);
	assert_int_equal(digest.sum, wire_vm_hash(&one.row) + wire_vm_hash(&two.row));
	claims_remove_own(claims, VM, now);
	claims_remove_own(claims, VM, now);
	claims_get_own(claims, &digest);
	assert_int_equal(digest.vms, 1);
	assert_int_equal(digest.sum, wire_vm_hash(&two.row));
	assert_not_shown(VM);
	claims_put_own(claims, &one.row, now); /* back at once */
	assert_shown(VM, OWN, RUNSTATE_RUNNING);
}

static void test_bounds(void **state)
{
	char uuid[UUID_TEXT_SIZE];
	unsigned heard = 0;

	(void)state;
	for (unsigned i = 0; i < CLAIMS_MAX_HOSTS + 50; i++) {
		snprintf(uuid, sizeof(uuid), "cccccccc-0000-0000-0000-%012u", i);
		heard += say_host(uuid, 1, 1, 1, nothing);
	}
	assert_int_equal(heard, CLAIMS_MAX_HOSTS - 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)
	static const struct CMUnitTest tests[] = {
		TEST(test_order_by_generation),
		TEST(test_order_of_hosts),
		TEST(test_deleted_stays_deleted),
		TEST(test_difference_is_pulled),
		TEST(test_overtaken_host),
		TEST(test_pull_is_older_than_events),
		TEST(test_pull_of_what_is_known),
		TEST(test_pulls_are_few),
		TEST(test_failed_pull),
		TEST(test_difference_that_stays),
		TEST(test_failed_host_keeps_its_vms),
		TEST(test_drained_host),
		TEST(test_migration),
		TEST(test_conflict),
		TEST(test_active_host_counts_more),
		TEST(test_old_peers),
		TEST(test_own),
		TEST(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
