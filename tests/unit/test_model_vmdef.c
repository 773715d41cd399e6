/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Definitions as values: JSON and back, golden files, comparing, MACs, lease names. */
#include "base/file.h"
#include "base/str.h"
#include "vmdef_fixture.h"

#include <glob.h>

static const struct vmdef_rules plain_rules = {.vms_dir = "/vms"};

static char *text_of(const struct vmdef *def)
{
	cleanup_json struct json_object *json = vmdef_to_json(def);

	return json_text(json);
}

static void reads_every_member(void **state)
{
	cleanup_vmdef struct vmdef def = {0};
	(void)state;

	fixture_def(&def);
	assert_string_equal(def.name, "web");
	assert_string_equal(def.cpu.model, "host-model");
	assert_int_equal(def.cpu.nodes, 1);
	assert_int_equal(vmdef_vcpus(&def), 4);
	assert_int_equal(def.memory_mib, 1024);
	assert_int_equal(def.n_disks, 2);
	assert_string_equal(def.disks[0].path, "/vms/ds/web/os.qcow2");
	assert_int_equal(def.disks[0].prov, DISK_PROV_THIN);
	assert_int_equal(def.disks[1].bus, DISK_BUS_VIRTIO_SCSI);
	assert_int_equal(def.disks[1].man, DISK_MANAGED);
	assert_int_equal(def.disks[1].size_mib, 64);
	assert_string_equal(def.nets[0].name, "default");
	assert_string_equal(def.nets[0].mac, "52:54:00:12:34:56");
	assert_string_equal(def.custom[0].value, "gold");
	assert_ptr_equal(vmdef_find_disk(&def, "/vms/ds/web/data.raw"), &def.disks[1]);
	assert_null(vmdef_find_disk(&def, "/vms/ds/web/data.ra"));
}

static void writes_members_in_order(void **state)
{
	cleanup_vmdef struct vmdef def = {0};
	(void)state;

	fixture_def(&def);
	cleanup_free char *text = text_of(&def);
	assert_string_equal(text,
		"{\"name\":\"web\",\"cpudef\":{\"model\":\"host-model\",\"nodes\":1,\"sockets\":2,"
		"\"cores\":2,\"threads\":1},\"memory\":{\"total\":1024,\"hp\":false},"
		"\"numa\":{\"placement\":false},\"osdisk\":{\"path\":\"/vms/ds/web/os.qcow2\","
		"\"device\":0,\"bus\":0,\"man\":1,\"prov\":1,\"size\":1024},\"disks\":[{\"path\":"
		"\"/vms/ds/web/data.raw\",\"device\":0,\"bus\":1,\"man\":1,\"prov\":2,\"size\":64}"
		"],\"nets\":[{\"name\":\"default\",\"nettype\":0,\"model\":0,"
		"\"mac\":\"52:54:00:12:34:56\"}],\"vlanid\":0,\"firmware\":0,\"genid\":\"\","
		"\"custom\":[{\"name\":\"tier\",\"value\":\"gold\"}]}");
}

/* Whether members are missing, null, or the whole text is null: all zero, and all of it written. */
static void missing_is_zero(void **state)
{
	static const char *const texts[] = {"null", "{}", "{\"unknown\":[1,{\"x\":2}]}",
		("{\"name\":null,\"cpudef\":null,\"memory\":{\"hp\":null},\"osdisk\":null,"
		 "\"disks\":null,\"nets\":null,\"custom\":null,\"vlanid\":null}")};
	cleanup_vmdef struct vmdef zero = {0};
	cleanup_free char *empty = text_of(&zero);
	(void)state;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		cleanup_json struct json_object *json = fixture_parse(texts[i]);
		cleanup_vmdef struct vmdef def = {0};
		struct error err = {0};

		assert_int_equal(vmdef_from_json(json, &def, &err), 0);
		assert_int_equal(def.n_disks, 1);
		assert_string_equal(def.name, "");
		assert_string_equal(def.disks[0].path, "");
		cleanup_free char *text = text_of(&def);
		assert_string_equal(text, empty);
	}
	/* An element that is null is an empty one, refused by the rules later. */
	cleanup_json struct json_object *json = fixture_parse("{\"disks\":[null]}");
	cleanup_vmdef struct vmdef def = {0};
	struct error err = {0};
	assert_int_equal(vmdef_from_json(json, &def, &err), 0);
	assert_int_equal(def.n_disks, 2);
}

static void refuses_wrong_types(void **state)
{
	static const char *const rows[][3] = {
		{"/name", "1", "name: must be a string, not a whole number"},
		{"/name", "\"a\\u0000\"", "name: must not contain \\u0000"},
		{"/name", "\"\xc0\x80\"", "name: not UTF-8"},
		{"/cpudef", "\"EPYC\"", "cpudef: must be an object, not a string"},
		{"/cpudef/model", "[]", "cpudef.model: must be a string, not a list"},
		{"/cpudef/nodes", "65536", "cpudef.nodes: 65536 is not between"},
		{"/cpudef/sockets", "\"1\"",
			"cpudef.sockets: must be a whole number, not a string"},
		{"/cpudef/cores", "1.5", "cpudef.cores: must be a whole number, not a number with"},
		{"/cpudef/threads", "true", "cpudef.threads: must be a whole number"},
		{"/memory", "1024", "memory: must be an object, not a whole number"},
		{"/memory/total", "2147483648", "memory.total: 2147483648 is not between"},
		{"/memory/hp", "1", "memory.hp: must be true or false, not a whole number"},
		{"/numa/placement", "\"no\"", "numa.placement: must be true or false"},
		{"/osdisk", "[]", "osdisk: must be an object, not a list"},
		{"/osdisk/path", "{}", "osdisk.path: must be a string, not an object"},
		{"/osdisk/device", "3", "osdisk.device: 3 is not a disk device (0 disk, 1 cdrom"},
		{"/disks", "{}", "disks: must be a list, not an object"},
		{"/disks/0", "\"x\"", "disks[0]: must be an object, not a string"},
		{"/disks/0/bus", "4", "disks[0].bus: 4 is not a disk bus"},
		{"/disks/0/man", "2", "disks[0].man: 2 is not a disk management"},
		{"/disks/0/prov", "-1", "disks[0].prov: -1 is not a provisioning"},
		{"/disks/0/size", "99999999999", "disks[0].size: 99999999999 is not between"},
		{"/nets", "1", "nets: must be a list, not a whole number"},
		{"/nets/0/name", "1", "nets[0].name: must be a string"},
		{"/nets/0/nettype", "2", "nets[0].nettype: 2 is not a network type"},
		{"/nets/0/model", "3", "nets[0].model: 3 is not a network model"},
		{"/nets/0/mac", "0", "nets[0].mac: must be a string"},
		{"/vlanid", "32768", "vlanid: 32768 is not between"},
		{"/firmware", "2", "firmware: 2 is not a firmware (0 bios, 1 uefi)"},
		{"/genid", "0", "genid: must be a string"},
		{"/custom/0/name", "0", "custom[0].name: must be a string"},
		{"/custom/0/value", "0", "custom[0].value: must be a string"},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cleanup_json struct json_object *json = fixture_json(rows[i][0], rows[i][1]);
		struct vmdef def;
		struct error err = {0};

		if (vmdef_from_json(json, &def, &err) == 0)
			fail_msg("%s = %s was accepted", rows[i][0], rows[i][1]);
		assert_int_equal(err.code, ERR_INVALID);
		if (!str_starts_with(err.message, rows[i][2]))
			fail_msg("\"%s\" is not \"%s\"", err.message, rows[i][2]);
		/* Nothing is left to free; the leak checker agrees. */
		assert_null(def.name);
		assert_int_equal(def.n_disks, 0);
	}
	cleanup_json struct json_object *list = fixture_parse("[]");
	struct vmdef def;
	struct error err = {0};
	assert_int_equal(vmdef_from_json(list, &def, &err), -1);
	assert_string_equal(err.message, "the body: must be an object, not a list");
}

/* A list one longer than allowed is refused before anything is allocated for it. */
static void limits_lists(void **state)
{
	static const struct {
		const char *name;
		size_t max;
	} lists[] = {
		{"disks", VMDEF_MAX_DISKS}, {"nets", VMDEF_MAX_NETS}, {"custom", VMDEF_MAX_CUSTOM}};
	(void)state;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		cleanup_json struct json_object *json = json_new_object();
		struct json_object *list = json_add_array(json, lists[i].name);
		struct vmdef def;
		struct error err = {0};

		for (size_t n = 0; n < lists[i].max; n++)
			json_append_object(list);
		assert_int_equal(vmdef_from_json(json, &def, &err), 0);
		vmdef_free(&def);
		json_append_object(list);
		assert_int_equal(vmdef_from_json(json, &def, &err), -1);
		cleanup_free char *message = xasprintf(
			"%s: at most %zu, not %zu", lists[i].name, lists[i].max, lists[i].max + 1);
		assert_string_equal(err.message, message);
	}
}

static void random_definitions_survive(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 500; seed++) {
		struct fixture_random random = {seed};
		cleanup_vmdef struct vmdef def = {0}, copy = {0}, back = {0};
		struct error err = {0};

		fixture_random_def(&random, &def);
		vmdef_copy(&copy, &def);
		if (vmdef_validate(&copy, &plain_rules, &err) < 0)
			fail_msg("seed %lu: %s", (unsigned long)seed, err.message);
		/* It was canonical already. */
		assert_true(vmdef_equal(&def, &copy));
		cleanup_free char *text = text_of(&def);
		cleanup_json struct json_object *json = fixture_parse(text);
		if (vmdef_from_json(json, &back, &err) < 0)
			fail_msg("seed %lu: %s", (unsigned long)seed, err.message);
		if (!vmdef_equal(&def, &back))
			fail_msg("seed %lu does not survive: %s", (unsigned long)seed, text);
	}
}

/* Every single member makes a difference to equality. */
static void equality_sees_every_member(void **state)
{
	static const char *const rows[][2] = {{"/name", "\"x\""}, {"/cpudef/model", "\"x\""},
		{"/cpudef/nodes", "9"}, {"/cpudef/sockets", "9"}, {"/cpudef/cores", "9"},
		{"/cpudef/threads", "9"}, {"/memory/total", "9"}, {"/memory/hp", "true"},
		{"/numa/placement", "true"}, {"/osdisk/path", "\"x\""}, {"/osdisk/device", "1"},
		{"/osdisk/bus", "1"}, {"/osdisk/man", "0"}, {"/osdisk/prov", "0"},
		{"/osdisk/size", "0"}, {"/disks", "[]"}, {"/disks/0/size", "0"}, {"/nets", "[]"},
		{"/nets/0/name", "\"x\""}, {"/nets/0/nettype", "1"}, {"/nets/0/model", "1"},
		{"/nets/0/mac", "\"\""}, {"/vlanid", "9"}, {"/firmware", "1"},
		{"/genid", "\"auto\""}, {"/custom", "[]"}, {"/custom/0/name", "\"x\""},
		{"/custom/0/value", "\"x\""}};
	cleanup_vmdef struct vmdef def = {0}, same = {0};
	(void)state;

	fixture_def(&def);
	fixture_def(&same);
	assert_true(vmdef_equal(&def, &same));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cleanup_json struct json_object *json = fixture_json(rows[i][0], rows[i][1]);
		cleanup_vmdef struct vmdef other = {0};
		struct error err = {0};

		assert_int_equal(vmdef_from_json(json, &other, &err), 0);
		if (vmdef_equal(&def, &other))
			fail_msg("%s makes no difference", rows[i][0]);
	}
	/* NULL is "". */
	free(same.genid);
	same.genid = NULL;
	assert_true(vmdef_equal(&def, &same));
	assert_true(vmdef_equal(&same, &def));
}

static void chooses_macs(void **state)
{
	cleanup_vmdef struct vmdef def = {0};
	struct error err = {0};
	cleanup_json struct json_object *json =
		fixture_json("/nets", "[{\"name\":\"a\",\"mac\":\"52:54:00:00:00:01\"},{\"name\":"
				      "\"b\"},{\"name\":\"c\"}]");
	(void)state;

	assert_int_equal(vmdef_from_json(json, &def, &err), 0);
	vmdef_choose_macs(&def);
	assert_string_equal(def.nets[0].mac, "52:54:00:00:00:01");
	for (size_t i = 1; i < 3; i++) {
		assert_int_equal(strlen(def.nets[i].mac), 17);
		assert_true(str_starts_with(def.nets[i].mac, "52:54:00:"));
	}
	assert_string_not_equal(def.nets[1].mac, def.nets[2].mac);
	assert_int_equal(vmdef_validate(&def, &plain_rules, &err), 0);
}

static void vcpus_never_overflow(void **state)
{
	struct vmdef def = {.cpu = {.sockets = 32767, .cores = 32767, .threads = 32767}};
	(void)state;

	assert_int_equal(vmdef_vcpus(&def), 32767);
	def.cpu.sockets = -32768;
	assert_int_equal(vmdef_vcpus(&def), 0);
	def.cpu = (struct cpudef){.sockets = 256, .cores = 127, .threads = 1};
	assert_int_equal(vmdef_vcpus(&def), 256 * 127);
}

/* Golden: what must be accepted is, what must be refused is, with a better reason than before. */
static void agrees_with_golden_files(void **state)
{
	static const char *const reasons[][2] = {
		{"invalid-badname", "name: required"},
		{"invalid-cust", "custom[0].name: only A-Z a-z 0-9 and _"},
		{"invalid-lunbus", "osdisk.bus: a lun needs virtio-scsi"},
		{"invalid-path1", "osdisk.path: /etc/passwd is neither below /vms/ds/"},
		{"invalid-vlan", "vlanid: 4095 is not between 0 and 4094"},
	};
	glob_t files;
	size_t refused = 0;
	(void)state;

	assert_int_equal(glob("tests/golden/vmdef/*.json", 0, NULL, &files), 0);
	assert_true(files.gl_pathc >= 12);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		cleanup_vmdef struct vmdef def = {0};
		struct error err = {0};
		cleanup_free char *text = file_read(files.gl_pathv[i], 1 << 20, NULL, &err);
		assert_non_null(text);
		cleanup_json struct json_object *json = fixture_parse(text);

		assert_int_equal(vmdef_from_json(json, &def, &err), 0);
		int status = vmdef_validate(&def, &plain_rules, &err);
		if (!strstr(files.gl_pathv[i], "/invalid-")) {
			if (status < 0)
				fail_msg("%s: %s", files.gl_pathv[i], err.message);
			continue;
		}
		assert_int_equal(status, -1);
		for (size_t r = 0; r < sizeof(reasons) / sizeof(reasons[0]); r++)
			refused += strstr(files.gl_pathv[i], reasons[r][0]) &&
				   str_starts_with(err.message, reasons[r][1]);
	}
	globfree(&files);
	assert_int_equal(refused, sizeof(reasons) / sizeof(reasons[0]));
}

static void lease_names_agree_with_golden_file(void **state)
{
	struct error err = {0};
	cleanup_free char *text = file_read("tests/golden/resource-names.txt", 1 << 16, NULL, &err);
	char *rest = text, *line;
	int compared = 0;
	(void)state;

	assert_non_null(text);
	while ((line = strsep(&rest, "\n"))) {
		char name[256];
		char *path = strsep(&line, " ");

		if (!*path || *path == '#')
			continue;
		struct disk disk = {.path = path,
			.device = str_starts_with(path, "/dev/") ? DISK_DEVICE_LUN
								 : DISK_DEVICE_DISK};
		disk_lease_name(&disk, "/vms", name);
		assert_string_equal(name, line);
		compared++;
	}
	assert_int_equal(compared, 7);
}

static void lease_names_follow_the_datastore(void **state)
{
	char name[256], other[256];
	struct disk disk = {.path = (char[]){"/srv/x/ds/a.raw"}};
	(void)state;

	/* The same below every root. */
	disk_lease_name(&disk, "/srv/x", name);
	assert_string_equal(name, "8ed92aac084a0851013b1332ad273f83");
	/* Outside the datastore it is the whole path. */
	disk_lease_name(&disk, "/vms", other);
	assert_string_equal(other, "86359da12f36eeb33349da663a733141");
	/* A LUN without a known prefix keeps its whole name; one prefix only is removed. */
	disk = (struct disk){.path = (char[]){"/dev/disk/by-id/ata-X"}, .device = DISK_DEVICE_LUN};
	disk_lease_name(&disk, "/vms", name);
	assert_string_equal(name, "ata-X");
	disk.path = (char[]){"/dev/disk/by-id/scsi-nvme-x"};
	disk_lease_name(&disk, "/vms", name);
	assert_string_equal(name, "nvme-x");
	/* Never longer than it may be, whatever a foreign domain says. */
	cleanup_free char *huge = xcalloc(1000, 1);
	memset(huge, 'x', 999);
	disk.path = huge;
	disk_lease_name(&disk, "/vms", name);
	assert_int_equal(strlen(name), 32);
	/* Nor a way out of the lock directory, another VM's lease or the lockspace. */
	static const char *const hostile[] = {"/dev/disk/by-id/scsi-", "/dev/disk/by-id/scsi-..",
		"/dev/disk/by-id/nvme-.", "/dev/disk/by-id/scsi-__VIRTX__DISKS__",
		"/dev/disk/by-id/scsi-vm-11111111-2222-4333-8444-555555555555", "/", ""};
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		disk.path = (char *)hostile[i];
		disk_lease_name(&disk, "/vms", name);
		assert_int_equal(strlen(name), 32);
		assert_int_equal(strspn(name, "0123456789abcdef"), 32);
	}
	disk.path = NULL;
	disk_lease_name(&disk, "/vms", name);
	vm_lease_name("11111111-2222-4333-8444-555555555555", name);
	assert_string_equal(name, "vm-11111111-2222-4333-8444-555555555555");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_member),
		cmocka_unit_test(writes_members_in_order),
		cmocka_unit_test(missing_is_zero),
		cmocka_unit_test(refuses_wrong_types),
		cmocka_unit_test(limits_lists),
		cmocka_unit_test(random_definitions_survive),
		cmocka_unit_test(equality_sees_every_member),
		cmocka_unit_test(chooses_macs),
		cmocka_unit_test(vcpus_never_overflow),
		cmocka_unit_test(agrees_with_golden_files),
		cmocka_unit_test(lease_names_agree_with_golden_file),
		cmocka_unit_test(lease_names_follow_the_datastore),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
