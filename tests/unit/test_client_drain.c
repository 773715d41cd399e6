/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drain host, undrain host, and lists of operations that some hosts are missing from. */
#include "client_fixture.h"

#define OPERATION "/operations/5f0c0000-0000-4000-8000-000000000001"
#define RUNNING                                                                                 \
	"{\"id\": \"5f0c0000-0000-4000-8000-000000000001\", \"state\": \"running\", \"kind\": " \
	"\"drain\", \"name\": \"virt1\", \"phase\": \"1 of 3 moved\", \"progress\": 33}"
#define FAILED                                                                                 \
	"{\"state\": \"failed\", \"error\": {\"code\": \"migration\", \"detail\": \"1 of 3 "   \
	"VMs stay on host virt1: db\", \"hint\": \"\"}, \"left\": [{\"vm\": \"x\", \"name\": " \
	"\"db\", \"code\": \"capacity\", \"detail\": \"no \\u001b room\"}]}"

static void test_without_waiting(void **state)
{
	(void)state;
	answer_times(0, "POST", "/hosts/virt1/drain", 202, RUNNING, "Location", OPERATION);
	assert_int_equal(run_client("drain host virt1"), 0);
	assert_string_equal(fixture.requests, "POST /hosts/virt1/drain\n");
	assert_non_null(
		strstr(fixture.out, "5f0c0000-0000-4000-8000-000000000001  virt1  running"));
	assert_string_equal(fixture.log, "");
}

static void test_waiting(void **state)
{
	(void)state;
	answer_times(0, "POST", "/hosts/virt1/drain", 202, RUNNING, "Location", OPERATION);
	answer_times(2, "GET", OPERATION, 200, RUNNING, NULL, NULL);
	answer_times(1, "GET", OPERATION, 502, /* its daemon restarts */
		"{\"code\": \"forward\", \"detail\": \"refused\"}", NULL, NULL);
	answer_times(
		1, "GET", OPERATION, 200, "{\"state\": \"completed\", \"left\": []}", NULL, NULL);
	answer_with("GET", OPERATION, 200, FAILED);
	assert_int_equal(run_client("drain host virt1 --wait"), 0);
	assert_string_equal(fixture.log, "drain virt1: 1 of 3 moved\n");
	assert_string_equal(fixture.out, "");
	assert_int_equal(run_client("drain host virt1 --wait"), 1);
	assert_string_equal(
		fixture.log, "db stays: no \\x1b room\nvirtx: 1 of 3 VMs stay on host virt1: db\n");
}

static void test_waiting_has_an_end(void **state)
{
	(void)state;
	answer_times(0, "POST", "/hosts/virt1/drain", 202, RUNNING, "Location", OPERATION);
	answer_with("GET", OPERATION, 200, RUNNING);
	assert_int_equal(run_client("drain host virt1 --wait --timeout 1s"), 5);
	assert_non_null(strstr(fixture.log, "timed out: drain virt1: 1 of 3 moved"));
}

static void test_plan(void **state)
{
	(void)state;
	answer_times(1, "POST", "/hosts/virt1/drain?dry_run=true", 200,
		"{\"items\": [{\"name\": \"web\", \"live\": true, \"host\": \"virt2\", "
		"\"detail\": \"\"}]}",
		NULL, NULL);
	answer_with("POST", "/hosts/virt1/drain?dry_run=true", 200,
		"{\"items\": [{\"name\": \"web\", \"live\": true, \"host\": \"virt2\", "
		"\"detail\": \"\"}, {\"name\": \"db\", \"live\": false, \"host\": \"\", "
		"\"detail\": \"no room\"}]}");
	assert_int_equal(run_client("drain host virt1 --dry-run"), 0);
	assert_string_equal(fixture.out, "VM   WAY   TO     WHY_NOT\nweb  live  virt2  -\n");
	assert_int_equal(run_client("drain host virt1 --dry-run"), 1);
	assert_non_null(strstr(fixture.out, "db   cold  -      no room\n"));
	assert_string_equal(fixture.log, "");
}

static void test_undrain(void **state)
{
	(void)state;
	answer_with("DELETE", "/hosts/virt1/drain", 204, NULL);
	assert_int_equal(run_client("undrain host virt1"), 0);
	assert_string_equal(fixture.requests, "DELETE /hosts/virt1/drain\n");
	assert_string_equal(fixture.out, "");
	assert_int_equal(run_client("undrain host virt9"), 3);
}

static void test_hosts_without_an_answer_are_named(void **state)
{
	(void)state;
	answer_with("GET", "/hosts", 200, "hosts.json");
	answer_with("GET", "/operations?all=true", 200,
		"{\"items\": [], \"unanswered\": [{\"host\": \"x\", \"name\": \"virt2\", "
		"\"detail\": \"refused\"}, 7]}");
	assert_int_equal(run_client("list operation"), 0);
	assert_non_null(
		strstr(fixture.log, "virtx: warning: host virt2 gave no answer: refused\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(test) cmocka_unit_test_setup_teardown(test, fixture_reset, NULL)
		TEST(test_without_waiting),
		TEST(test_waiting),
		TEST(test_waiting_has_an_end),
		TEST(test_plan),
		TEST(test_undrain),
		TEST(test_hosts_without_an_answer_are_named),
	};

	return cmocka_run_group_tests_name("client_drain", tests, fixture_start, fixture_stop);
}
