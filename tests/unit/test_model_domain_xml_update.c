/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A new definition put into the XML of a domain that libvirt, people and other programs have
 * touched. */
#include "tests/unit/domain_xml_fixture.h"

static void init_options(struct domain_xml_options *options)
{
	domain_xml_options_init(options, VM_UUID);
	options->virt_type = VIRT_TYPE_QEMU;
	options->store_definition = true;
	options->leases = false;
}

/* The corpus was made with TCG and without leases, so that is what it is updated with. */
static char *update_or_fail(const char *xml, const struct vmdef *def)
{
	struct domain_xml_options options;
	struct error err = {0};

	init_options(&options);
	char *updated = domain_xml_update(xml, strlen(xml), def, &options, &err);

	if (!updated)
		fail_msg("%s", err.message);
	return updated;
}

static void read_definition(const char *xml, struct vmdef *def)
{
	cleanup_reading struct domain_reading reading = {0};

	read_or_fail(xml, &reading);
	vmdef_copy(def, &reading.def);
}

static void set_text(char **text, const char *value)
{
	free(*text);
	*text = xstrdup(value);
}

static void test_unchanged_stays_the_same(void **state)
{
	cleanup_free char *xml = read_text(CORPUS, "many-disks-inactive", ".xml");
	cleanup_vmdef struct vmdef def = {0}, after = {0};

	(void)state;
	read_definition(xml, &def);
	cleanup_free char *updated = update_or_fail(xml, &def);

	read_definition(updated, &after);
	assert_true(vmdef_equal(&def, &after));
	/* The guest sees its devices where they were. */
	assert_int_equal(
		count_of(updated, "type=\"pci\" domain"), count_of(xml, "type='pci' domain"));
	assert_has(updated, "pc-q35-7.2");
	assert_has(updated, "VmBoot");
}

static void test_changes_arrive(void **state)
{
	cleanup_free char *xml = read_text(CORPUS, "many-disks-inactive", ".xml");
	cleanup_reading struct domain_reading reading = {0};
	cleanup_vmdef struct vmdef def = {0};

	(void)state;
	read_definition(xml, &def);
	set_text(&def.name, "new <name>");
	def.memory_mib = 96;
	def.hugepages = def.numa_placement = true;
	def.cpu.sockets = 5;
	set_text(&def.disks[2].path, "/vms/ds/vm/other.raw");
	cleanup_free char *gone = xstrdup(def.disks[--def.n_disks].path);

	disk_free(&def.disks[def.n_disks]);
	cleanup_free char *updated = update_or_fail(xml, &def);

	read_or_fail(updated, &reading);
	assert_true(reading.def_is_stored);
	assert_true(vmdef_equal(&def, &reading.def));
	assert_lacks(updated, gone);
	assert_lacks(updated, "currentMemory");
	assert_has(updated, "threads=\"5\"");
}

/* What a definition has no word for. */
static void test_other_things_stay(void **state)
{
	static const char others[] =
		"<hostdev mode='subsystem' type='pci'><source><address domain='0x0000'/></source>"
		"<boot order='2'/></hostdev>"
		"<tpm model='tpm-crb'/><watchdog model='itco'/><filesystem type='mount'/>"
		"<lease><lockspace>THEIRS</lockspace><key>k</key></lease>"
		"<interface type='direct'><source dev='eth0'/></interface>"
		"<disk type='network' device='disk'><target dev='sdb' bus='sata'/>"
		"<address type='drive' unit='1'/></disk></devices>";
	static const char *const kept[] = {"<hostdev", "<tpm", "<watchdog", "<filesystem", "THEIRS",
		"type=\"direct\"", "type=\"network\"", "foreign-thing", "VmBoot", "<memtune",
		"console.log", VM_UUID};
	cleanup_free char *xml = read_text(CORPUS, "many-disks-inactive", ".xml");
	cleanup_free char *more = replaced(xml, "</devices>", others);
	cleanup_free char *noted = replaced(
		more, "</metadata>", "<n xmlns='foreign'>foreign-thing</n></metadata><memtune/>");
	cleanup_free char *uuid = replaced(noted, "<uuid>", "<uuid>" VM_UUID "</uuid><was>");
	cleanup_free char *whole = replaced(uuid, "</uuid>\n", "</was>\n");
	cleanup_vmdef struct vmdef def = {0};

	(void)state;
	read_definition(whole, &def);
	cleanup_free char *updated = update_or_fail(whole, &def);

	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
		assert_has(updated, kept[i]);
	/* Of two with one boot order or target the definition's has it. */
	assert_int_equal(count_of(updated, "order=\"2\""), 1);
	assert_has(updated, "order=\"3\"");
	assert_int_equal(count_of(updated, "\"sdb\""), 1);
	assert_lacks(updated, "unit=\"1\"");
}

static void test_data_vm_stays_first(void **state)
{
	cleanup_free char *xml = read_text(CORPUS, "many-disks-inactive", ".xml");
	cleanup_free char *shuffled =
		replaced(xml, "<metadata>", "<metadata><n xmlns='foreign'>x</n>");
	cleanup_vmdef struct vmdef def = {0};

	(void)state;
	read_definition(shuffled, &def);
	cleanup_free char *updated = update_or_fail(shuffled, &def);
	cleanup_xml xmlDoc *doc = parse_or_fail(updated);
	xmlNode *metadata = xml_child(xmlDocGetRootElement(doc), "metadata");

	assert_ptr_equal(xml_child(metadata, NULL), xml_child_ns(metadata, "virtx-vm"));
	assert_non_null(xml_child_ns(metadata, "foreign"));
	assert_int_equal(count_of(updated, "<data-vm"), 1);
	assert_int_equal(count_of(updated, "\"virtx-def\""), 1);
}

static void test_extras_of_a_disk_stay(void **state)
{
	cleanup_free char *xml = read_text(CORPUS, "many-disks-inactive", ".xml");
	cleanup_free char *serial =
		replaced(xml, "<target dev='vdb'", "<serial>S1</serial><target dev='vdb'");
	cleanup_free char *discard =
		replaced(serial, "iothread='4'", "iothread='4' discard='unmap'");
	cleanup_vmdef struct vmdef def = {0};
	cleanup_reading struct domain_reading reading = {0};

	(void)state;
	read_definition(discard, &def);
	cleanup_free char *updated = update_or_fail(discard, &def);

	assert_has(updated, "<serial>S1</serial>");
	assert_has(updated, "discard=\"unmap\"");
	/* But a disk that is another one now gets none of it. */
	for (size_t i = 0; i < def.n_disks; i++)
		if (strstr(def.disks[i].path, "d4.qcow2"))
			set_text(&def.disks[i].path, "/vms/ds/vm/d9.qcow2");
	cleanup_free char *moved = update_or_fail(discard, &def);

	assert_lacks(moved, "<serial>S1</serial>");
	assert_lacks(moved, "unmap");
	read_or_fail(moved, &reading);
	assert_true(reading.def_is_stored);
}

static void test_macs_and_genid_stay(void **state)
{
	cleanup_free char *golden = read_text(GOLDEN, "bios-net-custom", ".xml");
	cleanup_vmdef struct vmdef def = {0}, after = {0};

	(void)state;
	load_golden("bios-net-custom", &def);
	set_text(&def.nets[0].mac, "");
	set_text(&def.genid, "auto");
	cleanup_free char *updated = update_or_fail(golden, &def);

	read_definition(updated, &after);
	assert_string_equal(after.nets[0].mac, "52:54:00:8c:25:ef");
	assert_string_equal(after.genid, "43dc0cf8-809b-4adb-9bea-a9abb5f3d90e");
	/* Another network is another interface. */
	set_text(&def.nets[0].name, "other");
	cleanup_free char *moved = update_or_fail(golden, &def);

	assert_lacks(moved, "52:54:00:8c:25:ef");
}

/* libvirt would make a placement of vcpus that stays into one of memory. */
static void test_placement_goes_with_the_vcpus(void **state)
{
	cleanup_free char *golden = read_text(GOLDEN, "hugepages-numa", ".xml");
	cleanup_free char *as_libvirt = replaced(golden, "<vcpu>", "<vcpu placement='auto'>");
	cleanup_vmdef struct vmdef def = {0};

	(void)state;
	load_golden("hugepages-numa", &def);
	def.numa_placement = false;
	cleanup_free char *updated = update_or_fail(as_libvirt, &def);

	assert_lacks(updated, "placement=\"auto\"");
	assert_lacks(updated, "numatune");
	assert_has(updated, "<hugepages/>");
}

static void test_kvm_becomes_tcg(void **state)
{
	cleanup_free char *golden = read_text(GOLDEN, "minimal-uefi", ".xml");
	cleanup_vmdef struct vmdef def = {0};

	(void)state;
	load_golden("minimal-uefi", &def);
	cleanup_free char *updated = update_or_fail(golden, &def);

	assert_has(updated, "<domain type=\"qemu\">");
	assert_lacks(updated, "kvmclock");
	assert_lacks(updated, "eoi");
	assert_has(updated, "<cpu mode=\"maximum\"");
}

static void test_other_chipset(void **state)
{
	cleanup_free char *xml = read_text(CORPUS, "minimal-uefi-inactive", ".xml");
	cleanup_vmdef struct vmdef def = {0}, after = {0};

	(void)state;
	read_definition(xml, &def);
	def.firmware = FIRMWARE_BIOS;
	cleanup_free char *updated = update_or_fail(xml, &def);

	read_definition(updated, &after);
	assert_int_equal(after.firmware, FIRMWARE_BIOS);
	assert_lacks(updated, "pcie-root");
	assert_lacks(updated, "type=\"pci\" domain");
	assert_lacks(updated, "nvram");
	assert_has(updated, "machine=\"pc\"");
}

static void test_leases_are_made_anew(void **state)
{
	cleanup_free char *golden = read_text(CORPUS, "seed", ".xml");
	cleanup_free char *seed_lease =
		domain_xml_seed_lease("/vms", "2b1cb9d8e6f28f1aa4b4bb0a5a6d5a5a");
	cleanup_vmdef struct vmdef def = {0};
	struct domain_xml_options options;
	struct error err = {0};

	(void)state;
	load_golden("minimal-uefi", &def);
	domain_xml_options_init(&options, VM_UUID);
	options.vm_lease = true;
	cleanup_free char *updated =
		domain_xml_update(golden, strlen(golden), &def, &options, &err);

	assert_non_null(updated);
	assert_int_equal(count_of(updated, "<lease>"), 2);
	assert_int_equal(count_of(updated, "<key>vm-"), 1);
	assert_has(updated, "seed.iso");
	/* The lease of an attached seed goes with the seed. */
	const struct disk seed = {.path = (char *)(uintptr_t) "/vms/ds/ci/" VM_UUID "/seed.iso",
		.device = DISK_DEVICE_CDROM};
	char name[256];

	disk_lease_name(&seed, "/vms", name);
	cleanup_free char *with_lease =
		replaced(seed_lease, "2b1cb9d8e6f28f1aa4b4bb0a5a6d5a5a", name);
	cleanup_free char *leased_devices = xasprintf("%s</devices>", with_lease);
	cleanup_free char *leased = replaced(golden, "</devices>", leased_devices);
	cleanup_free char *again = domain_xml_update(leased, strlen(leased), &def, &options, &err);

	assert_non_null(again);
	assert_int_equal(count_of(again, "<lease>"), 3);
	assert_has(again, name);
}

static void test_bare_domain(void **state)
{
	cleanup_vmdef struct vmdef def = {0};
	cleanup_reading struct domain_reading reading = {0};

	(void)state;
	load_golden("many-disks", &def);
	cleanup_free char *updated =
		update_or_fail("<domain><uuid>" VM_UUID "</uuid></domain>", &def);

	read_or_fail(updated, &reading);
	assert_true(reading.def_is_stored);
	assert_true(vmdef_equal(&def, &reading.def));
}

static void test_refused(void **state)
{
	static const char *const bad[] = {"", "<domain>", "<domain/>", "<!DOCTYPE d><domain/>"};
	cleanup_vmdef struct vmdef def = {0};
	struct domain_xml_options options;
	struct error err = {0};

	(void)state;
	load_golden("minimal-uefi", &def);
	init_options(&options);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		error_clear(&err);
		assert_null(domain_xml_update(bad[i], strlen(bad[i]), &def, &options, &err));
		assert_int_equal(err.code, ERR_STORED_DATA);
	}
	cleanup_free char *golden = read_text(GOLDEN, "minimal-uefi", ".xml");

	error_clear(&err);
	set_text(&def.disks[0].path, "/vms/ds/\001");
	assert_null(domain_xml_update(golden, strlen(golden), &def, &options, &err));
	assert_int_equal(err.code, ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unchanged_stays_the_same),
		cmocka_unit_test(test_changes_arrive),
		cmocka_unit_test(test_other_things_stay),
		cmocka_unit_test(test_data_vm_stays_first),
		cmocka_unit_test(test_extras_of_a_disk_stay),
		cmocka_unit_test(test_macs_and_genid_stay),
		cmocka_unit_test(test_placement_goes_with_the_vcpus),
		cmocka_unit_test(test_kvm_becomes_tcg),
		cmocka_unit_test(test_other_chipset),
		cmocka_unit_test(test_leases_are_made_anew),
		cmocka_unit_test(test_bare_domain),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
