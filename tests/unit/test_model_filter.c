/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filters of the lists: each member alone, all together, both forms of asking; list items. */
#include "base/str.h"
#include "model/filter.h"
#include "vmdef_fixture.h"

static const char host_uuid[] = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";

static struct custom row_custom[] = {{(char[]){"tier"}, (char[]){"gold"}},
	{(char[]){"owner"}, (char[]){""}}, {(char[]){"tier"}, (char[]){"blue"}}};

static const struct vm_row a_row = {
	.uuid = "11111111-2222-4333-8444-555555555555",
	.host_uuid = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee",
	.name = (char[]){"web-01"},
	.runstate = RUNSTATE_RUNNING,
	.vlanid = 100,
	.vcpus = 4,
	.custom = row_custom,
	.n_custom = 3,
	.ts_ms = 5000,
	.cstate = CSTATE_FAILED,
};

static const struct host a_host = {
	.uuid = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee",
	.name = (char[]){"virt1"},
	.arch = (char[]){"x86_64"},
	.vendor = (char[]){"AMD"},
	.cpu = {(char[]){"EPYC"}, 2, 3, 8, 1},
	.os_id = (char[]){"debian"},
	.os_version = (char[]){"12"},
	.cstate = CSTATE_ACTIVE,
	.memory = {.available_vms = 4096},
	.hugepages = {.available_vms = 512},
	.ts_ms = 5000,
};

/* Query parameters "a=b&c=d", not encoded, and whether the row or host matches. */
struct query_row {
	const char *query;
	bool matches;
};

/* Sets every parameter through set, which is one of the two *_filter_set functions. */
#define SET_QUERY(set, filter, query)                                   \
	do {                                                            \
		cleanup_free char *copy = xstrdup(query);               \
		char *rest = copy, *value;                              \
		while ((value = strsep(&rest, "&"))) {                  \
			struct error err = {0};                         \
			char *name = strsep(&value, "=");               \
			if (set(filter, name, value, &err) != 1)        \
				fail_msg("%s: %s", query, err.message); \
		}                                                       \
	} while (0)

static void vm_query(void **state)
{
	static const struct query_row rows[] = {
		{"name=web", true},
		{"name=b-0", true},
		{"name=web-01", true},
		{"name=Web", false},
		{"name=web-011", false},
		{"name=", true},
		{"host=aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee", true},
		{"host=AAAAAAAA-bbbb-4ccc-8ddd-eeeeeeeeeeee", true},
		{"host=aaaaaaaa", false},
		{"runstate=4", true},
		{"runstate=running", true},
		{"runstate=Running", true},
		{"runstate=paused", false},
		{"runstate=0", true},
		{"runstate=none", true},
		{"runstate=", true},
		{"vlanid=100", true},
		{"vlanid=101", false},
		{"vlanid=0", true},
		{"custom.name=tier&custom.value=gold", true},
		{"custom.name=tier&custom.value=blue", true},
		{"custom.name=tier&custom.value=gol", false},
		/* Without a value only fields whose value is "" match. */
		{"custom.name=tier", false},
		{"custom.name=owner", true},
		{"custom.name=owner&custom.value=", true},
		{"custom.name=owner&custom.value=x", false},
		{"custom.name=other", false},
		/* A value alone does not filter. */
		{"custom.value=nowhere", true},
		{"ts=5000", true},
		{"ts=5001", true},
		{"ts=4999", false},
		{"ts=0", true},
		/* All set members must hold. */
		{"name=web&runstate=running&vlanid=100&ts=5000", true},
		{"name=web&runstate=running&vlanid=1&ts=5000", false},
		{"name=web&runstate=paused&vlanid=100&ts=5000", false},
		{"name=db&runstate=running&vlanid=100&ts=5000", false},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vm_filter filter = {0};

		SET_QUERY(vm_filter_set, &filter, rows[i].query);
		if (vm_filter_match(&filter, &a_row) != rows[i].matches)
			fail_msg("%s is wrong", rows[i].query);
		vm_filter_free(&filter);
	}
}

static void host_query(void **state)
{
	static const struct query_row rows[] = {
		{"name=irt", true},
		{"name=virt2", false},
		{"cpuarch.arch=x86_64", true},
		{"cpuarch.arch=x86", false},
		{"cpuarch.vendor=AMD", true},
		{"cpuarch.vendor=Intel", false},
		{"cpudef.model=EPYC", true},
		{"cpudef.model=EPY", false},
		{"cpudef.nodes=2", true},
		{"cpudef.nodes=3", false},
		{"cpudef.sockets=3", true},
		{"cpudef.sockets=4", false},
		{"cpudef.cores=7", true},
		{"cpudef.cores=9", false},
		{"cpudef.threads=1", true},
		{"cpudef.threads=2", false},
		{"cstate=1", true},
		{"cstate=active", true},
		{"cstate=failed", false},
		{"memoryavailable=4096", true},
		{"memoryavailable=4097", false},
		{"hpavailable=512", true},
		{"hpavailable=513", false},
		{"osid=debian", true},
		{"osid=deb", false},
		{"osv=12", true},
		{"osv=1", false},
		{"ts=5000", true},
		{"ts=4999", false},
		{"name=virt&cstate=active&osid=debian&memoryavailable=1", true},
		{"name=virt&cstate=active&osid=suse&memoryavailable=1", false},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct host_filter filter = {0};

		SET_QUERY(host_filter_set, &filter, rows[i].query);
		if (host_filter_match(&filter, &a_host) != rows[i].matches)
			fail_msg("%s is wrong", rows[i].query);
		host_filter_free(&filter);
	}
}

/* What peers did not tell: a set text matches nothing, an unset one everything. */
static void missing_texts(void **state)
{
	const struct vm_row row = {0};
	const struct host host = {0};
	struct vm_filter vm_filter = {0};
	struct host_filter host_filter = {0};
	(void)state;

	assert_true(vm_filter_match(&vm_filter, &row));
	assert_true(host_filter_match(&host_filter, &host));
	vm_filter.name = (char[]){"a"};
	assert_false(vm_filter_match(&vm_filter, &row));
	host_filter.arch = (char[]){"a"};
	assert_false(host_filter_match(&host_filter, &host));
}

static void refuses_bad_queries(void **state)
{
	static const char *const vm_rows[][3] = {
		{"runstate", "runing", "runstate: \"runing\" is not a runstate"},
		{"runstate", "10", "runstate: \"10\" is not a runstate"},
		{"runstate", "-1", "runstate: \"-1\" is not a runstate"},
		{"vlanid", "x", "vlanid: \"x\" is not a whole number between -32768 and 32767"},
		{"vlanid", "32768", "vlanid: \"32768\" is not a whole number"},
		{"vlanid", "1.0", "vlanid: \"1.0\" is not a whole number"},
		{"ts", "9223372036854775808", "ts: \"9223372036854775808\" is not a whole"},
		{"name", "\xff", "name: not UTF-8"},
	};
	static const char *const host_rows[][3] = {
		{"cstate", "up", "cstate: \"up\" is not a host state"},
		{"memoryavailable", "2147483648", "memoryavailable: \"2147483648\" is not a whole"},
		{"cpudef.cores", "many", "cpudef.cores: \"many\" is not a whole number"},
	};
	struct vm_filter vm_filter = {0};
	struct host_filter host_filter = {0};
	struct error err = {0};
	(void)state;

	for (size_t i = 0; i < sizeof(vm_rows) / sizeof(vm_rows[0]); i++) {
		error_clear(&err);
		assert_int_equal(vm_filter_set(&vm_filter, vm_rows[i][0], vm_rows[i][1], &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
		if (!str_starts_with(err.message, vm_rows[i][2]))
			fail_msg("\"%s\" is not \"%s\"", err.message, vm_rows[i][2]);
		assert_null(vm_filter.name);
	}
	for (size_t i = 0; i < sizeof(host_rows) / sizeof(host_rows[0]); i++) {
		error_clear(&err);
		assert_int_equal(
			host_filter_set(&host_filter, host_rows[i][0], host_rows[i][1], &err), -1);
		if (!str_starts_with(err.message, host_rows[i][2]))
			fail_msg("\"%s\" is not \"%s\"", err.message, host_rows[i][2]);
	}
	error_clear(&err);
	assert_int_equal(host_filter_set(&host_filter, "cstate", "up", &err), -1);
	assert_string_equal(err.hint, "one of invalid, active, left, failed, or its number");
	error_clear(&err);
	assert_int_equal(vm_filter_set(&vm_filter, "runstate", "up", &err), -1);
	assert_true(str_ends_with(err.hint, "pmsuspended, crashed, or its number"));
	/* Not a filter, and no error: limit, cursor and the like. */
	error_clear(&err);
	assert_int_equal(vm_filter_set(&vm_filter, "name", "a", &err), 1);
	assert_int_equal(vm_filter_set(&vm_filter, "name", "b", &err), -1);
	assert_string_equal(err.message, "name: given twice");
	error_clear(&err);
	assert_int_equal(vm_filter_set(&vm_filter, "ts", "5", &err), 1);
	assert_int_equal(vm_filter_set(&vm_filter, "ts", "5", &err), -1);
	error_clear(&err);
	vm_filter_free(&vm_filter);
	assert_int_equal(vm_filter_set(&vm_filter, "limit", "x", &err), 0);
	assert_int_equal(vm_filter_set(&vm_filter, "custom", "x", &err), 0);
	assert_int_equal(host_filter_set(&host_filter, "runstate", "x", &err), 0);
	assert_false(error_is_set(&err));
}

static void reads_json(void **state)
{
	struct error err = {0};
	struct vm_filter filter;
	struct host_filter host_filter;
	(void)state;

	assert_int_equal(vm_filter_from_json(NULL, &filter, &err), 0);
	assert_true(vm_filter_match(&filter, &a_row));
	vm_filter_free(&filter);

	cleanup_json struct json_object *vm_json = fixture_parse(
		"{\"name\":\"web\",\"host\":\"h\",\"runstate\":9,\"vlanid\":-5,\"custom\":{"
		"\"name\":\"n\",\"value\":\"v\"},\"ts\":9007199254740993,\"other\":[]}");
	assert_int_equal(vm_filter_from_json(vm_json, &filter, &err), 0);
	assert_string_equal(filter.name, "web");
	assert_string_equal(filter.host_uuid, "h");
	assert_int_equal(filter.runstate, RUNSTATE_CRASHED);
	assert_int_equal(filter.vlanid, -5);
	assert_string_equal(filter.custom_name, "n");
	assert_string_equal(filter.custom_value, "v");
	assert_int_equal(filter.ts_ms, 9007199254740993);
	vm_filter_free(&filter);
	assert_null(filter.name);

	cleanup_json struct json_object *host_json = fixture_parse(
		"{\"name\":\"a\",\"cpuarch\":{\"arch\":\"b\",\"vendor\":\"c\"},\"cpudef\":{"
		"\"model\":\"d\",\"nodes\":1,\"sockets\":2,\"cores\":3,\"threads\":4},\"cstate\":2,"
		"\"memoryavailable\":5,\"hpavailable\":6,\"osid\":\"e\",\"osv\":\"f\",\"ts\":7}");
	assert_int_equal(host_filter_from_json(host_json, &host_filter, &err), 0);
	assert_string_equal(host_filter.name, "a");
	assert_string_equal(host_filter.arch, "b");
	assert_string_equal(host_filter.vendor, "c");
	assert_string_equal(host_filter.cpu_model, "d");
	assert_int_equal(host_filter.nodes, 1);
	assert_int_equal(host_filter.sockets, 2);
	assert_int_equal(host_filter.cores, 3);
	assert_int_equal(host_filter.threads, 4);
	assert_int_equal(host_filter.cstate, CSTATE_LEFT);
	assert_int_equal(host_filter.memory_available, 5);
	assert_int_equal(host_filter.hugepages_available, 6);
	assert_string_equal(host_filter.os_id, "e");
	assert_string_equal(host_filter.os_version, "f");
	assert_int_equal(host_filter.ts_ms, 7);
	host_filter_free(&host_filter);
}

static void refuses_bad_json(void **state)
{
	static const char *const rows[][2] = {
		{"[]", "filter: must be an object, not a list"},
		{"{\"name\":1}", "filter.name: must be a string, not a whole number"},
		{"{\"name\":\"x\",\"runstate\":10}", "filter.runstate: 10 is not a runstate"},
		{"{\"name\":\"x\",\"runstate\":\"running\"}", "filter.runstate: must be a whole"},
		{"{\"name\":\"x\",\"vlanid\":40000}", "filter.vlanid: 40000 is not between"},
		{"{\"custom\":\"x\"}", "filter.custom: must be an object, not a string"},
		{"{\"custom\":{\"name\":\"x\",\"value\":1}}", "filter.custom.value: must be a s"},
		{"{\"custom\":{\"name\":\"x\"},\"ts\":1.5}", "filter.ts: must be a whole number"},
	};
	struct vm_filter filter;
	struct host_filter host_filter;
	(void)state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cleanup_json struct json_object *json = fixture_parse(rows[i][0]);
		struct error err = {0};

		assert_int_equal(vm_filter_from_json(json, &filter, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
		if (!str_starts_with(err.message, rows[i][1]))
			fail_msg("\"%s\" is not \"%s\"", err.message, rows[i][1]);
		assert_null(filter.name);
		assert_null(filter.custom_name);
	}
	cleanup_json struct json_object *json =
		fixture_parse("{\"name\":\"x\",\"cpudef\":{\"cores\":true}}");
	struct error err = {0};
	assert_int_equal(host_filter_from_json(json, &host_filter, &err), -1);
	assert_string_equal(
		err.message, "filter.cpudef.cores: must be a whole number, not true or false");
	assert_null(host_filter.name);
}

static void vm_items(void **state)
{
	static const char *const customs[][2] = {
		{NULL, "{\"name\":\"tier\",\"value\":\"gold\"}"},
		{"", "{\"name\":\"tier\",\"value\":\"gold\"}"},
		{"owner", "{\"name\":\"owner\",\"value\":\"\"}"},
		{"none", "{\"name\":\"\",\"value\":\"\"}"},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(customs) / sizeof(customs[0]); i++) {
		cleanup_json struct json_object *json = vm_row_to_json(&a_row, customs[i][0]);
		cleanup_free char *text = json_text(json);
		cleanup_free char *wanted = xasprintf(
			"{\"uuid\":\"11111111-2222-4333-8444-555555555555\",\"fields\":{\"name\":"
			"\"web-01\",\"host\":\"%s\",\"runstate\":4,\"vlanid\":100,\"custom\":%s,"
			"\"cstate\":3,\"conflict\":[],\"ts\":5000}}",
			host_uuid, customs[i][1]);

		assert_string_equal(text, wanted);
	}
}

static void host_items(void **state)
{
	cleanup_json struct json_object *json = host_row_to_json(&a_host);
	cleanup_free char *text = json_text(json);
	(void)state;

	assert_string_equal(text,
		"{\"uuid\":\"aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee\",\"fields\":{\"name\":\"virt1\","
		"\"cpuarch\":{\"arch\":\"x86_64\",\"vendor\":\"AMD\"},\"cpudef\":{\"model\":"
		"\"EPYC\",\"nodes\":2,\"sockets\":3,\"cores\":8,\"threads\":1},\"cstate\":1,"
		"\"drained\":false,\"memoryavailable\":4096,\"hpavailable\":512,\"osid\":"
		"\"debian\",\"osv\":\"12\","
		"\"ts\":5000}}");
}

static void rows_of_vms(void **state)
{
	cleanup_vm struct vm vm = {.runstate = RUNSTATE_PAUSED, .ts_ms = 77};
	struct vm_row row, copy;
	(void)state;

	fixture_def(&vm.def);
	vm.def.vlanid = 5;
	snprintf(vm.uuid, sizeof(vm.uuid), "11111111-2222-4333-8444-555555555555");
	snprintf(vm.host_uuid, sizeof(vm.host_uuid), "%s", host_uuid);
	vm_row_from_vm(&row, &vm);
	vm_row_copy(&copy, &row);
	vm_row_free(&row);
	vm_row_free(&row);
	assert_string_equal(copy.uuid, vm.uuid);
	assert_string_equal(copy.host_uuid, host_uuid);
	assert_string_equal(copy.name, "web");
	assert_int_equal(copy.runstate, RUNSTATE_PAUSED);
	assert_int_equal(copy.vlanid, 5);
	assert_int_equal(copy.vcpus, 4);
	assert_int_equal(copy.n_custom, 1);
	assert_string_equal(copy.custom[0].value, "gold");
	assert_int_equal(copy.ts_ms, 77);
	vm_row_free(&copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vm_query),
		cmocka_unit_test(host_query),
		cmocka_unit_test(missing_texts),
		cmocka_unit_test(refuses_bad_queries),
		cmocka_unit_test(reads_json),
		cmocka_unit_test(refuses_bad_json),
		cmocka_unit_test(vm_items),
		cmocka_unit_test(host_items),
		cmocka_unit_test(rows_of_vms),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
