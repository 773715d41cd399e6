/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writing domain XML: the golden files, and what the options change. */
#include "tests/unit/domain_xml_fixture.h"

#include <glob.h>

static bool same_namespace(const xmlNode *a, const xmlNode *b)
{
	return xmlStrEqual(a->ns ? a->ns->href : NULL, b->ns ? b->ns->href : NULL);
}

static void assert_attributes(const xmlNode *a, const xmlNode *b, const char *path)
{
	for (const xmlAttr *attr = a->properties; attr; attr = attr->next) {
		const char *name = (const char *)attr->name;

		if (!xml_attr_is(b, name, xml_attr(a, name)))
			fail_msg("%s: attribute %s: %s and %s", path, name, xml_attr(a, name),
				xml_attr(b, name) ? xml_attr(b, name) : "missing");
	}
}

/* Elements in order, attributes as a set, text without the blanks around it. */
static void assert_tree(const xmlNode *a, const xmlNode *b, const char *above)
{
	if (!a || !b)
		fail_msg("below %s: %s has no match", above,
			a ? (const char *)a->name : (const char *)b->name);
	cleanup_free char *path = xasprintf("%s/%s", above, (const char *)a->name);

	if (!xml_is(b, (const char *)a->name) || !same_namespace(a, b))
		fail_msg("%s: found %s", path, (const char *)b->name);
	assert_attributes(a, b, path);
	assert_attributes(b, a, path);

	const xmlNode *child_a = xml_child(a, NULL), *child_b = xml_child(b, NULL);

	if (!child_a && !child_b) {
		cleanup_free char *text_a = xml_text(a, true);
		cleanup_free char *text_b = xml_text(b, true);

		assert_string_equal(text_a, text_b);
	}
	while (child_a || child_b) {
		assert_tree(child_a, child_b, path);
		child_a = xml_next(child_a, NULL);
		child_b = xml_next(child_b, NULL);
	}
}

static void assert_same_xml(const char *a, const char *b)
{
	cleanup_xml xmlDoc *doc_a = parse_or_fail(a);
	cleanup_xml xmlDoc *doc_b = parse_or_fail(b);

	assert_tree(xmlDocGetRootElement(doc_a), xmlDocGetRootElement(doc_b), "");
}

/* Calls check with the name of every golden file that has XML. */
static void for_each_golden(void (*check)(const char *name))
{
	glob_t found;

	assert_int_equal(glob(GOLDEN "*.xml", 0, NULL, &found), 0);
	assert_true(found.gl_pathc >= 7);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const char *file = strrchr(found.gl_pathv[i], '/') + 1;
		cleanup_free char *name = xstrndup(file, strlen(file) - strlen(".xml"));

		check(name);
	}
	globfree(&found);
}

static void check_golden_written(const char *name)
{
	cleanup_free char *golden = read_text(GOLDEN, name, ".xml");
	cleanup_vmdef struct vmdef def = {0};
	struct domain_xml_options options;

	load_golden(name, &def);
	domain_xml_options_init(&options, VM_UUID);
	cleanup_free char *xml = write_or_fail(&def, &options);

	print_message("# %s\n", name);
	assert_same_xml(golden, xml);
}

static void test_golden_written(void **state)
{
	(void)state;
	for_each_golden(check_golden_written);
}

/* The XML of a golden definition; change alters the options. The caller frees it. */
static char *write_with(const char *name, void (*change)(struct domain_xml_options *options))
{
	cleanup_vmdef struct vmdef def = {0};
	struct domain_xml_options options;

	load_golden(name, &def);
	domain_xml_options_init(&options, VM_UUID);
	change(&options);
	return write_or_fail(&def, &options);
}

static void as_tcg(struct domain_xml_options *options)
{
	options->virt_type = VIRT_TYPE_QEMU;
}

static void test_tcg(void **state)
{
	cleanup_free char *xml = write_with("bios-net-custom", as_tcg);
	cleanup_free char *named = write_with("cpu-named-genid-auto", as_tcg);

	(void)state;
	assert_has(xml, "<domain type=\"qemu\">");
	assert_has(xml, "<cpu mode=\"maximum\" check=\"none\" migratable=\"on\">");
	assert_has(xml, "<apic/>");
	assert_lacks(xml, "kvmclock");
	assert_lacks(xml, "maxphysaddr");
	assert_has(named, "<model>EPYC-Milan</model>");
}

static void as_arm(struct domain_xml_options *options)
{
	options->arch = "aarch64";
}

static void test_arm(void **state)
{
	cleanup_free char *xml = write_with("minimal-uefi", as_arm);

	(void)state;
	assert_has(xml, "<type machine=\"virt\">");
	assert_has(xml, "<acpi/>");
	assert_lacks(xml, "apic");
	assert_lacks(xml, "vmport");
	assert_lacks(xml, "kvmclock");
}

static void without_bios_descriptor(struct domain_xml_options *options)
{
	options->full_firmware = false;
}

static void test_bios_without_descriptor(void **state)
{
	cleanup_free char *bios = write_with("bios-net-custom", without_bios_descriptor);
	cleanup_free char *uefi = write_with("minimal-uefi", without_bios_descriptor);

	(void)state;
	assert_has(bios, "<os>");
	assert_has(bios, "<bios useserial");
	assert_has(uefi, "<os firmware=\"efi\">");
}

static void with_console_log(struct domain_xml_options *options)
{
	options->console_log = "/log/a&b";
	options->vdagent = false;
}

static void test_console_log(void **state)
{
	cleanup_free char *xml = write_with("minimal-uefi", with_console_log);

	(void)state;
	assert_has(xml, "<log file=\"/log/a&amp;b\" append=\"on\"/>");
	assert_int_equal(count_of(xml, "<log "), 1);
	assert_lacks(xml, "qemu-vdagent");
}

static void without_leases(struct domain_xml_options *options)
{
	options->leases = false;
	options->vm_lease = true;
}

static void with_vm_lease(struct domain_xml_options *options)
{
	options->vm_lease = true;
	options->vms_dir = "/store";
}

static void test_leases(void **state)
{
	cleanup_free char *none = write_with("many-disks", without_leases);
	cleanup_free char *all = write_with("many-disks", with_vm_lease);
	const char *first = strstr(all, "<lease>");

	(void)state;
	assert_lacks(none, "<lease>");
	assert_int_equal(count_of(all, "<lease>"), 6);
	assert_has(first, "<key>vm-" VM_UUID "</key>");
	assert_ptr_equal(strstr(first, "<key>"), strstr(all, "<key>vm-"));
	assert_has(all, "path=\"/store/lock/vm-" VM_UUID "/vm-" VM_UUID "\"");
}

/* sanlock gives a process 8 resources; the eighth is the seed's. */
static void test_leases_of_twenty_disks(void **state)
{
	cleanup_vmdef struct vmdef def = {0};
	struct domain_xml_options options;

	(void)state;
	load_golden("minimal-uefi", &def);
	def.disks = xreallocarray(def.disks, 20, sizeof *def.disks);
	while (def.n_disks < 20) {
		def.disks[def.n_disks] = def.disks[0];
		def.disks[def.n_disks].path = xasprintf("/vms/ds/%zu.raw", def.n_disks);
		def.n_disks++;
	}
	domain_xml_options_init(&options, VM_UUID);
	cleanup_free char *plain = write_or_fail(&def, &options);

	assert_int_equal(count_of(plain, "<lease>"), 20);
	options.vm_lease = true;
	cleanup_free char *bounded = write_or_fail(&def, &options);

	assert_int_equal(count_of(bounded, "<lease>"), 6);
	assert_int_equal(count_of(bounded, "<key>vm-"), 1);
}

/* Go peers read the first element of the metadata and nothing else. */
static void test_order_of_metadata(void **state)
{
	cleanup_vmdef struct vmdef def = {0};
	struct domain_xml_options options;
	struct oplog_entry oplog[OPLOG_COUNT] = {0};
	char message[] = "bad \001 message";

	(void)state;
	oplog[OPLOG_SHUTDOWN] = (struct oplog_entry){.present = true, .message = message};
	load_golden("bios-net-custom", &def);
	domain_xml_options_init(&options, VM_UUID);
	options.store_definition = true;
	options.oplog = oplog;
	cleanup_free char *xml = write_or_fail(&def, &options);
	cleanup_xml xmlDoc *doc = parse_or_fail(xml);
	xmlNode *metadata = xml_child(xmlDocGetRootElement(doc), "metadata");
	xmlNode *first = xml_child(metadata, NULL), *second = xml_next(first, NULL);

	assert_ptr_equal(first, xml_child_ns(metadata, "virtx-vm"));
	assert_ptr_equal(second, xml_child_ns(metadata, "virtx-def"));
	assert_ptr_equal(xml_next(second, NULL), xml_child_ns(metadata, "virtx-op-VmShutdown"));
	assert_lacks(xml, "\001");
}

static void test_text_that_xml_cannot_hold(void **state)
{
	static const char *const bad[] = {"a\001b", "\xff", "\xed\xa0\x80", "\xef\xbf\xbe"};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		cleanup_vmdef struct vmdef def = {0};
		struct domain_xml_options options;
		struct error err = {0};

		load_golden("minimal-uefi", &def);
		free(def.name);
		def.name = xstrdup(bad[i]);
		domain_xml_options_init(&options, VM_UUID);
		assert_null(domain_xml_write(&def, &options, &err));
		assert_int_equal(err.code, ERR_INVALID);
		assert_has(err.message, "name");
	}
}

static void test_physical_address_limit(void **state)
{
	static const struct {
		int32_t memory_mib;
		const char *limit;
	} cases[] = {{1, "limit=\"36\""}, {65535, "limit=\"36\""}, {65536, "limit=\"37\""},
		{INT32_MAX, "limit=\"51\""}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cleanup_vmdef struct vmdef def = {0};
		struct domain_xml_options options;

		load_golden("minimal-uefi", &def);
		def.memory_mib = cases[i].memory_mib;
		domain_xml_options_init(&options, VM_UUID);
		cleanup_free char *xml = write_or_fail(&def, &options);

		assert_has(xml, cases[i].limit);
	}
}

/* QEMU's file driver refuses devices, so a block device is one for plain disks, too. */
static void test_block_device_as_disk(void **state)
{
	cleanup_vmdef struct vmdef def = {0};
	struct domain_xml_options options;

	(void)state;
	load_golden("minimal-uefi", &def);
	free(def.disks[0].path);
	def.disks[0].path = xstrdup("/dev/disk/by-id/scsi-1");
	domain_xml_options_init(&options, VM_UUID);
	cleanup_free char *xml = write_or_fail(&def, &options);

	assert_has(xml, "<disk type=\"block\" device=\"disk\">");
	assert_has(xml, "<source dev=\"/dev/disk/by-id/scsi-1\"/>");
}

static void test_seed_devices(void **state)
{
	cleanup_free char *disk = domain_xml_seed_disk("/vms/ds/ci/" VM_UUID "/seed.iso");
	cleanup_free char *lease = domain_xml_seed_lease("/vms", "abc");

	(void)state;
	assert_same_xml(disk,
		"<disk type='file' device='cdrom'><driver name='qemu' type='raw' cache='none'/>"
		"<source file='/vms/ds/ci/" VM_UUID "/seed.iso'/><target dev='sda' bus='scsi'/>"
		"<readonly/><alias name='ua-M_t_scsi_virtio-scsi_0'/>"
		"<address type='drive' controller='0'/></disk>");
	assert_same_xml(lease, "<lease><lockspace>__VIRTX__DISKS__</lockspace><key>abc</key>"
			       "<target path='/vms/lock/abc/abc'/></lease>");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_written),
		cmocka_unit_test(test_tcg),
		cmocka_unit_test(test_arm),
		cmocka_unit_test(test_bios_without_descriptor),
		cmocka_unit_test(test_console_log),
		cmocka_unit_test(test_leases),
		cmocka_unit_test(test_leases_of_twenty_disks),
		cmocka_unit_test(test_order_of_metadata),
		cmocka_unit_test(test_text_that_xml_cannot_hold),
		cmocka_unit_test(test_physical_address_limit),
		cmocka_unit_test(test_block_device_as_disk),
		cmocka_unit_test(test_seed_devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
