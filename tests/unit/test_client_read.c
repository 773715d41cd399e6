/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands that look: what they ask, and their output against tests/golden/cli. */
#include "client_fixture.h"

#define VM_PATH "/vms/11111111-2222-4333-8444-555555555555"

static void answer_everything(void)
{
	answer_with("GET", "/vms", 200, "vms.json");
	answer_with("GET", "/hosts", 200, "hosts.json");
	answer_with("GET", "/vms/db", 200, "vm.json");
	answer_with("GET", VM_PATH, 200, "vm.json");
	answer_with("GET", "/vms/db/runstate", 200,
		"{\"runstate\": 5, \"host\": \"aaaaaaaa-0000-4000-8000-000000000002\"}");
	answer_with("GET", "/vms/db/xml", 200, "<domain/>\n");
	answer_with("GET", "/vms/db/runstate/migrate", 200,
		"{\"state\": 4, \"progress\": {\"total\": 4294967296, \"transferred\": 1073741824,"
		" \"remaining\": 3221225472, \"rate\": 112, \"downtime\": 300}}");
	answer_with("GET", "/hosts/virt1", 200, "host.json");
	answer_with("GET", "/operations?all=true", 200, "operations.json");
	answer_with("GET", "/operations/5f0c", 200,
		"{\"id\": \"5f0c\", \"kind\": \"create\", \"name\": \"new\", \"state\": "
		"\"running\","
		" \"phase\": \"seed\", \"progress\": 90, \"start\": 1700000000000, \"end\": 0}");
	answer_with("GET", "/version", 200, "{\"version\": \"9.9.9\", \"api\": \"1\"}");
}

static void test_golden_output(void **state)
{
	static const char *const cases[][2] = {
		{"list vm", "list-vm.txt"},
		{"list vm --no-headers", "list-vm-no-headers.txt"},
		{"list vm -o name", "list-vm-name.txt"},
		{"list vm -o yaml", "list-vm-yaml.txt"},
		{"list host", "list-host.txt"},
		{"list operation", "list-operation.txt"},
		{"get vm db", "get-vm.txt"},
		{"get vm db -k", "get-vm-disk.txt"},
		{"get vm db -n", "get-vm-net.txt"},
		{"get vm db -K", "get-vm-stat-disk.txt"},
		{"get vm db -N", "get-vm-stat-net.txt"},
		{"get vm db -C", "get-vm-stat-cpu.txt"},
		{"get vm db -M", "get-vm-stat-mem.txt"},
		{"get vm db -MCNKnk", "get-vm-disk.txt"},
		{"get vm db -o yaml", "get-vm-yaml.txt"},
		{"get vm db -o json", "get-vm-json.txt"},
		{"get definition vm db", "get-definition-vm.txt"},
		{"get runstate vm db", "get-runstate-vm.txt"},
		{"get migrate vm db", "get-migrate-vm.txt"},
		{"get host virt1", "get-host.txt"},
		{"get host virt1 -C", "get-host-cpu.txt"},
		{"get host virt1 -M", "get-host-mem.txt"},
		{"get operation 5f0c", "get-operation.txt"},
		{"status", "status.txt"},
		{"status -o json", "status-json.txt"},
		{"-o table get runstate vm db", "get-runstate-vm.txt"},
	};

	(void)state;
	answer_everything();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(run_client(cases[i][0]), 0);
		assert_string_equal(fixture.log, "");
		assert_golden(fixture.out, cases[i][1]);
	}
}

static void test_several_at_once(void **state)
{
	(void)state;
	answer_everything();
	assert_int_equal(run_client("get vm db 11111111-2222-4333-8444-555555555555 -C"), 0);
	assert_string_equal(fixture.out, "NAME  CPU   USED\n"
					 "db    137%  3.3GHz\n"
					 "db    137%  3.3GHz\n");
	assert_int_equal(run_client("get vm db none db -C --no-headers"), 3);
	assert_string_equal(fixture.out, "db  137%  3.3GHz\ndb  137%  3.3GHz\n");
	assert_string_equal(fixture.log, "virtx: none: no such thing\n");
	assert_int_equal(run_client("get runstate vm db db"), 0);
	assert_string_equal(fixture.out, "ID  STATE   HOST\n"
					 "db  paused  virt2\n"
					 "db  paused  virt2\n");
}

/* Servers of another implementation know fewer routes, and may say null for an empty list. */
static void test_status_of_other_servers(void **state)
{
	(void)state;
	answer_with("GET", "/vms", 200, "{\"items\": null}");
	answer_with("GET", "/hosts", 200, "hosts.json");
	assert_int_equal(run_client("status"), 0);
	assert_non_null(strstr(fixture.out, "VMS         none\n"));
	assert_non_null(strstr(fixture.out, "OPERATIONS  none\n"));
	cleanup_free char *table = xstrdup(fixture.out);

	assert_int_equal(run_client("status -o name"), 0);
	assert_string_equal(fixture.out, table);
	fixture_reset(NULL);
	assert_int_equal(run_client("status"), 3);
}

static void test_xml_and_version(void **state)
{
	(void)state;
	answer_everything();
	assert_int_equal(run_client("get xml vm db"), 0);
	assert_string_equal(fixture.out, "<domain/>\n");
	assert_int_equal(run_client("version -o json"), 0);
	assert_non_null(strstr(fixture.out, "\"server\": \"9.9.9\""));
}

static void test_filters_are_sent(void **state)
{
	static const char *const cases[][2] = {
		{"list vm", "GET /vms {\"filter\":{}}\n"},
		{"list vm -n we -s running -v 7 -N tier -V gold",
			"GET /vms {\"filter\":{\"runstate\":4,\"name\":\"we\",\"vlanid\":7,"
			"\"custom\":{\"name\":\"tier\",\"value\":\"gold\"}}}\n"},
		{"list vm -s 2 -h AAAAAAAA-0000-4000-8000-000000000001",
			"GET /vms {\"filter\":{\"runstate\":2,"
			"\"host\":\"aaaaaaaa-0000-4000-8000-000000000001\"}}\n"},
		{"list host -n v -a x86_64 -v Intel -s active -m 16G -H 512",
			"GET /hosts {\"filter\":{\"cpuarch\":{\"arch\":\"x86_64\",\"vendor\":"
			"\"Intel\"},\"name\":\"v\",\"cstate\":1,\"memoryavailable\":16384,"
			"\"hpavailable\":512}}\n"},
	};

	(void)state;
	answer_with("GET", "/vms", 200, "{\"items\": null}");
	answer_with("GET", "/hosts", 200, "{\"items\": []}");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fixture.requests[0] = '\0';
		assert_int_equal(run_client(cases[i][0]), 0);
		assert_string_equal(fixture.requests, cases[i][1]);
	}
	answer_everything();
	assert_int_equal(run_client("list vm -h nohost"), 3);
	assert_string_equal(fixture.log, "virtx: there is no host \"nohost\"\n");
}

/* What is exact goes straight to the server, once; names and prefixes are looked up after a 404. */
static void test_ids(void **state)
{
	(void)state;
	answer_with("GET", "/vms", 200, "vms.json");
	answer_with("GET", "/hosts", 200, "hosts.json");
	answer_with("GET", "/vms/33333333-2222-4333-8444-555555555555/runstate", 200,
		"{\"runstate\": 4, \"host\": \"\"}");
	assert_int_equal(run_client("get runstate vm 33333333-2222-4333-8444-555555555555"), 0);
	assert_string_equal(
		fixture.requests, "GET /vms/33333333-2222-4333-8444-555555555555/runstate\n");
	assert_int_equal(run_client("get runstate vm 333"), 0);
	assert_int_equal(run_client("get runstate vm \xe6\x95\xb0\xe6\x8d\xae\xe5\xba\x93"), 0);
	/* Two rows of one VM are one VM. */
	assert_int_equal(run_client("get runstate vm 222"), 3);
	assert_non_null(strstr(fixture.requests, "GET /vms/22222222-2222-4333-8444-555555555555/"));
	assert_int_equal(run_client("get runstate vm 1111"), 1);
	assert_string_equal(fixture.log,
		"virtx: \"1111\" can be 2 VMs: 11111111-2222-4333-8444-555555555555 (db), "
		"11111111-aaaa-4333-8444-555555555555 (evil\\x1b[2J\\nname)\n"
		"hint: give more of the UUID\n");
	fixture.requests[0] = '\0';
	assert_int_equal(run_client("get runstate vm a/b?c"), 3);
	assert_string_equal(fixture.requests, "GET /vms\n");
	fixture.requests[0] = '\0';
	assert_int_equal(run_client("get runstate vm b?c"), 3);
	assert_string_equal(fixture.requests, "GET /vms/b%3Fc/runstate\nGET /vms\n");
}

static void test_errors_and_exit_codes(void **state)
{
	(void)state;
	answer_with("GET", "/vms/a/runstate", 422,
		"{\"status\": 422, \"code\": \"wrong-state\", \"detail\": \"it \\u001b[1m runs\","
		" \"hint\": \"shut it down\"}");
	answer_with("GET", "/vms/b/runstate", 504, "{\"code\": \"timeout\", \"detail\": \"late\"}");
	answer_with("GET", "/vms/c/runstate", 200, "no json");
	assert_int_equal(run_client("get runstate vm a"), 1);
	assert_non_null(strstr(fixture.log, "runs\nhint: shut it down\n"));
	assert_null(strchr(fixture.log, '\x1b'));
	assert_int_equal(run_client("get runstate vm b"), 5);
	assert_int_equal(run_client("get runstate vm c"), 4);
	assert_non_null(strstr(fixture.log, "is not JSON"));
	assert_int_equal(run_client("get runstate vm d"), 3);
	/* The first failure counts. */
	assert_int_equal(run_client("get runstate vm a d"), 1);
	assert_int_equal(run_client("get runstate vm d a"), 3);
	/* Nothing listens on port 1. */
	assert_int_equal(run_client("-A 127.0.0.1:1 get runstate vm a b"), 4);
	assert_non_null(strstr(fixture.log, "hint: is virtxd running there?"));
	assert_null(strstr(fixture.log, "virtx: b"));
	assert_int_equal(run_client("-A 127.0.0.1:1 version"), 4);
	assert_true(str_starts_with(fixture.out, "CLIENT"));
}

static void test_debug_shows_the_exchange(void **state)
{
	(void)state;
	answer_with("GET", "/vms", 200, "{\"items\": []}");
	assert_int_equal(run_client("-D list vm"), 0);
	assert_true(str_starts_with(fixture.log, "> GET /vms\n> {\"filter\":{}}\n< 200 OK\n"));
	assert_non_null(strstr(fixture.log, "< {\"items\": []}\n"));
}

/* More than a MiB, at which older clients give up. */
static void test_ten_thousand_vms(void **state)
{
	cleanup_buf struct printbuf *list = buf_new();
	unsigned lines = 0;

	(void)state;
	buf_text(list, "{\"items\": [");
	for (int i = 0; i < 10000; i++)
		buf_format(list,
			"%s{\"uuid\": \"%08d-2222-4333-8444-555555555555\", \"fields\": {\"name\":"
			" \"vm-%d\", \"host\": \"aaaaaaaa-0000-4000-8000-000000000001\","
			" \"runstate\": 4, \"vlanid\": 0, \"custom\": {\"name\": \"\","
			" \"value\": \"\"}, \"ts\": 0}}",
			i ? "," : "", i, i);
	buf_text(list, "]}");
	assert_true(list->bpos > 1024 * 1024);
	answer_with("GET", "/vms", 200, list->buf);
	answer_with("GET", "/hosts", 200, "hosts.json");
	assert_int_equal(run_client("list vm --no-headers"), 0);
	for (const char *c = fixture.out; *c; c++)
		lines += *c == '\n';
	assert_int_equal(lines, 10000);
	assert_true(
		str_starts_with(fixture.out, "00000000-2222-4333-8444-555555555555  vm-0     "));
}

/* Whatever a server says: all of a list that is none is an error, items are shown as they are. */
static void test_strange_lists(void **state)
{
	static const char *const bad[] = {
		"{\"items\": [{\"uuid\": \"u\"}, {\"uuid\": \"cut",
		"{\"items\": [{\"uuid\": \"u\"}, {\"uuid\": \"v\", \"uuid\": \"w\"}]}",
		"{\"items\": [{\"uuid\": \"u\"}]",
		"{\"items\": [{\"uuid\": \"u\"}]} {}",
	};
	static const char *const empty[] = {"null", "7", "[]", "[[1]]", "{}", "{\"items\": []}",
		"{\"items\": null}", "{\"items\": {\"uuid\": \"u\"}}", "{\"items\": \"[1]\"}"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fixture_reset(NULL);
		answer_with("GET", "/vms", 200, bad[i]);
		assert_int_equal(run_client("list vm"), 4);
		assert_string_equal(fixture.out, "");
		assert_non_null(strstr(fixture.log, "the server's answer is not JSON: "));
		assert_int_equal(run_client("list vm -o name"), 4);
		assert_string_equal(fixture.out, "");
		assert_int_equal(run_client("list vm -o json"), 4);
		assert_string_equal(fixture.out, "");
	}
	for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
		fixture_reset(NULL);
		answer_with("GET", "/vms", 200, empty[i]);
		assert_int_equal(run_client("list vm"), 0);
		assert_string_equal(fixture.out, "UUID  NAME  HOST  VLANID  CUSTOM  STATE  AGE\n");
		assert_int_equal(run_client("list vm -o name"), 0);
		assert_string_equal(fixture.out, "");
	}
	fixture_reset(NULL);
	answer_with("GET", "/vms", 200,
		"{\"items\": [null, 7, \"text\", [], {}, {\"uuid\": 5, \"fields\": [1]},"
		" {\"uuid\": \"u\", \"fields\": {\"name\": {}, \"host\": 1, \"runstate\": \"x\","
		" \"vlanid\": [], \"custom\": 3, \"conflict\": \"\", \"ts\": \"\"}}]}");
	assert_int_equal(run_client("list vm --no-headers"), 0);
	assert_string_equal(fixture.out, "-  -  -  -  -  -     -\n"
					 "-  -  -  -  -  -     -\n"
					 "-  -  -  -  -  -     -\n"
					 "-  -  -  -  -  -     -\n"
					 "-  -  -  -  -  -     -\n"
					 "-  -  -  -  -  -     -\n"
					 "u  -  -  -  -  none  -\n");
	assert_int_equal(run_client("list vm -o name"), 0);
	assert_string_equal(fixture.out, "\n\n\n\n\n\n\n");
}

static void test_console(void **state)
{
	(void)state;
	answer_times(1, "GET", "/vms/db/console?offset=0", 200, "Hello\nW", "X-VirtX-Offset", "7");
	answer_times(1, "GET", "/vms/db/console?offset=7", 200, "orld\n", "X-VirtX-Offset", "12");
	answer_times(0, "GET", "/vms/db/console?offset=12", 200, "", "X-VirtX-Offset", "12");
	answer_with("GET", "/vms/old/console?offset=0", 200, "text");
	assert_int_equal(run_client("console vm db"), 0);
	assert_string_equal(fixture.out, "Hello\nWorld\n");
	/* A server that does not say where to go on must not be asked for ever. */
	assert_int_equal(run_client("console vm old --follow"), 1);
}

static void test_console_follows(void **state)
{
	(void)state;
	answer_times(1, "GET", "/vms/db/console?offset=0", 200, "a", "X-VirtX-Offset", "1");
	answer_times(2, "GET", "/vms/db/console?offset=1", 200, "", "X-VirtX-Offset", "1");
	answer_times(1, "GET", "/vms/db/console?offset=1", 200, "b", "X-VirtX-Offset", "2");
	assert_int_equal(run_client("console vm db -f"), 3);
	assert_string_equal(fixture.out, "ab");
}

static void test_output_that_fails(void **state)
{
	FILE *full = fopen("/dev/full", "we");
	FILE *log = fopen("/dev/null", "we");
	char *argv[] = {
		(char *)(uintptr_t) "virtx", (char *)(uintptr_t) "list", (char *)(uintptr_t) "vm"};

	(void)state;
	answer_with("GET", "/vms", 200, "{\"items\": []}");
	assert_int_equal(client_run(3, argv, full, log), 1);
	fclose(full);
	fclose(log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_golden_output, fixture_reset),
		cmocka_unit_test_setup(test_several_at_once, fixture_reset),
		cmocka_unit_test_setup(test_status_of_other_servers, fixture_reset),
		cmocka_unit_test_setup(test_xml_and_version, fixture_reset),
		cmocka_unit_test_setup(test_filters_are_sent, fixture_reset),
		cmocka_unit_test_setup(test_ids, fixture_reset),
		cmocka_unit_test_setup(test_errors_and_exit_codes, fixture_reset),
		cmocka_unit_test_setup(test_debug_shows_the_exchange, fixture_reset),
		cmocka_unit_test_setup(test_ten_thousand_vms, fixture_reset),
		cmocka_unit_test_setup(test_strange_lists, fixture_reset),
		cmocka_unit_test_setup(test_console, fixture_reset),
		cmocka_unit_test_setup(test_console_follows, fixture_reset),
		cmocka_unit_test_setup(test_output_that_fails, fixture_reset),
	};

	return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}
