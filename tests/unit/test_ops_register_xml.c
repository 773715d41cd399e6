/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What may come from the register: every golden domain may, nothing that reaches into the host
 * does. */
#include "domain_xml_fixture.h"

#include "base/mem.h"
#include "model/domain_xml_safe.h"

#define CONSOLE "/var/lib/virtx/console/" VM_UUID ".log"

static const char *const golden[] = {"bios-net-custom", "bridge-vlan", "cpu-named-genid-auto",
	"hugepages-numa", "lun-iscsi", "many-disks", "minimal-uefi"};

static int check(const char *xml, const char *console_log, struct error *err)
{
	return domain_xml_check_safe(xml, strlen(xml), "/vms", console_log, err);
}

static void test_what_virtx_writes_is_safe(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(golden) / sizeof(golden[0]); i++) {
		cleanup_vmdef struct vmdef def = {0};
		struct domain_xml_options options;
		struct error err = {0};

		load_golden(golden[i], &def);
		domain_xml_options_init(&options, VM_UUID);
		options.store_definition = true;
		options.vm_lease = true;
		options.console_log = CONSOLE;
		cleanup_free char *pure = read_text(GOLDEN, golden[i], ".xml");
		cleanup_free char *full = write_or_fail(&def, &options);

		if (check(pure, CONSOLE, &err) || check(full, CONSOLE, &err))
			fail_msg("%s: %s", golden[i], err.message);
	}
}

/* As libvirt gives them back, stopped and running. */
static void test_what_libvirt_makes_of_it_is_safe(void **state)
{
	static const char *const names[] = {"minimal-uefi-inactive", "minimal-uefi-live",
		"many-disks-inactive", "many-disks-live", "cpu-named-genid-auto-inactive",
		"bios-net-custom-live"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		cleanup_free char *xml = read_text(CORPUS, names[i], ".xml");
		struct error err = {0};

		if (check(xml, "/console.log", &err))
			fail_msg("%s: %s", names[i], err.message);
	}
}

/* A domain of VirtX with one thing put in before an end tag. */
static char *spoil(const char *before, const char *evil)
{
	cleanup_vmdef struct vmdef def = {0};
	struct domain_xml_options options;

	load_golden("bridge-vlan", &def);
	domain_xml_options_init(&options, VM_UUID);
	cleanup_free char *xml = write_or_fail(&def, &options);
	char *place = strstr(xml, before);

	assert_non_null(place);
	return xasprintf("%.*s%s%s", (int)(place - xml), xml, evil, place);
}

static void test_the_rest_is_refused(void **state)
{
	static const struct {
		const char *before, *evil;
	} cases[] = {
		{"</domain>",
			"<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
			"<qemu:arg value='-S'/></qemu:commandline>"},
		{"</devices>",
			"<x:commandline xmlns:x='http://libvirt.org/schemas/domain/qemu/1.0'/>"},
		{"</domain>",
			"<sysinfo type='fwcfg'><entry name='opt/a' file='/etc/shadow'/></sysinfo>"},
		{"</domain>", "<seclabel type='none'/>"},
		{"</domain>",
			"<seclabel type='static' model='dac'><label>+0:+0</label></seclabel>"},
		{"</os>", "<kernel>/etc/shadow</kernel>"},
		{"</os>", "<loader type='rom'>/etc/shadow</loader>"},
		{"</os>", "<loader type='rom'>/usr/share/../../etc/shadow</loader>"},
		{"</os>", "<nvram>/etc/shadow</nvram>"},
		{"</os>", "<nvram template='/etc/shadow'/>"},
		{"</devices>", "<emulator>/bin/sh</emulator>"},
		{"</devices>", "<emulator>/usr/bin/qemu-system-x86_64/../sh</emulator>"},
		{"</devices>", "<hostdev mode='subsystem' type='pci'/>"},
		{"</devices>", "<filesystem type='mount'><source dir='/'/></filesystem>"},
		{"</devices>", "<shmem name='a'/>"},
		{"</devices>", "<tpm model='tpm-tis'/>"},
		{"</devices>", "<disk type='file' device='disk'><source file='/etc/shadow'/>"
			       "<target dev='vdz' bus='virtio'/></disk>"},
		{"</devices>",
			"<disk type='file' device='disk'><source file='/vms/ds/../../etc/shadow'/>"
			"<target dev='vdz' bus='virtio'/></disk>"},
		{"</devices>", "<disk type='network' device='disk'><source protocol='nbd'/>"
			       "<target dev='vdz' bus='virtio'/></disk>"},
		{"</devices>", "<disk type='file' device='floppy'><source file='/vms/ds/a.raw'/>"
			       "<target dev='fda' bus='fdc'/></disk>"},
		{"</devices>", "<disk type='file' device='disk'><source file='/vms/ds/a.raw'/>"
			       "<backingStore type='file'><source file='/etc/shadow'/>"
			       "</backingStore><target dev='vdz' bus='virtio'/></disk>"},
		{"</devices>", "<serial type='file'><source path='/etc/cron.d/x'/></serial>"},
		{"</devices>", "<serial type='pty'><log file='/etc/cron.d/x'/></serial>"},
		{"</devices>", "<console type='dev'><source path='/dev/sda'/></console>"},
		{"</devices>", "<channel type='unix'><source mode='connect' path='/run/x'/>"
			       "<target type='virtio' name='a'/></channel>"},
		{"</devices>", "<lease><lockspace>a</lockspace><key>b</key>"
			       "<target path='/etc/shadow'/></lease>"},
		{"</devices>", "<interface type='ethernet'><script path='/bin/sh'/></interface>"},
		{"</devices>", "<interface type='bridge'><source bridge='b'/>"
			       "<script path='/bin/sh'/></interface>"},
		{"</devices>", "<input type='evdev'><source dev='/dev/input/event0'/></input>"},
		{"</devices>", "<graphics type='egl-headless'/>"},
		{"</devices>", "<graphics type='vnc' socket='/run/x'/>"},
		{"</devices>",
			"<rng model='virtio'><backend model='random'>/etc/shadow</backend></rng>"},
		{"</devices>", "<rng model='virtio'><backend model='egd' type='unix'/></rng>"},
		{"</domain>", "<memoryBacking><source type='file'/></memoryBacking>"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_free char *xml = spoil(cases[i].before, cases[i].evil);
		struct error err = {0};

		if (check(xml, CONSOLE, &err) == 0)
			fail_msg("accepted: %s", cases[i].evil);
		assert_int_equal(err.code, ERR_REGISTER);
		assert_non_null(strchr(err.message, '<'));
	}
}

static void test_what_is_no_domain(void **state)
{
	static const char *const bad[] = {"", "<", "<a/>", "<domstatus/>",
		"<domain xmlns='http://libvirt.org/schemas/domain/qemu/1.0'/>",
		"<!DOCTYPE d [<!ENTITY x SYSTEM 'file:///etc/shadow'>]><domain>&x;</domain>"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error err = {0};

		assert_int_equal(check(bad[i], CONSOLE, &err), -1);
		assert_int_equal(err.code, ERR_REGISTER);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_virtx_writes_is_safe),
		cmocka_unit_test(test_what_libvirt_makes_of_it_is_safe),
		cmocka_unit_test(test_the_rest_is_refused),
		cmocka_unit_test(test_what_is_no_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
