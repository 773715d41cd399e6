/* SPDX-License-Identifier: GPL-2.0-or-later */
/* VMs and hosts as values and as the objects of the API. */
#include "model/host.h"
#include "model/vm.h"
#include "vmdef_fixture.h"

static const char vm_uuid[] = "11111111-2222-4333-8444-555555555555";
static const char host_uuid[] = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";

static void make_vm(struct vm *vm)
{
	*vm = (struct vm){
		.runstate = RUNSTATE_RUNNING,
		.stats = {.cpu_utilization = 1,
			.mhz_used = 2,
			.memory_capacity_mib = 3000000000,
			.memory_used_mib = 4,
			.disk_capacity_mib = 5,
			.disk_allocation_mib = 6,
			.disk_physical_mib = 7,
			.net_rx_kib_s = 8,
			.net_tx_kib_s = 9},
		.ts_ms = 1234567890123,
		.autostart = true,
		.vnc = xstrdup("127.0.0.1:5900"),
		.n_addresses = 2,
	};
	snprintf(vm->uuid, sizeof(vm->uuid), "%s", vm_uuid);
	snprintf(vm->host_uuid, sizeof(vm->host_uuid), "%s", host_uuid);
	fixture_def(&vm->def);
	vm->oplog[OPLOG_SHUTDOWN] = (struct oplog_entry){true, 10, 0, OPLOG_STARTED, NULL};
	vm->oplog[OPLOG_BOOT] =
		(struct oplog_entry){true, 5, 6, OPLOG_FAILED, xstrdup("no \"memory\"")};
	vm->addresses = xcalloc(2, sizeof(*vm->addresses));
	vm->addresses[0] = xstrdup("10.0.0.1");
	vm->addresses[1] = xstrdup("fe80::1");
}

static void vm_has_the_members_of_the_contract(void **state)
{
	cleanup_vm struct vm vm = {0};
	(void)state;

	make_vm(&vm);
	cleanup_json struct json_object *json = vm_to_json(&vm);
	cleanup_json struct json_object *def = vmdef_to_json(&vm.def);
	cleanup_free char *text = json_text(json);
	cleanup_free char *def_text = json_text(def);
	char etag[17];
	vmdef_etag(&vm.def, etag);
	cleanup_free char *wanted = xasprintf(
		"{\"uuid\":\"%s\",\"def\":%s,\"runinfo\":{\"runstate\":4,\"host\":\"%s\"},"
		"\"stats\":{\"cpu_utilization\":1,\"mhz_used\":2,\"memory_capacity\":3000000000,"
		"\"memory_used\":4,\"disk_capacity\":5,\"disk_allocation\":6,\"disk_physical\":7,"
		"\"net_rx_bw\":8,\"net_tx_bw\":9,\"oplog\":{\"items\":["
		"{\"op\":\"VmBoot\",\"ts\":5,\"te\":6,\"status\":\"failed\",\"msg\":\"no "
		"\\\"memory\\\"\"},{\"op\":\"VmShutdown\",\"ts\":10,\"te\":0,\"status\":"
		"\"started\",\"msg\":\"\"}]}},\"ts\":1234567890123,\"vnc\":\"127.0.0.1:5900\","
		"\"addresses\":[\"10.0.0.1\",\"fe80::1\"],\"autostart\":true,\"foreign\":false,"
		"\"conflict\":[],"
		"\"etag\":\"%s\"}",
		vm_uuid, def_text, host_uuid, etag);
	assert_string_equal(text, wanted);
}

static void empty_vm_has_all_members(void **state)
{
	const struct vm vm = {0};
	cleanup_json struct json_object *json = vm_to_json(&vm);
	cleanup_free char *text = json_text(json);
	(void)state;

	assert_non_null(strstr(text, "\"oplog\":{\"items\":[]}"));
	assert_non_null(strstr(text, "\"addresses\":[]"));
	assert_non_null(strstr(text, "\"vnc\":\"\""));
	assert_null(strstr(text, "null"));
}

static void vm_copies_are_deep(void **state)
{
	cleanup_vm struct vm copy = {0};
	struct vm vm;
	(void)state;

	make_vm(&vm);
	cleanup_json struct json_object *before = vm_to_json(&vm);
	vm_copy(&copy, &vm);
	vm_free(&vm);
	cleanup_json struct json_object *after = vm_to_json(&copy);
	assert_true(json_object_equal(before, after));
	/* Freed twice is fine, and so is an empty one. */
	vm_free(&vm);
}

static void oplog_words(void **state)
{
	enum oplog_op op;
	enum oplog_status status;
	(void)state;

	for (int i = 0; i < OPLOG_COUNT; i++) {
		assert_true(oplog_op_parse(oplog_op_name((enum oplog_op)i), &op));
		assert_int_equal(op, i);
	}
	for (int i = OPLOG_STARTED; i <= OPLOG_COMPLETED; i++) {
		assert_true(oplog_status_parse(oplog_status_name((enum oplog_status)i), &status));
		assert_int_equal(status, i);
	}
	assert_string_equal(oplog_op_name(OPLOG_MIGRATE), "VmMigrate");
	assert_string_equal(oplog_status_name(OPLOG_COMPLETED), "completed");
	assert_false(oplog_op_parse("VmDelete", &op));
	assert_false(oplog_op_parse("", &op));
	assert_false(oplog_status_parse("Started", &status));
}

static void etag_covers_the_definition(void **state)
{
	static const char *const rows[][2] = {{"/name", "\"x\""}, {"/memory/total", "1025"},
		{"/disks/0/size", "65"}, {"/custom/0/value", "\"x\""}, {"/vlanid", "1"}};
	cleanup_vmdef struct vmdef def = {0}, same = {0};
	struct vmdef empty = {0};
	char etag[17], other[17];
	(void)state;

	fixture_def(&def);
	fixture_def(&same);
	vmdef_etag(&def, etag);
	vmdef_etag(&same, other);
	assert_string_equal(etag, other);
	/* Computed apart from this code: FNV-1a over the text of the definition without members
	 * set. */
	vmdef_etag(&empty, other);
	assert_string_equal(other, "a5db5d868a460836");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cleanup_json struct json_object *json = fixture_json(rows[i][0], rows[i][1]);
		cleanup_vmdef struct vmdef changed = {0};
		struct error err = {0};

		assert_int_equal(vmdef_from_json(json, &changed, &err), 0);
		vmdef_etag(&changed, other);
		assert_string_not_equal(etag, other);
	}
}

static void make_host(struct host *host)
{
	*host = (struct host){
		.name = xstrdup("virt1"),
		.arch = xstrdup("x86_64"),
		.vendor = xstrdup("AMD"),
		.cpu = {xstrdup("EPYC"), 2, 1, 8, 2},
		.tsc_hz = 3000000000,
		.firmware_version = xstrdup("1.2"),
		.firmware_date = xstrdup("01/02/2025"),
		.os_id = xstrdup("debian"),
		.os_version = xstrdup("12"),
		.cstate = CSTATE_ACTIVE,
		.drained = true,
		.lockid = 42,
		.memory = {1, 2, 3, 4, 5, 6, 7},
		.hugepages = {11, 12, 13, 14, 15, 16, 17},
		.processor = {21, 22, 23, 24, 25, 26, -27},
		.ts_ms = 99,
	};
	snprintf(host->uuid, sizeof(host->uuid), "%s", host_uuid);
}

static void host_has_the_members_of_the_contract(void **state)
{
	cleanup_host struct host copy = {0};
	struct host host;
	(void)state;

	make_host(&host);
	host_copy(&copy, &host);
	host_free(&host);
	host_free(&host);
	cleanup_json struct json_object *json = host_to_json(&copy);
	cleanup_free char *text = json_text(json);
	assert_string_equal(text,
		"{\"uuid\":\"aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee\",\"def\":{\"name\":\"virt1\","
		"\"cpuarch\":{\"arch\":\"x86_64\",\"vendor\":\"AMD\"},\"cpudef\":{\"model\":"
		"\"EPYC\",\"nodes\":2,\"sockets\":1,\"cores\":8,\"threads\":2},\"tscfreq\":"
		"3000000000,\"sysinfo\":{\"version\":\"1.2\",\"date\":\"01/02/2025\"},"
		"\"osid\":\"debian\",\"osv\":\"12\"},\"cstate\":1,\"drained\":true,\"lockid\":42,"
		"\"resources\":{"
		"\"memory\":{\"total\":1,\"used\":2,\"free\":3,\"usedos\":4,\"reservedvms\":5,"
		"\"usedvms\":6,\"availablevms\":7},\"hp\":{\"total\":11,\"used\":12,\"free\":13,"
		"\"usedos\":14,\"reservedvms\":15,\"usedvms\":16,\"availablevms\":17},"
		"\"cpu\":{\"total\":21,\"used\":22,\"free\":23,\"usedos\":24,\"reservedvms\":25,"
		"\"usedvms\":26,\"availablevms\":-27}},\"ts\":99}");
	const struct host empty = {0};
	cleanup_json struct json_object *empty_json = host_to_json(&empty);
	cleanup_free char *empty_text = json_text(empty_json);
	assert_null(strstr(empty_text, "null"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vm_has_the_members_of_the_contract),
		cmocka_unit_test(empty_vm_has_all_members),
		cmocka_unit_test(vm_copies_are_deep),
		cmocka_unit_test(oplog_words),
		cmocka_unit_test(etag_covers_the_definition),
		cmocka_unit_test(host_has_the_members_of_the_contract),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
