/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every rule for definitions, at its boundary: the last that is accepted, the first that is not. */
#include "base/str.h"
#include "vmdef_fixture.h"

static const struct vmdef_rules plain_rules = {.vms_dir = "/vms"};

/* A change of the valid definition, and how the refusal begins; NULL: still valid. */
struct row {
	const char *pointer, *value, *message;
};

static int validate(const struct row *row, const struct vmdef_rules *rules, struct vmdef *def,
	struct error *err)
{
	cleanup_json struct json_object *json = fixture_json(row->pointer, row->value);

	if (vmdef_from_json(json, def, err) < 0)
		fail_msg("%s = %s: %s", row->pointer, row->value, err->message);
	return vmdef_validate(def, rules, err);
}

static void check_row(const struct row *row, const struct vmdef_rules *rules)
{
	cleanup_vmdef struct vmdef def = {0};
	struct error err = {0};
	int status = validate(row, rules, &def, &err);

	if (!row->message && status < 0)
		fail_msg("%s = %s was refused: %s", row->pointer, row->value, err.message);
	if (!row->message)
		return;
	if (status == 0)
		fail_msg("%s = %s was accepted", row->pointer, row->value);
	assert_int_equal(err.code, ERR_INVALID);
	if (!str_starts_with(err.message, row->message))
		fail_msg("%s = %s: \"%s\" is not \"%s\"", row->pointer, row->value, err.message,
			row->message);
}

#define CHECK_ROWS(rows, rules)                                                   \
	for (size_t row_i = 0; row_i < sizeof(rows) / sizeof((rows)[0]); row_i++) \
	check_row(&(rows)[row_i], rules)

static void names(void **state)
{
	static const struct row rows[] = {
		{"/name", "\"x\"", NULL},
		{"/name", "\"12345678901234567890123456789012\"", NULL},
		{"/name", "\"123456789012345678901234567890123\"",
			"name: 33 bytes are too long, at most 32"},
		/* Bytes, not characters: 16 and 17 times e with an accent. */
		{"/name",
			"\"\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9"
			"\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\"",
			NULL},
		{"/name",
			"\"\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9"
			"\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\"",
			"name: 34 bytes are too long"},
		{"/name", "\"\"", "name: required, 1 to 32 bytes"},
		{"/name", "null", "name: required"},
		{"/name", "\"a\\nb\"", "name: must not contain control characters"},
		{"/name", "\"a\\u007fb\"", "name: must not contain control characters"},
		{"/name", "\"a\\u009bb\"", "name: must not contain control characters"},
		{"/name", "\"a\\u00a0b\"", NULL},
		{"/name", "\"a %s%n b\"", NULL},
		{"/name", "\"a/b\"", "name: a/b cannot stand in a URL"},
		{"/name", "\"..\"", "name: .. cannot stand in a URL"},
		{"/name", "\"...\"", NULL},
	};
	(void)state;
	CHECK_ROWS(rows, &plain_rules);
}

static void processors_and_memory(void **state)
{
	static const struct row rows[] = {
		{"/cpudef/model", "\"\"", "cpudef.model: required"},
		{"/cpudef/model", "\"a\\tb\"", "cpudef.model: must not contain control"},
		{"/cpudef/model", "\"maximum\"", NULL},
		{"/cpudef", "null", "cpudef.model: required"},
		{"/cpudef/nodes", "0", NULL},
		{"/cpudef/nodes", "-1", "cpudef.nodes: must be at least 0, not -1"},
		{"/cpudef/sockets", "0", "cpudef.sockets: must be at least 1, not 0"},
		{"/cpudef/sockets", "-2", "cpudef.sockets: must be at least 1, not -2"},
		{"/cpudef/cores", "0", "cpudef.cores: must be at least 1, not 0"},
		{"/cpudef/threads", "0", "cpudef.threads: must be at least 1, not 0"},
		{"/cpudef/threads", "2", "cpudef.threads: 2 threads per core are not supported"},
		{"/cpudef", "{\"model\":\"x\",\"sockets\":32767,\"cores\":1,\"threads\":1}", NULL},
		{"/cpudef", "{\"model\":\"x\",\"sockets\":1,\"cores\":32767,\"threads\":1}", NULL},
		{"/cpudef", "{\"model\":\"x\",\"sockets\":256,\"cores\":256,\"threads\":1}",
			"cpudef: 256 sockets of 256 cores are 65536 vcpus, at most 32767"},
		{"/cpudef", "{\"model\":\"x\",\"sockets\":16384,\"cores\":2,\"threads\":1}",
			"cpudef: 16384 sockets of 2 cores are 32768 vcpus"},
		{"/cpudef", "{\"model\":\"x\",\"sockets\":32767,\"cores\":32767,\"threads\":1}",
			"cpudef: 32767 sockets of 32767 cores are 1073676289 vcpus"},
		{"/memory/total", "1", NULL},
		{"/memory/total", "2147483647", NULL},
		{"/memory/total", "0", "memory.total: must be at least 1, not 0"},
		{"/memory/total", "-1", "memory.total: must be at least 1, not -1"},
		{"/memory", "null", "memory.total: must be at least 1, not 0"},
	};
	(void)state;
	CHECK_ROWS(rows, &plain_rules);
}

static void genid_vlanid_custom(void **state)
{
	static const struct row rows[] = {
		{"/genid", "\"auto\"", NULL},
		{"/genid", "\"43dc0cf8-809b-4adb-9bea-a9abb5f3d90e\"", NULL},
		{"/genid", "\"AUTO\"", "genid: must be"},
		{"/genid", "\"43dc0cf8-809b-4adb-9bea-a9abb5f3d90\"", "genid: must be"},
		{"/genid", "\"43dc0cf8-809b-4adb-9bea-a9abb5f3d90ee\"", "genid: must be"},
		{"/genid", "\"43dc0cf8-809b-4adb-9bea-a9abb5f3d90g\"", "genid: must be"},
		{"/genid", "\"abcdefghijklmnopqrstuvwxyz0123456789\"", "genid: must be"},
		{"/vlanid", "4094", NULL},
		{"/vlanid", "4095", "vlanid: 4095 is not between 0 and 4094"},
		{"/vlanid", "-1", "vlanid: -1 is not between 0 and 4094"},
		{"/custom/0/name", "\"Az_09\"", NULL},
		{"/custom/0/name", "\"a-b\"", "custom[0].name: only A-Z a-z 0-9 and _ are allowed"},
		{"/custom/0/name", "\"\\u00e9\"", "custom[0].name: only"},
		{"/custom/0/value", "\"\"", NULL},
		{"/custom/0/value", "\"a b\"", "custom[0].value: only A-Z a-z 0-9 and _"},
		{"/custom", "[{\"name\":\"\",\"value\":\"any thing\"}]", NULL},
		{"/custom", "[{\"value\":\"x\"},{\"name\":\"!\"}]", "custom[1].name: only"},
	};
	(void)state;
	CHECK_ROWS(rows, &plain_rules);
}

static void interfaces(void **state)
{
	static const struct row rows[] = {
		{"/nets", "[]", NULL},
		{"/nets/0/name", "\"\"", "nets[0].name: required"},
		{"/nets/0/name", "\"a\\u0001\"", "nets[0].name: must not contain control"},
		{"/nets", "[null]", "nets[0].name: required"},
		{"/nets/0/mac", "\"\"", NULL},
		{"/nets/0/mac", "\"00:00:00:00:00:01\"", NULL},
		{"/nets/0/mac", "\"FE:54:00:AB:CD:EF\"", NULL},
		{"/nets/0/mac", "\"00:00:00:00:00:00\"", "nets[0].mac: 00:00:00:00:00:00 is no"},
		{"/nets/0/mac", "\"01:00:5e:00:00:01\"",
			"nets[0].mac: 01:00:5e:00:00:01 is a multicast address"},
		{"/nets/0/mac", "\"ff:ff:ff:ff:ff:ff\"",
			"nets[0].mac: ff:ff:ff:ff:ff:ff is a multicast address"},
		{"/nets/0/mac", "\"5B:54:00:00:00:01\"", "nets[0].mac: 5B:54:00:00:00:01 is a mul"},
		{"/nets/0/mac", "\"52:54:00:12:34:5\"", "nets[0].mac: must be"},
		{"/nets/0/mac", "\"52:54:00:12:34:567\"", "nets[0].mac: must be"},
		{"/nets/0/mac", "\"52:54:00:12:34:5g\"", "nets[0].mac: must be"},
		{"/nets/0/mac", "\"52-54-00-12-34-56\"", "nets[0].mac: must be"},
		{"/nets/0/mac", "\"52:54:00:12:3:456\"", "nets[0].mac: must be"},
		{"/nets/0/mac", "\"abcdefghijklmnopq\"", "nets[0].mac: must be"},
	};
	(void)state;
	CHECK_ROWS(rows, &plain_rules);
}

static void disk_paths(void **state)
{
	static const struct row rows[] = {
		{"/osdisk", "null", "osdisk.path: required"},
		{"/osdisk/path", "\"\"", "osdisk.path: required"},
		{"/disks", "[null]", "disks[0].path: required"},
		{"/osdisk/path", "\"/vms/ds/a.raw\"", NULL},
		{"/osdisk/path", "\"/vms/ds/a b/c.d.qcow2\"", NULL},
		{"/osdisk/path", "\"/vms/ds/a.img\"", "osdisk.path: /vms/ds/a.img has none of the"},
		{"/osdisk/path", "\"/vms/ds/qcow2\"", "osdisk.path: /vms/ds/qcow2 has none of"},
		{"/osdisk/path", "\"/vms/ds/a.QCOW2\"", "osdisk.path: /vms/ds/a.QCOW2 has none"},
		{"/osdisk/path", "\"/etc/passwd\"", "osdisk.path: /etc/passwd is neither below"},
		{"/osdisk/path", "\"/vms/dsx/a.raw\"", "osdisk.path: /vms/dsx/a.raw is neither"},
		{"/osdisk/path", "\"/vmsds/a.raw\"", "osdisk.path: /vmsds/a.raw is neither"},
		{"/osdisk/path", "\"/vms/xml/a.raw\"", "osdisk.path: /vms/xml/a.raw is neither"},
		{"/osdisk/path", "\"/devious/a.raw\"", "osdisk.path: /devious/a.raw is neither"},
		{"/osdisk/path", "\"/vms/ds/../xml/a.raw\"",
			"osdisk.path: /vms/ds/../xml/a.raw contains \"..\""},
		{"/osdisk/path", "\"/vms/ds/./a.raw\"", "osdisk.path: /vms/ds/./a.raw contains"},
		{"/osdisk/path", "\"/vms/ds//a.raw\"",
			"osdisk.path: /vms/ds//a.raw contains \"//\""},
		{"/osdisk/path", "\"//vms/ds/a.raw\"", "osdisk.path: //vms/ds/a.raw contains"},
		{"/osdisk/path", "\"/vms/ds/a.raw/\"",
			"osdisk.path: /vms/ds/a.raw/ ends with \"/\""},
		{"/osdisk/path", "\"/vms/ds/a.raw/..\"", "osdisk.path: /vms/ds/a.raw/.. contains"},
		{"/osdisk/path", "\"/vms/ds/..a/.b/a...raw\"", NULL},
		{"/osdisk/path", "\"/\"", "osdisk.path: / ends with"},
		{"/osdisk/path", "\"/dev/\"", "osdisk.path: /dev/ ends with"},
		{"/osdisk/path", "\"/vms/ds/a\\n.raw\"", "osdisk.path: must not contain control"},
		{"/disks/0/path", "\"../xml/a.raw\"",
			"disks[0].path: /vms/ds/../xml/a.raw contains \"..\""},
		{"/disks/0/path", "\"./a.raw\"", "disks[0].path: /vms/ds/./a.raw contains"},
		{"/disks/0/path", "\"/vms/ds/web/os.qcow2\"",
			"disks[0].path: /vms/ds/web/os.qcow2 is the same disk as osdisk.path"},
		{"/disks/0/path", "\"web/os.qcow2\"",
			"disks[0].path: /vms/ds/web/os.qcow2 is the same disk as osdisk.path"},
		{"/osdisk/path", "\"/vms/ds/ci/11111111-2222-4333-8444-555555555555/seed.iso\"",
			"osdisk.path: /vms/ds/ci/11111111-2222-4333-8444-555555555555/seed.iso is "
			"a cloud-init seed"},
	};
	(void)state;
	CHECK_ROWS(rows, &plain_rules);
}

/* A quoted path of len bytes below the datastore, with a "/" after every part of so many bytes. */
static char *long_path(size_t len, size_t part)
{
	static const char root[] = "\"/vms/ds/", end[] = ".raw\"";
	char *path = xcalloc(len + 3, 1);

	memset(path, 'x', len + 2);
	memcpy(path, root, strlen(root));
	for (size_t i = strlen(root) + part; i < len - strlen(end); i += part + 1)
		path[i] = '/';
	memcpy(path + len + 2 - strlen(end), end, strlen(end));
	return path;
}

/* Paths and their parts at the longest that they may be. */
static void disk_path_lengths(void **state)
{
	static const struct {
		size_t len, part;
		const char *message;
	} rows[] = {
		{1023, 100, NULL},
		{1024, 100, "osdisk.path: 1024 bytes are too long, at most 1023"},
		{8 + 255, 300, NULL},
		{8 + 256, 300, "osdisk.path: /vms/ds/xxx"},
		{800, 255, NULL},
		{800, 256, "osdisk.path: /vms/ds/xxx"},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cleanup_free char *path = long_path(rows[i].len, rows[i].part);

		check_row(&(struct row){"/osdisk/path", path, rows[i].message}, &plain_rules);
	}
}

static void disk_kinds(void **state)
{
#define DISK(path, device, bus, man, prov, size)                                       \
	"{\"path\":\"" path "\",\"device\":" #device ",\"bus\":" #bus ",\"man\":" #man \
	",\"prov\":" #prov ",\"size\":" #size "}"
#define LUN "/dev/disk/by-id/wwn-0x6001405d"
	static const struct row rows[] = {
		/* lun: only virtio-scsi, only whole LUNs by their id */
		{"/osdisk", DISK(LUN, 2, 1, 1, 1, 0), NULL},
		{"/osdisk", DISK(LUN, 2, 0, 1, 1, 0), "osdisk.bus: a lun needs virtio-scsi (1)"},
		{"/osdisk", DISK(LUN, 2, 2, 0, 0, 0), "osdisk.bus: a lun needs virtio-scsi (1)"},
		{"/osdisk", DISK(LUN, 2, 3, 0, 0, 0), "osdisk.bus: a lun needs virtio-scsi (1)"},
		{"/osdisk", DISK("/dev/sda", 2, 1, 0, 0, 0),
			"osdisk.path: /dev/sda does not name a whole LUN below /dev/disk/by-id/"},
		{"/osdisk", DISK("/dev/disk/by-path/x", 2, 1, 0, 0, 0),
			"osdisk.path: /dev/disk/by"},
		{"/osdisk", DISK("/dev/disk/by-id/a/b", 2, 1, 0, 0, 0),
			"osdisk.path: /dev/disk/by"},
		{"/osdisk", DISK(LUN "-part1", 2, 1, 0, 0, 0), "osdisk.path: /dev/disk/by-id/wwn"},
		{"/osdisk", DISK(LUN "-part", 2, 1, 0, 0, 0), NULL},
		{"/osdisk", DISK("/vms/ds/a.raw", 2, 1, 0, 0, 0),
			"osdisk.path: /vms/ds/a.raw does not name a whole LUN"},
		{"/osdisk",
			DISK("/dev/disk/by-id/"
			     "scsi-123456789012345678901234567890123456789012345678",
				2, 1, 1, 0, 0),
			NULL},
		{"/osdisk",
			DISK("/dev/disk/by-id/"
			     "scsi-1234567890123456789012345678901234567890123456789",
				2, 1, 1, 0, 0),
			"osdisk.path: the lease name 123"},
		/* cdrom: not virtio-blk; whether a managed one can be made is for the storage */
		{"/osdisk", DISK("/vms/ds/a.iso", 1, 0, 0, 0, 0), "osdisk.bus: a cdrom needs"},
		{"/osdisk", DISK("/vms/ds/a.iso", 1, 1, 0, 0, 0), NULL},
		{"/osdisk", DISK("/vms/ds/a.iso", 1, 2, 0, 0, 0), NULL},
		{"/osdisk", DISK("/vms/ds/a.iso", 1, 3, 0, 0, 0), NULL},
		{"/osdisk", DISK("/vms/ds/a.iso", 1, 3, 1, 2, 300), NULL},
		{"/osdisk", DISK("/dev/sr0", 1, 2, 0, 0, 0), NULL},
		/* disk: sizes, and what has to be made */
		{"/osdisk", DISK("/vms/ds/a.raw", 0, 0, 0, 0, -1), "osdisk.size: -1 is negative"},
		{"/osdisk", DISK("/vms/ds/a.raw", 0, 0, 1, 1, 1), NULL},
		{"/osdisk", DISK("/vms/ds/a.raw", 0, 0, 1, 1, 0), "osdisk.size: at least 1 MiB"},
		{"/disks/0", DISK("/vms/ds/a.raw", 0, 0, 1, 2, 0), "disks[0].size: at least 1 MiB"},
		{"/osdisk", DISK("/vms/ds/a.raw", 0, 0, 1, 0, 0), NULL},
		{"/osdisk", DISK("/vms/ds/a.raw", 0, 0, 0, 2, 0), NULL},
		{"/osdisk", DISK("/vms/ds/a.iso", 0, 0, 0, 0, 0), NULL},
		{"/osdisk", DISK("/vms/ds/a.iso", 0, 0, 1, 1, 5), "osdisk.prov: an .iso cannot be"},
		/* block devices that are no luns */
		{"/osdisk", DISK("/dev/vg0/lv", 0, 0, 0, 0, 0), NULL},
		{"/osdisk", DISK("/dev/vg0/lv", 0, 0, 1, 0, 0),
			"osdisk.man: a block device can be managed only as a lun"},
		{"/osdisk", DISK("/dev/sr0", 1, 2, 1, 0, 0), "osdisk.man: a block device can be"},
		/* one LUN under two of its names */
		{"/disks",
			"[" DISK(LUN, 2, 1, 1, 0, 0) "," DISK(
				"/dev/disk/by-id/scsi-36001405d", 2, 1, 1, 0, 0) "]",
			"disks[1].path: /dev/disk/by-id/scsi-36001405d is the same disk as "
			"disks[0].path (" LUN ")"},
		{"/disks", "[" DISK(LUN, 0, 0, 0, 0, 0) "," DISK(LUN, 2, 1, 1, 0, 0) "]",
			"disks[1].path: " LUN " is the same disk as disks[0].path"},
	};
	(void)state;
	CHECK_ROWS(rows, &plain_rules);
}

static void luns_that_the_configuration_allows(void **state)
{
	static const char *const allow[] = {"/dev/mapper/mpath*", "/dev/disk/by-path/*", NULL};
	static const struct vmdef_rules rules = {.vms_dir = "/vms", .lun_allow = allow};
	static const struct row rows[] = {
		{"/osdisk", DISK("/dev/mapper/mpatha", 2, 1, 1, 1, 0), NULL},
		{"/osdisk", DISK("/dev/disk/by-path/x", 2, 1, 1, 1, 0), NULL},
		{"/osdisk", DISK("/dev/disk/by-path/x/y", 2, 1, 1, 1, 0), "osdisk.path: /dev/disk"},
		{"/osdisk", DISK("/dev/mapper/other", 2, 1, 1, 1, 0), "osdisk.path: /dev/mapper/o"},
		{"/osdisk", DISK(LUN, 2, 1, 1, 1, 0), NULL},
	};
	(void)state;
	CHECK_ROWS(rows, &rules);
}

/* What is needed only to make an image is not asked of one that is there. */
static void disks_that_stay(void **state)
{
	static const char seed[] = "/vms/ds/ci/11111111-2222-4333-8444-555555555555/seed.iso";
	struct disk disks[] = {{.path = (char[]){"/vms/ds/old.raw"}},
		{.path = (char[]){"/dev/old"}}, {.path = (char *)seed}};
	const struct vmdef existing = {.disks = disks, .n_disks = 3};
	const struct vmdef_rules rules = {.vms_dir = "/vms", .existing = &existing};
	static const struct row rows[] = {
		{"/osdisk", DISK("/vms/ds/old.raw", 0, 0, 1, 1, 0), NULL},
		{"/osdisk", DISK("old.raw", 0, 0, 1, 1, 0), NULL},
		{"/osdisk", DISK("/dev/old", 0, 0, 1, 0, 0), NULL},
		{"/osdisk",
			DISK("/vms/ds/ci/11111111-2222-4333-8444-555555555555/seed.iso", 1, 1, 1, 1,
				0),
			NULL},
		{"/osdisk", DISK("/vms/ds/new.raw", 0, 0, 1, 1, 0), "osdisk.size: at least 1 MiB"},
		{"/osdisk", DISK("/vms/ds/old.raw", 0, 0, 1, 1, -1), "osdisk.size: -1 is negative"},
	};
	(void)state;
	CHECK_ROWS(rows, &rules);
}

static void another_root(void **state)
{
	static const struct vmdef_rules rules = {.vms_dir = "/srv/x"};
	cleanup_json struct json_object *json = fixture_parse(fixture_text);
	cleanup_vmdef struct vmdef def = {0};
	struct error err = {0};
	(void)state;

	/* The literal /vms/ds/ is refused, and the hint says what to write. */
	assert_int_equal(vmdef_from_json(json, &def, &err), 0);
	assert_int_equal(vmdef_validate(&def, &rules, &err), -1);
	assert_string_equal(err.message, "osdisk.path: /vms/ds/web/os.qcow2 is neither below "
					 "/srv/x/ds/ nor below /dev/");
	assert_string_equal(err.hint, "images live below /srv/x/ds/ here; a relative path is taken "
				      "from there");
	free(def.disks[0].path);
	free(def.disks[1].path);
	def.disks[0].path = xstrdup("web/os.qcow2");
	def.disks[1].path = xstrdup("/srv/x/ds/web/data.raw");
	error_clear(&err);
	assert_int_equal(vmdef_validate(&def, &rules, &err), 0);
	assert_string_equal(def.disks[0].path, "/srv/x/ds/web/os.qcow2");
	assert_string_equal(def.disks[1].path, "/srv/x/ds/web/data.raw");
	/* A root below /dev is the datastore, not devices. */
	static const struct vmdef_rules shm = {.vms_dir = "/dev/shm/vms"};
	static const struct row rows[] = {
		{"/disks", "[" DISK("a.raw", 0, 0, 1, 1, 1) "]", "osdisk.path: /vms/ds/web/os"},
		{"/osdisk", DISK("/dev/shm/vms/ds/a.img", 0, 0, 1, 1, 1),
			"osdisk.path: /dev/shm/vms/ds/a.img has none of the extensions"},
	};
	CHECK_ROWS(rows, &shm);
}

/* Lists at their limit; reading has the same limits, but definitions come from XML too. */
static void list_limits(void **state)
{
	struct vmdef def;
	struct error err = {0};
	(void)state;

	fixture_def(&def);
	def.disks = xreallocarray(def.disks, VMDEF_MAX_DISKS + 2, sizeof(*def.disks));
	for (size_t i = def.n_disks; i < VMDEF_MAX_DISKS + 2; i++)
		def.disks[i] = (struct disk){.path = xasprintf("/vms/ds/%zu.raw", i)};
	def.nets = xreallocarray(def.nets, VMDEF_MAX_NETS + 1, sizeof(*def.nets));
	for (size_t i = def.n_nets; i < VMDEF_MAX_NETS + 1; i++)
		def.nets[i] = (struct net){.name = xstrdup("n")};
	def.custom = xreallocarray(def.custom, VMDEF_MAX_CUSTOM + 1, sizeof(*def.custom));
	for (size_t i = def.n_custom; i < VMDEF_MAX_CUSTOM + 1; i++)
		def.custom[i] = (struct custom){.name = xstrdup("n")};

	def.n_disks = VMDEF_MAX_DISKS + 2;
	assert_int_equal(vmdef_validate(&def, &plain_rules, &err), -1);
	assert_string_equal(err.message, "disks: at most 20, not 21");
	error_clear(&err);
	disk_free(&def.disks[--def.n_disks]);
	def.n_nets = VMDEF_MAX_NETS + 1;
	assert_int_equal(vmdef_validate(&def, &plain_rules, &err), -1);
	assert_string_equal(err.message, "nets: at most 8, not 9");
	error_clear(&err);
	free(def.nets[--def.n_nets].name);
	def.n_custom = VMDEF_MAX_CUSTOM + 1;
	assert_int_equal(vmdef_validate(&def, &plain_rules, &err), -1);
	assert_string_equal(err.message, "custom: at most 256, not 257");
	error_clear(&err);
	free(def.custom[--def.n_custom].name);
	assert_int_equal(vmdef_validate(&def, &plain_rules, &err), 0);
	vmdef_free(&def);
	/* Nothing at all, and a foreign domain without a disk: refused, not read. */
	struct vmdef nothing = {0};
	assert_int_equal(vmdef_validate(&nothing, &plain_rules, &err), -1);
	assert_string_equal(err.message, "name: required, 1 to 32 bytes");
	error_clear(&err);
	fixture_def(&def);
	for (size_t i = 0; i < def.n_disks; i++)
		disk_free(&def.disks[i]);
	def.n_disks = 0;
	assert_int_equal(vmdef_validate(&def, &plain_rules, &err), -1);
	assert_string_equal(err.message, "osdisk.path: required");
	vmdef_free(&def);
}

static void makes_it_canonical(void **state)
{
	cleanup_vmdef struct vmdef def = {0};
	struct error err = {0};
	(void)state;

	assert_int_equal(validate(&(struct row){"/custom",
					  "[{\"name\":\"\",\"value\":\"dropped\"},{\"name\":\"a\"},"
					  "{\"value\":\"x\"},{\"name\":\"b\",\"value\":\"c\"}]",
					  NULL},
				 &plain_rules, &def, &err),
		0);
	assert_int_equal(def.n_custom, 2);
	assert_string_equal(def.custom[0].name, "a");
	assert_string_equal(def.custom[0].value, "");
	assert_string_equal(def.custom[1].value, "c");
	vmdef_free(&def);
	assert_int_equal(validate(&(struct row){"/nets/0/mac", "\"52:54:00:AB:CD:EF\"", NULL},
				 &plain_rules, &def, &err),
		0);
	assert_string_equal(def.nets[0].mac, "52:54:00:ab:cd:ef");
	vmdef_free(&def);
	assert_int_equal(
		validate(&(struct row){"/genid", "\"43DC0CF8-809B-4ADB-9BEA-A9ABB5F3D90E\"", NULL},
			&plain_rules, &def, &err),
		0);
	assert_string_equal(def.genid, "43dc0cf8-809b-4adb-9bea-a9abb5f3d90e");
	/* Once canonical it stays as it is. */
	cleanup_vmdef struct vmdef again = {0};
	vmdef_copy(&again, &def);
	assert_int_equal(vmdef_validate(&again, &plain_rules, &err), 0);
	assert_true(vmdef_equal(&def, &again));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(processors_and_memory),
		cmocka_unit_test(genid_vlanid_custom),
		cmocka_unit_test(interfaces),
		cmocka_unit_test(disk_paths),
		cmocka_unit_test(disk_path_lengths),
		cmocka_unit_test(disk_kinds),
		cmocka_unit_test(luns_that_the_configuration_allows),
		cmocka_unit_test(disks_that_stay),
		cmocka_unit_test(another_root),
		cmocka_unit_test(list_limits),
		cmocka_unit_test(makes_it_canonical),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
