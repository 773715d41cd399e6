/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading domain XML: ours, libvirt's in both forms, that of others, and that of enemies. */
#include "tests/unit/domain_xml_fixture.h"

#include <glob.h>
#include <time.h>

/* The XML of a golden definition with the definition stored in it. The caller frees it. */
static char *write_stored(const char *name, struct vmdef *def)
{
	struct domain_xml_options options;

	load_golden(name, def);
	domain_xml_options_init(&options, VM_UUID);
	options.store_definition = true;
	options.vm_lease = true;
	return write_or_fail(def, &options);
}

static void forget_sizes(struct vmdef *def)
{
	for (size_t i = 0; i < def->n_disks; i++)
		def->disks[i].size_mib = 0;
}

/* What the prototype wrote has no stored definition: sizes and nodes are lost, nothing else. */
static void test_golden_read(void **state)
{
	static const char *const names[] = {"bios-net-custom", "bridge-vlan", "hugepages-numa",
		"cpu-named-genid-auto", "lun-iscsi", "many-disks", "minimal-uefi"};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		cleanup_free char *xml = read_text(GOLDEN, names[i], ".xml");
		cleanup_reading struct domain_reading reading = {0};
		cleanup_vmdef struct vmdef def = {0};

		load_golden(names[i], &def);
		forget_sizes(&def);
		def.cpu.nodes = 0;
		read_or_fail(xml, &reading);
		print_message("# %s\n", names[i]);
		assert_true(vmdef_equal(&def, &reading.def));
		assert_string_equal(reading.uuid, VM_UUID);
		assert_false(reading.foreign);
		assert_false(reading.def_is_stored);
		assert_false(reading.vm_lease);
	}
}

static void test_stored_definition_preferred(void **state)
{
	cleanup_vmdef struct vmdef def = {0};
	cleanup_free char *xml = write_stored("many-disks", &def);
	cleanup_reading struct domain_reading reading = {0};

	(void)state;
	read_or_fail(xml, &reading);
	assert_true(reading.def_is_stored);
	assert_true(vmdef_equal(&def, &reading.def));
	assert_int_equal(reading.def.disks[0].size_mib, 16384);
	assert_true(reading.vm_lease);
}

/* Reads XML in which one thing was changed behind our back; the XML must win. */
static void assert_xml_wins(
	const char *xml, const char *from, const char *to, struct domain_reading *reading)
{
	cleanup_free char *changed = replaced(xml, from, to);

	read_or_fail(changed, reading);
	assert_false(reading->def_is_stored);
	assert_int_equal(reading->def.disks[0].size_mib, 0);
}

static void test_xml_wins_where_they_disagree(void **state)
{
	static const char *const changes[][2] = {
		{"<title>many-disks", "<title>other"},
		{"\"MiB\">2048", "\"MiB\">2049"},
		{"sockets=\"2\"", "sockets=\"3\""},
		{"ua-M_T_scsi", "ua-U_T_scsi"},
		{"source file=\"/vms/ds/vm/d3.qcow2", "source file=\"/vms/ds/vm/d5.qcow2"},
		{"<cpu mode=\"host-passthrough\"", "<cpu mode=\"maximum\""},
		{"<os firmware=\"efi\"", "<os firmware=\"bios\""},
		{"<devices>", "<memoryBacking/><devices>"},
		{"<devices>", "<numatune/><devices>"},
		{"<devices>", "<devices><interface type='bridge'><source bridge='b'/>"
			      "<model type='virtio'/></interface>"},
		{"<metadata>", "<metadata><x xmlns='virtx-vm'><field name='a'>b</field></x>"},
		/* Stored definitions that are none. */
		{"xmlns=\"virtx-def\">{", "xmlns=\"virtx-def\">["},
		{"\"total\":2048", "\"total\":\"2048\""},
		{"\"size\":16384", "\"size\":-1"},
		{"xmlns=\"virtx-def\"", "xmlns=\"virtx-other\""},
	};
	cleanup_vmdef struct vmdef def = {0};
	cleanup_free char *xml = write_stored("many-disks", &def);

	(void)state;
	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
		cleanup_reading struct domain_reading reading = {0};

		print_message("# %s\n", changes[i][1]);
		assert_xml_wins(xml, changes[i][0], changes[i][1], &reading);
	}
}

/* TCG has no host CPU to pass through, which the stored definition need not know. */
static void test_cpu_model_of_tcg(void **state)
{
	cleanup_reading struct domain_reading reading = {0};
	cleanup_vmdef struct vmdef def = {0};
	struct domain_xml_options options;

	(void)state;
	load_golden("minimal-uefi", &def);
	domain_xml_options_init(&options, VM_UUID);
	options.store_definition = true;
	options.virt_type = VIRT_TYPE_QEMU;
	cleanup_free char *xml = write_or_fail(&def, &options);

	read_or_fail(xml, &reading);
	assert_true(reading.def_is_stored);
	assert_string_equal(reading.def.cpu.model, "host-passthrough");
}

/* What libvirt gave back for guests that ran, and for the same ones stopped. */
static void test_live_form(void **state)
{
	cleanup_free char *live = read_text(CORPUS, "many-disks-live", ".xml");
	cleanup_free char *inactive = read_text(CORPUS, "many-disks-inactive", ".xml");
	cleanup_reading struct domain_reading running = {0}, stopped = {0};

	(void)state;
	read_or_fail(live, &running);
	read_or_fail(inactive, &stopped);
	assert_true(vmdef_equal(&running.def, &stopped.def));
	assert_true(running.def_is_stored && stopped.def_is_stored);
	assert_string_equal(running.vnc, "127.0.0.1:5900");
	assert_string_equal(stopped.vnc, "");
	assert_string_equal(running.console_log, "/console.log");
	assert_true(running.oplog[OPLOG_BOOT].present);
	assert_int_equal(running.oplog[OPLOG_BOOT].start_ms, 1795132800000);
	assert_int_equal(running.oplog[OPLOG_BOOT].status, OPLOG_COMPLETED);
	assert_false(running.oplog[OPLOG_PAUSE].present);
	assert_int_equal(running.def.cpu.nodes, 1);
}

static void test_bios_without_attribute(void **state)
{
	cleanup_free char *xml = read_text(CORPUS, "bios-net-custom-live", ".xml");
	cleanup_reading struct domain_reading reading = {0};

	(void)state;
	assert_lacks(xml, "firmware=");
	read_or_fail(xml, &reading);
	assert_int_equal(reading.def.firmware, FIRMWARE_BIOS);
}

static void test_genid_that_libvirt_chose(void **state)
{
	cleanup_free char *xml = read_text(CORPUS, "cpu-named-genid-auto-inactive", ".xml");
	cleanup_reading struct domain_reading reading = {0};

	(void)state;
	read_or_fail(xml, &reading);
	assert_true(reading.def_is_stored);
	assert_true(uuid_is_valid(reading.def.genid));
}

static void test_seed_is_not_part_of_it(void **state)
{
	cleanup_free char *xml = read_text(CORPUS, "seed", ".xml");
	cleanup_free char *elsewhere =
		replaced(xml, "controller=\"0\" bus", "controller=\"1\" bus");
	cleanup_reading struct domain_reading with = {0}, other = {0};

	(void)state;
	read_or_fail(xml, &with);
	assert_int_equal(with.def.n_disks, 6);
	read_or_fail(elsewhere, &other);
	assert_int_equal(other.def.n_disks, 7);
}

static void test_foreign(void **state)
{
	cleanup_free char *xml = read_text(CORPUS, "foreign", ".xml");
	cleanup_reading struct domain_reading reading = {0};

	(void)state;
	read_or_fail(xml, &reading);
	assert_true(reading.foreign);
	assert_string_equal(reading.uuid, "aaaaaaaa-2222-4333-8444-555555555555");
	assert_string_equal(reading.def.name, "legacy");
	assert_string_equal(reading.def.cpu.model, "");
	assert_int_equal(vmdef_vcpus(&reading.def), 3);
	assert_int_equal(reading.def.memory_mib, 1024);
	assert_int_equal(reading.def.n_disks, 2);
	assert_string_equal(reading.def.disks[0].path, "/srv/legacy.img");
	assert_int_equal(reading.def.disks[0].man, DISK_UNMANAGED);
	assert_int_equal(reading.def.disks[1].device, DISK_DEVICE_CDROM);
	assert_int_equal(reading.def.n_nets, 1);
	assert_string_equal(reading.def.nets[0].name, "default");
	assert_string_equal(reading.def.nets[0].mac, "52:54:00:00:00:09");
	assert_string_equal(reading.vnc, "[::1]:5911");
}

static void test_nothing_but_a_uuid(void **state)
{
	cleanup_reading struct domain_reading reading = {0};

	(void)state;
	read_or_fail("<domain><uuid>" VM_UUID "</uuid></domain>", &reading);
	assert_true(reading.foreign);
	assert_int_equal(reading.def.n_disks, 1);
	assert_string_equal(reading.def.disks[0].path, "");
	assert_string_equal(reading.def.name, "");
	assert_string_equal(reading.def.genid, "");
}

static void test_memory_units(void **state)
{
	static const struct {
		const char *memory;
		int32_t mib;
	} cases[] = {
		{"<memory>2097152</memory>", 2048},
		{"<memory unit='KiB'> 2097152\n</memory>", 2048},
		{"<memory unit='bytes'>3145728</memory>", 3},
		{"<memory unit='gib'>2</memory>", 2048},
		{"<memory unit='MB'>1049</memory>", 1000},
		{"<memory unit='TiB'>9999999999999999</memory>", INT32_MAX},
		{"<memory unit='TiB'>4096</memory>", INT32_MAX},
		{"<memory unit='parsec'>1</memory>", 0},
		{"<memory>-1</memory>", 0},
		{"<memory>1e3</memory>", 0},
		{"", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cleanup_reading struct domain_reading reading = {0};
		cleanup_free char *xml =
			xasprintf("<domain><uuid>" VM_UUID "</uuid>%s</domain>", cases[i].memory);

		print_message("# %s\n", cases[i].memory);
		read_or_fail(xml, &reading);
		assert_int_equal(reading.def.memory_mib, cases[i].mib);
	}
}

static void test_oplog_round_trip(void **state)
{
	char message[] = "live migration from A to B. <&>";
	struct oplog_entry oplog[OPLOG_COUNT] = {
		[OPLOG_MIGRATE] = {true, 12345678901234, 0, OPLOG_STARTED, message},
		[OPLOG_SHUTDOWN] = {true, 1, 2, OPLOG_FAILED, NULL},
	};
	cleanup_reading struct domain_reading reading = {0};
	cleanup_vmdef struct vmdef def = {0};
	struct domain_xml_options options;
	char uri[40];

	(void)state;
	domain_xml_oplog_uri(OPLOG_MIGRATE, uri);
	assert_string_equal(uri, "virtx-op-VmMigrate");
	load_golden("minimal-uefi", &def);
	domain_xml_options_init(&options, VM_UUID);
	options.oplog = oplog;
	cleanup_free char *xml = write_or_fail(&def, &options);

	read_or_fail(xml, &reading);
	assert_false(reading.oplog[OPLOG_BOOT].present);
	assert_int_equal(reading.oplog[OPLOG_MIGRATE].start_ms, 12345678901234);
	assert_int_equal(reading.oplog[OPLOG_MIGRATE].end_ms, 0);
	assert_int_equal(reading.oplog[OPLOG_MIGRATE].status, OPLOG_STARTED);
	assert_string_equal(reading.oplog[OPLOG_MIGRATE].message, message);
	assert_int_equal(reading.oplog[OPLOG_SHUTDOWN].status, OPLOG_FAILED);
	assert_string_equal(reading.oplog[OPLOG_SHUTDOWN].message, "");
}

/* An entry that cannot be understood takes none of the others with it. */
static void test_bad_oplog_entries(void **state)
{
	cleanup_reading struct domain_reading reading = {0};

	(void)state;
	read_or_fail(
		"<domain><uuid>" VM_UUID "</uuid><metadata>"
		"<o xmlns='virtx-op-VmBoot'><ts>x</ts><te>1</te><status>failed</status></o>"
		"<o xmlns='virtx-op-VmPause'><ts>1</ts><te>1</te><status>so so</status></o>"
		"<o xmlns='virtx-op-VmResume'/><o xmlns='virtx-op-Nothing'/>"
		"<o xmlns='virtx-op-VmShutdown'><ts>1</ts><te>2</te><status>failed</status></o>"
		"</metadata></domain>",
		&reading);
	assert_false(reading.oplog[OPLOG_BOOT].present);
	assert_false(reading.oplog[OPLOG_PAUSE].present);
	assert_false(reading.oplog[OPLOG_RESUME].present);
	assert_true(reading.oplog[OPLOG_SHUTDOWN].present);
}

static void assert_refused(const char *xml, size_t len, const char *reason)
{
	struct domain_reading reading;
	struct error err = {0};

	assert_int_equal(domain_xml_read(xml, len, "/vms", &reading, &err), -1);
	assert_int_equal(err.code, ERR_STORED_DATA);
	assert_has(err.message, reason);
	assert_string_equal(reading.uuid, "");
	assert_null(reading.def.disks);
}

static void test_refused(void **state)
{
	cleanup_free char *doctype = read_text(CORPUS, "doctype", ".xml");
	cleanup_free char *cut = read_text(CORPUS, "cut", ".xml");
	static const char binary[] = "<domain>\0</domain>";

	(void)state;
	assert_refused("", 0, "empty");
	assert_refused(binary, sizeof binary - 1, "binary");
	assert_refused("nonsense", 8, "line 1");
	assert_refused(doctype, strlen(doctype), "document type");
	assert_refused(cut, strlen(cut), "not readable as XML");
	assert_refused("<domain/>", 9, "UUID");
	assert_refused("<domain><uuid>x</uuid></domain>", 31, "UUID");
	assert_refused("<network/>", 10, "not the XML of a domain");
	assert_refused("<domain>&foo;</domain>", 22, "foo");
	assert_refused("<domain>\xff</domain>", 18, "UTF-8");
}

static void test_refused_for_size(void **state)
{
	cleanup_free char *big = xmalloc(DOMAIN_XML_MAX + 1);
	cleanup_free char *deep = xmalloc(300 * 3);

	(void)state;
	memset(big, 'a', DOMAIN_XML_MAX + 1);
	assert_refused(big, DOMAIN_XML_MAX + 1, "longer");
	for (size_t i = 0; i < 300; i++)
		memcpy(deep + i * 3, "<a>", 3);
	assert_refused(deep, 300 * 3, "depth");
}

/* Every beginning of every file in the corpus: read or refused, never a crash. */
static void test_cut_anywhere(void **state)
{
	glob_t found;

	(void)state;
	assert_int_equal(glob(CORPUS "*", 0, NULL, &found), 0);
	assert_true(found.gl_pathc > 10);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		cleanup_free char *text = read_text(found.gl_pathv[i], "", "");
		size_t step = 1 + strlen(text) / 300;

		for (size_t len = 0; len < strlen(text); len += step) {
			cleanup_reading struct domain_reading reading = {0};
			struct error err = {0};

			if (domain_xml_read(text, len, "/vms", &reading, &err) < 0)
				assert_int_equal(err.code, ERR_STORED_DATA);
		}
	}
	globfree(&found);
}

/* A megabyte of devices, each of which looks for its controller among all: time stays bounded. */
static void test_many_devices(void **state)
{
	static const char disk[] = "<disk type='file'><source file='/a'/><target bus='scsi'/>"
				   "<address controller='9'/></disk>"
				   "<controller type='scsi' index='1'/>";
	size_t room = DOMAIN_XML_MAX, used;
	cleanup_free char *xml = xmalloc(room);
	cleanup_reading struct domain_reading reading = {0};
	clock_t start = clock();

	(void)state;
	used = (size_t)snprintf(xml, room, "<domain><uuid>" VM_UUID "</uuid><devices>");
	while (used + sizeof disk + 40 < room)
		used += (size_t)snprintf(xml + used, room - used, "%s", disk);
	snprintf(xml + used, room - used, "</devices></domain>");
	read_or_fail(xml, &reading);
	assert_true(reading.def.n_disks > VMDEF_MAX_DISKS && reading.def.n_disks < 1000);
	assert_true(clock() - start < 5 * CLOCKS_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_read),
		cmocka_unit_test(test_stored_definition_preferred),
		cmocka_unit_test(test_xml_wins_where_they_disagree),
		cmocka_unit_test(test_cpu_model_of_tcg),
		cmocka_unit_test(test_live_form),
		cmocka_unit_test(test_bios_without_attribute),
		cmocka_unit_test(test_genid_that_libvirt_chose),
		cmocka_unit_test(test_seed_is_not_part_of_it),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_nothing_but_a_uuid),
		cmocka_unit_test(test_memory_units),
		cmocka_unit_test(test_oplog_round_trip),
		cmocka_unit_test(test_bad_oplog_entries),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refused_for_size),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_many_devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
