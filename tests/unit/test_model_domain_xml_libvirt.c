/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Definitions through the real libvirt and back: random valid definitions become XML, libvirt's
 * embedded QEMU driver defines the domain, and what it gives back must be read as the same
 * definition; the same after an update to another random definition. VIRTX_TEST_SEED repeats a run,
 * VIRTX_TEST_ROUNDS lengthens it.
 */
#include "base/str.h"
#include "folder_fixture.h"
#include "hypervisor/embedded.h"
#include "hypervisor/libvirt_load.h"
#include "model/domain_xml_parts.h"
#include "model/json.h"

/* cmocka wants these four first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#define DEFAULT_SEED   20261120
#define DEFAULT_ROUNDS 200

static char *root;
static virConnectPtr connection;

/* A generator of our own: the same numbers on every machine. */
static uint64_t random_state;

static unsigned random_below(unsigned limit)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(random_state >> 33) % limit;
}

static bool chance(unsigned percent)
{
	return random_below(100) < percent;
}

static int64_t number_from_environment(const char *name, int64_t fallback)
{
	const char *text = getenv(name);
	int64_t value;

	return text && str_parse_int(text, 0, INT64_MAX, &value) ? value : fallback;
}

static char *random_name(void)
{
	static const char *const pieces[] = {
		"web", "db", " ", "-", ".", "<", ">", "&", "\"", "'", "é", "漢", "7", "_"};
	char name[VMDEF_MAX_NAME + 8] = "v";
	unsigned count = random_below(10);

	for (unsigned i = 0; i < count && strlen(name) < VMDEF_MAX_NAME - 4; i++) {
		const char *piece = pieces[random_below(sizeof pieces / sizeof *pieces)];

		memcpy(name + strlen(name), piece, strlen(piece) + 1);
	}
	return xstrdup(name);
}

static void random_cpu(struct cpudef *cpu)
{
	static const char *const models[] = {
		"host-passthrough", "host-model", "maximum", "EPYC-Milan", "qemu64", "Nehalem"};

	cpu->model = xstrdup(models[random_below(sizeof models / sizeof *models)]);
	cpu->nodes = (int16_t)random_below(3);
	cpu->sockets = (int16_t)(1 + random_below(16));
	cpu->cores = (int16_t)(1 + random_below(4));
	cpu->threads = 1;
}

static void random_disk(struct disk *disk, unsigned number)
{
	unsigned kind = random_below(10);

	disk->man = chance(60) ? DISK_MANAGED : DISK_UNMANAGED;
	disk->prov = (enum disk_prov)random_below(3);
	disk->size_mib = (int32_t)random_below(100000);
	if (kind == 0) {
		disk->device = DISK_DEVICE_LUN;
		disk->bus = DISK_BUS_VIRTIO_SCSI;
		disk->path = xasprintf("/dev/disk/by-id/wwn-0x6001405d594364b%u", number);
	} else if (kind < 3) {
		static const enum disk_bus buses[] = {
			DISK_BUS_VIRTIO_SCSI, DISK_BUS_SATA, DISK_BUS_SCSI};

		disk->device = DISK_DEVICE_CDROM;
		disk->bus = buses[random_below(3)];
		disk->path = xasprintf("/vms/ds/iso & co/%u.iso", number);
	} else if (kind == 3) {
		disk->bus = (enum disk_bus)random_below(4);
		disk->man = DISK_UNMANAGED; /* a block device can be managed as a lun alone */
		disk->path = xasprintf("/dev/disk/by-id/scsi-%u", number);
	} else {
		disk->bus = (enum disk_bus)random_below(4);
		disk->path = xasprintf("/vms/ds/vm/d%u.%s", number, chance(50) ? "raw" : "qcow2");
	}
}

static void random_net(struct net *net, unsigned number)
{
	net->type = (enum nettype)random_below(2);
	net->model = (enum netmodel)random_below(3);
	net->name = xasprintf("%s%u", net->type == NETTYPE_BRIDGE ? "br" : "net<", number);
	net->mac = xstrdup("");
}

static void random_genid(struct vmdef *def)
{
	char uuid[UUID_TEXT_SIZE];

	uuid_make(uuid);
	def->genid = xstrdup(chance(50) ? "" : chance(50) ? uuid : "auto");
}

static void random_custom(struct vmdef *def)
{
	def->n_custom = random_below(4);
	def->custom = xcalloc(def->n_custom + 1, sizeof *def->custom);
	for (size_t i = 0; i < def->n_custom; i++) {
		def->custom[i].name = xasprintf("f_%zu", i);
		def->custom[i].value =
			chance(20) ? xstrdup("") : xasprintf("V%u", random_below(99));
	}
}

static bool has_bridge(const struct vmdef *def)
{
	for (size_t i = 0; i < def->n_nets; i++)
		if (def->nets[i].type == NETTYPE_BRIDGE)
			return true;
	return false;
}

/* A valid definition. Valid for this libvirt, too: no VLAN tag on a bridge. */
static void random_definition(struct vmdef *def)
{
	struct error err = {0};

	*def = (struct vmdef){.name = random_name()};
	random_cpu(&def->cpu);
	def->memory_mib = (int32_t)(1 + random_below(200000));
	def->hugepages = chance(30);
	def->numa_placement = chance(30);
	def->firmware = chance(50) ? FIRMWARE_BIOS : FIRMWARE_UEFI;
	random_genid(def);
	def->n_disks = 1 + (chance(10) ? VMDEF_MAX_DISKS : random_below(7));
	def->disks = xcalloc(def->n_disks, sizeof *def->disks);
	for (size_t i = 0; i < def->n_disks; i++)
		random_disk(&def->disks[i], (unsigned)i);
	def->n_nets = random_below(VMDEF_MAX_NETS + 1);
	def->nets = xcalloc(def->n_nets + 1, sizeof *def->nets);
	for (size_t i = 0; i < def->n_nets; i++)
		random_net(&def->nets[i], (unsigned)i);
	if (!has_bridge(def))
		def->vlanid = (int16_t)(chance(50) ? random_below(4095) : 0);
	random_custom(def);
	if (vmdef_validate(def, &(struct vmdef_rules){.vms_dir = "/vms"}, &err) < 0)
		fail_msg("not a valid definition: %s", err.message);
}

/* Another definition that may share what an update then leaves alone. */
static void random_change(struct vmdef *changed, const struct vmdef *def)
{
	random_definition(changed);
	if (chance(50)) {
		free(changed->cpu.model);
		changed->cpu = def->cpu;
		changed->cpu.model = xstrdup(def->cpu.model);
	}
	if (chance(50))
		changed->memory_mib = def->memory_mib;
}

static virDomainPtr define(const char *xml)
{
	virDomainPtr domain = libvirt.virDomainDefineXMLFlags(connection, xml, 0);
	struct error err = {0};

	if (!domain) {
		libvirt_error(&err, "define");
		fail_msg("%s\n%s", err.message, xml);
	}
	return domain;
}

/* Defines the domain and gives back libvirt's inactive XML. */
static char *through_libvirt(const char *xml)
{
	cleanup_domain virDomainPtr domain = define(xml);
	char *back = libvirt.virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE);

	assert_non_null(back);
	return back;
}

static void print_definition(const char *what, const struct vmdef *def)
{
	cleanup_json struct json_object *json = vmdef_to_json(def);
	cleanup_free char *text = json_text(json);

	print_message("# %s: %s\n", what, text);
}

/* What reading is expected to give: the choices of libvirt resolved. */
static void resolve(struct vmdef *def, const struct vmdef *found)
{
	if (str_equal(def->genid, "auto")) {
		assert_true(uuid_is_valid(found->genid));
		free(def->genid);
		def->genid = xstrdup(found->genid);
	}
	assert_int_equal(def->n_nets, found->n_nets);
	for (size_t i = 0; i < def->n_nets; i++) {
		assert_int_equal(strlen(found->nets[i].mac), 17);
		if (*def->nets[i].mac)
			continue;
		free(def->nets[i].mac);
		def->nets[i].mac = xstrdup(found->nets[i].mac);
	}
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(((const struct disk *)a)->path, ((const struct disk *)b)->path);
}

/* What XML alone cannot say goes, before two definitions are compared. */
static void level(struct vmdef *def)
{
	def->cpu.nodes = 0;
	if (domain_cpu_is_mode(def->cpu.model)) {
		free(def->cpu.model);
		def->cpu.model = xstrdup("maximum");
	}
	if (!def->n_nets)
		def->vlanid = 0;
	for (size_t i = 0; i < def->n_disks; i++)
		def->disks[i].size_mib = 0;
	qsort(def->disks + 1, def->n_disks - 1, sizeof *def->disks, compare_paths);
}

static void assert_definition(struct vmdef *def, struct vmdef *found)
{
	if (vmdef_equal(def, found))
		return;
	print_definition("wanted", def);
	print_definition("found", found);
	fail_msg("the definition has changed");
}

/* Reads XML with the stored definition, and as if it held none; both must give def. */
static void assert_reads_as(const char *xml, const struct vmdef *def)
{
	cleanup_reading struct domain_reading reading = {0}, bare = {0};
	cleanup_vmdef struct vmdef wanted, levelled;
	struct error err = {0};

	if (domain_xml_read(xml, strlen(xml), "/vms", &reading, &err) < 0)
		fail_msg("%s", err.message);
	vmdef_copy(&wanted, def);
	resolve(&wanted, &reading.def);
	assert_definition(&wanted, &reading.def);
	assert_true(reading.def_is_stored);
	assert_false(reading.foreign);

	cleanup_xml xmlDoc *doc = xml_parse(xml, strlen(xml), &err);

	assert_int_equal(domain_xml_read_tree(xmlDocGetRootElement(doc), "/vms", &bare, &err), 0);
	vmdef_copy(&levelled, &wanted);
	level(&levelled);
	level(&bare.def);
	assert_definition(&levelled, &bare.def);
}

static void init_options(struct domain_xml_options *options, const char *uuid)
{
	domain_xml_options_init(options, uuid);
	options->virt_type = VIRT_TYPE_QEMU;
	options->full_firmware = false; /* Debian has no descriptor for BIOS */
	options->store_definition = true;
	options->vm_lease = chance(50);
	options->vdagent = chance(50);
	options->console_log = chance(50) ? "/var/log/virtx/a & b.log" : NULL;
}

/* MACs that the first definition left to libvirt must survive where name and place are the same. */
static void assert_kept_macs(const char *before, const char *after, const struct vmdef *def)
{
	cleanup_reading struct domain_reading a = {0}, b = {0};
	struct error err = {0};

	assert_int_equal(domain_xml_read(before, strlen(before), "/vms", &a, &err), 0);
	assert_int_equal(domain_xml_read(after, strlen(after), "/vms", &b, &err), 0);
	for (size_t i = 0; i < def->n_nets && i < a.def.n_nets; i++)
		if (str_equal(def->nets[i].name, a.def.nets[i].name))
			assert_string_equal(a.def.nets[i].mac, b.def.nets[i].mac);
}

/* What others may add, and a definition has no word for: %c is the next free disk letter, %d boot
 * order. */
#define FOREIGN_DEVICES                                                                         \
	"<disk type='file' device='disk'><driver name='qemu' type='raw'/>"                      \
	"<source file='/srv/usb.img'/><target dev='sd%c' bus='usb'/></disk>"                    \
	"<interface type='user'><mac address='52:54:00:aa:bb:cc'/><model type='rtl8139'/>"      \
	"<boot order='%d'/></interface>"                                                        \
	"<watchdog model='i6300esb' action='reset'/>"                                           \
	"<filesystem type='mount'><source dir='/srv/share'/><target dir='share'/></filesystem>" \
	"</devices>"

static char *add_foreign_devices(const char *xml, const struct vmdef *def)
{
	const char *end = strstr(xml, "</devices>");
	char letter = 'b';
	int order = 2;

	for (size_t i = 0; i < def->n_disks; i++) {
		letter = (char)(letter + (def->disks[i].bus != DISK_BUS_VIRTIO_BLK));
		order += i > 0 && def->disks[i].device == DISK_DEVICE_CDROM;
	}
	assert_non_null(end);
	cleanup_free char *devices = xasprintf(FOREIGN_DEVICES, letter, order);

	return xasprintf("%.*s%s%s", (int)(end - xml), xml, devices, end + strlen("</devices>"));
}

static void assert_has_foreign_devices(const char *xml)
{
	static const char *const signs[] = {
		"/srv/usb.img", "52:54:00:aa:bb:cc", "i6300esb", "/srv/share", "seed.iso"};

	for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
		if (!strstr(xml, signs[i]))
			fail_msg("%s is lost", signs[i]);
}

/* The seed and its lease, as a boot with cloud-init attaches them, but to the configuration. */
static void attach_seed(virDomainPtr domain, const char *uuid)
{
	cleanup_free char *path = xasprintf("/vms/ds/ci/%s/seed.iso", uuid);
	cleanup_free char *disk = domain_xml_seed_disk(path);
	cleanup_free char *lease = domain_xml_seed_lease("/vms", "0123456789abcdef");

	assert_int_equal(
		libvirt.virDomainAttachDeviceFlags(domain, disk, VIR_DOMAIN_AFFECT_CONFIG), 0);
	assert_int_equal(
		libvirt.virDomainAttachDeviceFlags(domain, lease, VIR_DOMAIN_AFFECT_CONFIG), 0);
}

static void log_operation(virDomainPtr domain)
{
	char message[] = "a <b> & c";
	const struct oplog_entry entry = {.start_ms = 1, .end_ms = 2, .message = message};
	cleanup_free char *element = domain_xml_oplog_element(OPLOG_PAUSE, &entry);
	char uri[40];

	domain_xml_oplog_uri(OPLOG_PAUSE, uri);
	assert_int_equal(libvirt.virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, element,
				 "data-op", uri, VIR_DOMAIN_AFFECT_CONFIG),
		0);
}

static void assert_logged(const char *xml)
{
	cleanup_reading struct domain_reading reading = {0};
	struct error err = {0};

	assert_int_equal(domain_xml_read(xml, strlen(xml), "/vms", &reading, &err), 0);
	assert_true(reading.oplog[OPLOG_PAUSE].present);
	assert_int_equal(reading.oplog[OPLOG_PAUSE].end_ms, 2);
	assert_string_equal(reading.oplog[OPLOG_PAUSE].message, "a <b> & c");
}

/* Does to a defined domain what others do to it; gives back its XML then. */
static char *live_a_little(const char *xml, const char *uuid, const struct vmdef *def)
{
	cleanup_free char *more = add_foreign_devices(xml, def);
	cleanup_domain virDomainPtr domain = define(more);

	attach_seed(domain, uuid);
	log_operation(domain);
	char *back = libvirt.virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE);

	assert_non_null(back);
	return back;
}

static void one_round(void)
{
	cleanup_vmdef struct vmdef def, changed;
	struct domain_xml_options options;
	struct error err = {0};
	char uuid[UUID_TEXT_SIZE];

	uuid_make(uuid);
	random_definition(&def);
	random_change(&changed, &def);
	init_options(&options, uuid);
	cleanup_free char *xml = domain_xml_write(&def, &options, &err);

	assert_non_null(xml);
	cleanup_free char *back = through_libvirt(xml);

	assert_reads_as(back, &def);
	cleanup_free char *lived = live_a_little(back, uuid, &def);

	assert_reads_as(lived, &def);
	assert_logged(lived);
	assert_has_foreign_devices(lived);
	cleanup_free char *updated =
		domain_xml_update(lived, strlen(lived), &changed, &options, &err);

	assert_non_null(updated);
	cleanup_free char *updated_back = through_libvirt(updated);

	assert_reads_as(updated_back, &changed);
	assert_logged(updated_back);
	assert_has_foreign_devices(updated_back);
	assert_kept_macs(lived, updated_back, &changed);
	cleanup_domain virDomainPtr domain = libvirt.virDomainLookupByUUIDString(connection, uuid);

	assert_int_equal(libvirt.virDomainUndefineFlags(domain, VIR_DOMAIN_UNDEFINE_NVRAM), 0);
}

static void test_random_definitions(void **state)
{
	int64_t seed = number_from_environment("VIRTX_TEST_SEED", DEFAULT_SEED);
	int64_t rounds = number_from_environment("VIRTX_TEST_ROUNDS", DEFAULT_ROUNDS);

	(void)state;
	print_message("# VIRTX_TEST_SEED=%lld\n", (long long)seed);
	random_state = (uint64_t)seed;
	while (rounds-- > 0)
		one_round();
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
	(void)info;
	(void)type;
	(void)walk;
	return remove(path);
}

/* As root the driver insists on the user that Debian's libvirt-daemon-system makes; nobody needs
 * none. */
static void become_nobody(void)
{
	if (geteuid() == 0 && !getpwnam("libvirt-qemu") &&
		(setgroups(0, NULL) < 0 || setresgid(65534, 65534, 65534) < 0 ||
			setresuid(65534, 65534, 65534) < 0))
		perror("become nobody");
}

static int connect_embedded(void **state)
{
	struct error err = {0};
	cleanup_free char *uri = NULL;

	(void)state;
	become_nobody();
	/* What libvirt keeps for its user goes there, too. */
	root = folder_make();
	if (setenv("HOME", root, 1) < 0 || unsetenv("XDG_CACHE_HOME") < 0 ||
		unsetenv("XDG_RUNTIME_DIR") < 0 || libvirt_load(&err) < 0 ||
		hypervisor_embedded_prepare(root, &uri, &err) < 0) {
		print_error("%s\n", err.message);
		return -1;
	}
	/* The driver wants an event loop to be there; defining needs it not to run. */
	if (libvirt.virEventRegisterDefaultImpl() < 0)
		return -1;
	connection = libvirt.virConnectOpen(uri);
	if (!connection) {
		libvirt_error(&err, "%s", uri);
		print_error("%s\n", err.message);
		return -1;
	}
	return 0;
}

static int disconnect(void **state)
{
	(void)state;
	if (connection)
		libvirt.virConnectClose(connection);
	int result = nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(root);
	return result;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_definitions),
	};

	return cmocka_run_group_tests(tests, connect_embedded, disconnect);
}
