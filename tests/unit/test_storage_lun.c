/* SPDX-License-Identifier: GPL-2.0-or-later */
/* storage/disk.h for LUNs: which are taken, under which name, and which are refused. */
#include "lun_fixture.h"

#include "storage/lun.h"

#include <linux/blkpg.h>
#include <linux/fs.h>

/* Neither check nor provision of it works; nothing changes, neither in the storage nor on it. */
static void check_refused(const struct fixture *fixture, struct disk *disk, const struct loop *loop,
	enum error_code code, const char *words)
{
	cleanup_free char *before = list_all(fixture);

	for (int round = 0; round < 2; round++) {
		struct error err = {0};
		int done = round ? disk_provision(fixture->store, VM, disk, NULL, &err)
				 : disk_check(fixture->store, VM, disk, &err);

		assert_int_equal(done, -1);
		if (!strstr(err.message, words))
			fail_msg("%s, not %s", err.message, words);
		assert_string_equal(error_code_word(err.code), error_code_word(code));
	}
	cleanup_free char *after = list_all(fixture);
	assert_string_equal(before, after);
	if (loop)
		assert_int_equal(count_left(loop->fd, MIB), MIB);
}

static void test_what_is_no_lun(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		const char *target, *words;
	} rows[] = {{"../../nothing", "No such file"}, {"../../null", "not a block device"},
		{"../..", "not a block device"}, {"/tmp", "leads out"},
		{"../../../tmp", "leads out"}, {"wwn-0x6001", "symbolic link"}};
	cleanup_disk struct disk disk = make_lun("wwn-0x6001", DISK_PROV_THIN);
	cleanup_disk struct disk outside = make_lun("x", DISK_PROV_THIN);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unlink(disk.path);
		assert_int_equal(symlink(rows[i].target, disk.path), 0);
		check_refused(fixture, &disk, NULL, ERR_STORAGE, rows[i].words);
	}
	free(outside.path);
	outside.path = xstrdup("/tmp/disk");
	check_refused(fixture, &outside, NULL, ERR_STORAGE, "not below /dev/");
}

static void test_sizes(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	cleanup_loop struct loop loop;
	cleanup_disk struct disk disk = make_lun("wwn-0x6001", DISK_PROV_THIN);

	set_up_loop(fixture, &loop, "lun", 2 * MIB, false);
	make_name("wwn-0x6001", &loop);
	fill(loop.fd, 2 * MIB);
	disk.size_mib = 3;
	check_refused(fixture, &disk, &loop, ERR_STORAGE, "has 2 MiB, not 3");
	disk.size_mib = 1;
	assert_int_equal(disk_provision(fixture->store, VM, &disk, NULL, &err), 0);
	assert_int_equal(disk.size_mib, 2);
	disk.man = DISK_UNMANAGED;
	disk.prov = DISK_PROV_THICK;
	assert_int_equal(disk_detect(fixture->store, &disk, &err), 0);
	assert_int_equal(disk.prov, DISK_PROV_THIN);
}

/* In use by the host. */

static void check_in_use(struct fixture *fixture, const struct loop *loop, const char *words)
{
	struct error err = {0};
	cleanup_disk struct disk disk = make_lun("wwn-0x6001", DISK_PROV_THIN);
	cleanup_disk struct disk own = make_lun("wwn-0x6001", DISK_PROV_NONE);
	uint64_t before = count_left(loop->fd, 2 * MIB);

	check_refused(fixture, &disk, NULL, ERR_STORAGE, words);
	check_refused(fixture, &own, NULL, ERR_STORAGE, words);
	assert_int_equal(lease_create(fixture->store, "36001", VM, &err), 0);
	assert_int_equal(disk_check_release(fixture->store, &disk, &err), -1);
	assert_non_null(strstr(err.message, words));
	error_clear(&err);
	assert_int_equal(disk_release(fixture->store, VM, &disk, true, NULL, &err), -1);
	assert_int_equal(err.code, ERR_STORAGE);
	assert_non_null(strstr(err.message, words));
	assert_true(is_owner(fixture, "36001", VM));
	error_clear(&err);
	assert_int_equal(disk_release(fixture->store, VM, &disk, false, NULL, &err), 0);
	assert_int_equal(count_left(loop->fd, 2 * MIB), before);
	own.man = DISK_UNMANAGED;
	assert_int_equal(disk_detect(fixture->store, &own, &err), -1);
}

static void test_mounted(void **state)
{
	struct fixture *fixture = *state;
	cleanup_loop struct loop loop;
	cleanup_free char *mounted = xasprintf("%s/a \\folder", fixture->folder);

	set_up_loop(fixture, &loop, "lun", 8 * MIB, false);
	make_name("wwn-0x6001", &loop);
	run_program("mkfs.ext4", "-q", "-F", loop.node);
	assert_int_equal(mkdir(mounted, 0755), 0);
	assert_int_equal(mount(loop.node, mounted, "ext4", 0, NULL), 0);
	check_in_use(fixture, &loop, mounted);
	assert_int_equal(umount(mounted), 0);
}

/* As a table would; not every kernel reads tables. */
static void add_partition(int fd)
{
	struct blkpg_partition part = {.start = 4096, .length = 4 * MIB, .pno = 1};
	struct blkpg_ioctl_arg arg = {
		.op = BLKPG_ADD_PARTITION, .datalen = sizeof(part), .data = &part};

	assert_int_equal(ioctl(fd, BLKPG, &arg), 0);
}

static void test_partitions(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	cleanup_loop struct loop loop, part = {.number = 0};
	cleanup_free char *mounted = xasprintf("%s/part", fixture->folder);
	cleanup_disk struct disk disk = make_lun("wwn-0x6001-p", DISK_PROV_THIN);
	cleanup_disk struct disk whole = make_lun("wwn-0x6001", DISK_PROV_THIN);

	set_up_loop(fixture, &loop, "lun", 8 * MIB, true);
	make_name("wwn-0x6001", &loop);
	add_partition(loop.fd);
	snprintf(part.node, sizeof(part.node), "/dev/loop%dp1", loop.number);
	make_node(part.node, part.node + strlen("/dev/"));
	make_name("wwn-0x6001-p", &part);
	check_refused(fixture, &disk, NULL, ERR_STORAGE, "leads to a partition");
	run_program("mkfs.ext4", "-q", "-F", part.node);
	assert_int_equal(mkdir(mounted, 0755), 0);
	assert_int_equal(mount(part.node, mounted, "ext4", 0, NULL), 0);
	check_in_use(fixture, &loop, "p1 that is mounted at ");
	assert_int_equal(umount(mounted), 0);
	/* With the table its partition goes. */
	assert_int_equal(disk_provision(fixture->store, VM, &whole, NULL, &err), 0);
	part.fd = open(part.node, O_RDONLY | O_CLOEXEC);
	assert_int_equal(part.fd, -1);
	assert_int_equal(errno, ENXIO);
}

/* What cannot be had here is shown by files mounted in place of the kernel's. */
static void check_user(const struct fixture *fixture, const struct loop *loop, const char *place,
	const char *text, const char *words)
{
	struct stat info;
	cleanup_free char *file = in_vms(fixture, "fake");

	make_file(fixture, "fake", text);
	assert_int_equal(fstat(loop->fd, &info), 0);
	assert_int_equal(mount(file, place, NULL, MS_BIND, NULL), 0);
	cleanup_free char *user = lun_find_user(info.st_rdev);
	assert_int_equal(umount2(place, MNT_DETACH), 0);
	assert_string_equal(user, words);
}

static void test_used_by_other_things(void **state)
{
	struct fixture *fixture = *state;
	struct stat info;
	cleanup_loop struct loop loop;
	cleanup_free char *holders = NULL, *held = in_vms(fixture, "held"), *text = NULL;

	set_up_loop(fixture, &loop, "lun", 2 * MIB, false);
	make_name("wwn-0x6001", &loop);
	assert_int_equal(fstat(loop.fd, &info), 0);
	assert_null(lun_find_user(info.st_rdev));
	text = xasprintf("Filename Type Size Used Priority\n%s partition 1 0 -2\n", loop.node);
	check_user(fixture, &loop, "/proc/swaps", text, "is used as swap");
	free(text);
	text = xasprintf("36 35 0:44 / /a\\040b rw,noatime shared:1 - btrfs %s rw\n", loop.node);
	check_user(fixture, &loop, "/proc/self/mountinfo", text, "is mounted at /a b");
	holders = xasprintf("/sys/block/loop%d/holders", loop.number);
	make_file(fixture, "held/dm-77", "");
	assert_int_equal(mount(held, holders, NULL, MS_BIND, NULL), 0);
	cleanup_free char *user = lun_find_user(info.st_rdev);
	assert_int_equal(umount2(holders, MNT_DETACH), 0);
	assert_string_equal(user, "is part of dm-77");
}

static void test_opened_by_another_program(void **state)
{
	struct fixture *fixture = *state;
	cleanup_loop struct loop loop;
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 100, .l_len = 1};

	set_up_loop(fixture, &loop, "lun", 2 * MIB, false);
	make_name("wwn-0x6001", &loop);
	int other = open(loop.node, O_RDONLY | O_EXCL | O_CLOEXEC);
	assert_true(other >= 0);
	struct error err = {0};
	cleanup_disk struct disk disk = make_lun("wwn-0x6001", DISK_PROV_THIN);
	assert_int_equal(disk_check(fixture->store, VM, &disk, &err), -1);
	assert_non_null(strstr(err.message, "opened exclusively by another program"));
	close(other);
	/* As QEMU does with what a guest runs with. */
	other = open(loop.node, O_RDWR | O_CLOEXEC);
	assert_int_equal(fcntl(other, F_OFD_SETLK, &lock), 0);
	check_refused(fixture, &disk, NULL, ERR_STORAGE, "locked by another program");
	close(other);
}

/* Names. */

static void test_names_of_one_lun(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	cleanup_loop struct loop loop, another;
	cleanup_disk struct disk wwn = make_lun("wwn-0x6001", DISK_PROV_THIN);
	cleanup_disk struct disk scsi = make_lun("scsi-36001", DISK_PROV_THIN);
	cleanup_disk struct disk serial = make_lun("scsi-SVENDOR_1", DISK_PROV_THIN);
	cleanup_disk struct disk allowed = make_lun("", DISK_PROV_THIN);

	set_up_loop(fixture, &loop, "lun", 2 * MIB, false);
	set_up_loop(fixture, &another, "another", 2 * MIB, false);
	fill(loop.fd, 2 * MIB);
	make_name("wwn-0x6001", &loop);
	make_name("scsi-36001", &loop);
	make_name("scsi-SVENDOR_1", &loop);
	make_name("dm-name-a", &another);
	free(allowed.path);
	allowed.path = xstrdup(loop.node);
	check_refused(fixture, &serial, &loop, ERR_INVALID,
		"scsi-SVENDOR_1 is another name of " BY_ID "wwn-0x6001");
	check_refused(
		fixture, &allowed, &loop, ERR_INVALID, "is another name of " BY_ID "wwn-0x6001");
	/* As others may have claimed it. */
	assert_int_equal(lease_create(fixture->store, "SVENDOR_1", VM2, &err), 0);
	check_refused(fixture, &wwn, &loop, ERR_LEASE, "under its name " BY_ID "scsi-SVENDOR_1");
	check_refused(fixture, &wwn, &loop, ERR_LEASE, "belongs to VM " VM2);
	assert_int_equal(disk_check_use(fixture->store, &wwn, &err), -1);
	assert_int_equal(err.code, ERR_LEASE);
	error_clear(&err);
	assert_int_equal(lease_remove(fixture->store, "SVENDOR_1", VM2, &err), 0);
	assert_int_equal(disk_check_use(fixture->store, &wwn, &err), 0);
	assert_int_equal(lease_create(fixture->store, "36001", VM2, &err), 0);
	check_refused(fixture, &scsi, &loop, ERR_LEASE, "scsi-36001 belongs to VM " VM2);
	assert_int_equal(lease_remove(fixture->store, "36001", VM2, &err), 0);
	assert_int_equal(disk_provision(fixture->store, VM, &scsi, NULL, &err), 0);
	assert_true(is_owner(fixture, "36001", VM));
	/* Of one that is there already only the leases count. */
	assert_int_equal(lease_create(fixture->store, "SVENDOR_1", VM, &err), 0);
	assert_int_equal(disk_check_release(fixture->store, &scsi, &err), -1);
	assert_int_equal(err.code, ERR_LEASE);
	error_clear(&err);
	assert_int_equal(lease_remove(fixture->store, "36001", VM, &err), 0);
	assert_int_equal(disk_check_release(fixture->store, &serial, &err), 0);
	assert_int_equal(disk_release(fixture->store, VM, &serial, true, NULL, &err), 0);
}

static void test_the_best_of_odd_names(void **state)
{
	static const char *const order[] = {"dm-uuid-mpath-a", "wwn-0xb", "scsi-3c", "nvme-eui.d",
		"nvme-uuid.e", "ata-f", "scsi-0QEMU"};
	struct fixture *fixture = *state;
	cleanup_loop struct loop loop;

	set_up_loop(fixture, &loop, "lun", 2 * MIB, false);
	fill(loop.fd, MIB);
	for (size_t i = sizeof(order) / sizeof(order[0]) - 1; i > 0; i--) {
		cleanup_disk struct disk disk = make_lun(order[i], DISK_PROV_THIN);
		cleanup_free char *words =
			xasprintf("is another name of " BY_ID "%s,", order[i - 1]);

		make_name(order[i], &loop);
		make_name(order[i - 1], &loop);
		check_refused(fixture, &disk, &loop, ERR_INVALID, words);
	}
}

static void test_without_names(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	cleanup_loop struct loop loop;
	cleanup_disk struct disk disk = make_lun("", DISK_PROV_THIN);

	/* One that the configuration allows, on a host without any by-id. */
	set_up_loop(fixture, &loop, "lun", 2 * MIB, false);
	free(disk.path);
	disk.path = xstrdup(loop.node);
	assert_int_equal(rmdir(BY_ID), 0);
	assert_int_equal(disk_provision(fixture->store, VM, &disk, NULL, &err), 0);
	assert_int_equal(disk_release(fixture->store, VM, &disk, true, NULL, &err), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define OPEN(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, tear_down)
		OPEN(test_what_is_no_lun),
		OPEN(test_sizes),
		OPEN(test_mounted),
		OPEN(test_partitions),
		OPEN(test_used_by_other_things),
		OPEN(test_opened_by_another_program),
		OPEN(test_names_of_one_lun),
		OPEN(test_the_best_of_odd_names),
		OPEN(test_without_names),
	};

	if (argc > 1 && str_equal(argv[1], "lease-run"))
		return lease_run_main(argc - 1, argv + 1);
	return cmocka_run_group_tests(tests, make_dev, NULL);
}
