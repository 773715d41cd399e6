/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/lun.h, and storage/disk.h for LUNs: loop devices below a /dev of this test's own, in a
 * mount namespace of its own. They end with the test program, however it ends. This program is also
 * its own lease-run, and its own fallocate(), which can refuse, lie or be slow.
 */
#include "storage_disk_fixture.h"

#include "base/clock.h"
#include "storage/lun.h"

#include <linux/blkpg.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#define MIB    (1 << 20)
#define PIECE  (64 * MIB) /* of lun_wipe.c */
#define SAMPLE (64 << 10)
#define BY_ID  "/dev/disk/by-id/"
#define FILL   0xa5

/* How fallocate() behaves, by a variable of the environment: lease-run must know it too. */
#define BEHAVIOUR "TEST_FALLOCATE"

static bool behaves(const char *how)
{
	const char *behaviour = getenv(BEHAVIOUR);

	return behaviour && strstr(behaviour, how);
}

int fallocate(int fd, int mode, off_t offset, off_t len)
{
	bool give_back = mode & FALLOC_FL_PUNCH_HOLE;

	if (behaves("refuse") || (give_back && behaves("no-hole"))) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (behaves("slow"))
		poll(NULL, 0, 100);
	if (behaves("lie"))
		return 0;
	if (behaves("head"))
		return (int)syscall(SYS_fallocate, fd, mode, offset + SAMPLE, len - SAMPLE);
	if (behaves("tail"))
		return (int)syscall(SYS_fallocate, fd, mode, offset, len - 4096);
	return (int)syscall(SYS_fallocate, fd, mode, offset, len);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
	if (behaves("EIO")) {
		errno = EIO;
		return -1;
	}
	if (behaves("lost"))
		return (ssize_t)len;
	return syscall(SYS_pwrite64, fd, data, len, offset);
}

/* The clearing itself, on a plain file. */

static void fill(int fd, uint64_t bytes)
{
	cleanup_free char *data = xmalloc(MIB);

	memset(data, FILL, MIB);
	for (uint64_t at = 0; at < bytes; at += MIB) {
		size_t len = bytes - at < MIB ? (size_t)(bytes - at) : MIB;

		assert_int_equal(syscall(SYS_pwrite64, fd, data, len, (off_t)at), len);
	}
	assert_int_equal(fsync(fd), 0);
}

/* Bytes that are not zero. */
static uint64_t count_left(int fd, uint64_t bytes)
{
	cleanup_free uint8_t *data = xmalloc(MIB);
	uint64_t left = 0;

	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	for (uint64_t at = 0; at < bytes; at += MIB) {
		ssize_t got = pread(fd, data, MIB, (off_t)at);

		assert_true(got > 0);
		for (ssize_t i = 0; i < got; i++)
			left += data[i] != 0;
	}
	return left;
}

struct told {
	unsigned calls;
	uint64_t clear, stop_at;
};

static int on_piece(void *context, uint64_t clear, struct error *err)
{
	struct told *told = context;

	told->calls++;
	told->clear = clear;
	return told->stop_at && clear >= told->stop_at ? error_set(err, ERR_CANCELLED, "enough")
						       : 0;
}

static int make_full_file(const struct fixture *fixture, uint64_t bytes)
{
	cleanup_free char *path = xasprintf("%s/full", fixture->folder);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	fill(fd, bytes);
	return fd;
}

static int wipe(int fd, uint64_t bytes, bool keep_space, struct told *told, struct error *err)
{
	const struct lun_wipe job = {.fd = fd,
		.path = "the LUN",
		.bytes = bytes,
		.keep_space = keep_space,
		.on_piece = on_piece,
		.context = told};

	return lun_wipe(&job, err);
}

static void test_clears_whatever_the_device_does(void **state)
{
	static const struct {
		const char *behaviour;
		bool keep_space, given_back;
	} rows[] = {{"", false, true}, {"", true, false}, {"no-hole", false, false},
		{"refuse", false, false}, {"refuse", true, false}, {"lie", false, false},
		{"head", false, false}, {"tail", true, false}};
	struct fixture *fixture = *state;
	const uint64_t bytes = 2 * PIECE + 3 * MIB + 512;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cleanup_close int fd = make_full_file(fixture, bytes);
		struct told told = {0};
		struct error err = {0};
		struct stat info;

		setenv(BEHAVIOUR, rows[i].behaviour, 1);
		if (wipe(fd, bytes, rows[i].keep_space, &told, &err) < 0)
			fail_msg("%s: %s", rows[i].behaviour, err.message);
		assert_int_equal(told.calls, 3);
		assert_true(told.clear == 2 * PIECE);
		if (count_left(fd, bytes))
			fail_msg("%s: data is left", rows[i].behaviour);
		assert_int_equal(fstat(fd, &info), 0);
		assert_int_equal(info.st_size, bytes);
		if (rows[i].given_back)
			assert_true(info.st_blocks * 512 < MIB);
		else
			assert_true(info.st_blocks * 512 >= (blkcnt_t)(2 * PIECE));
	}
}

static void test_clears_small_ones(void **state)
{
	static const uint64_t sizes[] = {512, 4096, SAMPLE, SAMPLE + 512, MIB - 512};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		cleanup_close int fd = make_full_file(fixture, sizes[i]);
		struct told told = {0};
		struct error err = {0};

		assert_int_equal(wipe(fd, sizes[i], false, &told, &err), 0);
		assert_int_equal(count_left(fd, sizes[i]), 0);
	}
}

static void test_says_what_it_could_not_clear(void **state)
{
	struct fixture *fixture = *state;
	cleanup_close int fd = make_full_file(fixture, PIECE + MIB);
	struct told told = {0};
	struct error err = {0};

	setenv(BEHAVIOUR, "lie lost", 1);
	assert_int_equal(wipe(fd, PIECE + MIB, false, &told, &err), -1);
	assert_int_equal(err.code, ERR_STORAGE);
	assert_non_null(strstr(err.message, "the LUN still holds data"));
	error_clear(&err);
	setenv(BEHAVIOUR, "refuse EIO", 1);
	assert_int_equal(wipe(fd, PIECE + MIB, false, &told, &err), -1);
	assert_non_null(strstr(err.message, "cannot clear the LUN: Input/output error"));
	error_clear(&err);
	setenv(BEHAVIOUR, "", 1);
	told.stop_at = PIECE;
	assert_int_equal(wipe(fd, PIECE + MIB, false, &told, &err), -1);
	assert_int_equal(err.code, ERR_CANCELLED);
	assert_int_equal(count_left(fd, PIECE + MIB), MIB);
}

/* Loop devices. */

struct loop {
	int fd; /* keeps it; closed, it is free again */
	int number;
	char node[32];
};

static void make_node(const char *node, const char *sys)
{
	struct error err = {0};
	unsigned major_number, minor_number;
	cleanup_free char *path = xasprintf("/sys/class/block/%s/dev", sys);
	cleanup_free char *text = file_read(path, 64, NULL, &err);

	assert_non_null(text);
	assert_int_equal(sscanf(text, "%u:%u", &major_number, &minor_number), 2);
	unlink(node);
	assert_int_equal(mknod(node, S_IFBLK | 0600, makedev(major_number, minor_number)), 0);
}

static void set_up_loop(
	const struct fixture *fixture, struct loop *loop, const char *name, off_t bytes, bool parts)
{
	cleanup_close int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	cleanup_free char *path = xasprintf("%s/%s", fixture->folder, name);
	cleanup_close int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct loop_config config = {.fd = (unsigned)file,
		.info.lo_flags = LO_FLAGS_AUTOCLEAR | (parts ? LO_FLAGS_PARTSCAN : 0)};

	assert_true(control >= 0 && file >= 0);
	assert_int_equal(ftruncate(file, bytes), 0);
	for (int attempt = 0;; attempt++) {
		cleanup_free char *sys = NULL;

		loop->number = ioctl(control, LOOP_CTL_GET_FREE);
		assert_true(loop->number >= 0 && attempt < 100);
		snprintf(loop->node, sizeof(loop->node), "/dev/loop%d", loop->number);
		sys = xasprintf("loop%d", loop->number);
		make_node(loop->node, sys);
		loop->fd = open(loop->node, O_RDWR | O_CLOEXEC);
		if (loop->fd >= 0 && ioctl(loop->fd, LOOP_CONFIGURE, &config) == 0)
			break;
		/* Another test was faster. */
		assert_true(errno == EBUSY || errno == ENXIO);
		if (loop->fd >= 0)
			close(loop->fd);
	}
}

#define cleanup_loop CLEANUP(free_loop)
static void free_loop(struct loop *loop)
{
	close(loop->fd);
}

static void make_name(const char *name, const struct loop *loop)
{
	cleanup_free char *path = xasprintf(BY_ID "%s", name);
	cleanup_free char *target = xasprintf("../..%s", loop->node + strlen("/dev"));

	unlink(path);
	assert_int_equal(symlink(target, path), 0);
}

static struct disk make_lun(const char *name, enum disk_prov prov)
{
	return (struct disk){
		.path = xasprintf(BY_ID "%s", name),
		.device = DISK_DEVICE_LUN,
		.bus = DISK_BUS_VIRTIO_SCSI,
		.man = DISK_MANAGED,
		.prov = prov,
	};
}

static bool is_owner(const struct fixture *fixture, const char *lease, const char *vm)
{
	char owner[UUID_TEXT_SIZE];
	struct error ignored = {0};

	return lease_owner(fixture->store, lease, owner, &ignored) == 0 && str_equal(owner, vm);
}

/* A /dev with nothing in it but what is made here. */
static int make_dev(void **state)
{
	char folder[] = "/tmp/virtx-dev-XXXXXX";
	static const struct {
		const char *name;
		unsigned major, minor;
	} nodes[] = {{"null", 1, 3}, {"zero", 1, 5}, {"random", 1, 8}, {"urandom", 1, 9},
		{"loop-control", 10, 237}};

	(void)state;
	umask(0);
	if (!mkdtemp(folder) || unshare(CLONE_NEWNS) < 0 ||
		mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("none", "/dev", "tmpfs", 0, "size=1m,mode=0755") < 0)
		return -1;
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		cleanup_free char *path = xasprintf("/dev/%s", nodes[i].name);

		if (mknod(path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)) < 0)
			return -1;
	}
	return rmdir(folder) < 0 || mkdir("/dev/disk", 0755) < 0 || mkdir(BY_ID, 0755) < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	setenv(BEHAVIOUR, "", 1);
	fixture_remove_tree(BY_ID);
	if (mkdir(BY_ID, 0755) < 0)
		return -1;
	return tear_down_disks(state);
}

static void test_is_cleared_and_given_back(void **state)
{
	static const enum disk_prov provs[] = {DISK_PROV_THIN, DISK_PROV_THICK};
	struct fixture *fixture = *state;
	const off_t bytes = 65 * MIB + 512;

	for (size_t i = 0; i < 2; i++) {
		struct error err = {0};
		cleanup_loop struct loop loop;
		cleanup_disk struct disk disk = make_lun("wwn-0x6001", provs[i]);

		set_up_loop(fixture, &loop, "lun", bytes, false);
		make_name("wwn-0x6001", &loop);
		fill(loop.fd, (uint64_t)bytes);
		assert_int_equal(disk_check(fixture->store, VM, &disk, &err), 0);
		assert_int_equal(disk.size_mib, 0);
		if (disk_provision(fixture->store, VM, &disk, NULL, &err) < 0)
			fail_msg("%s", err.message);
		assert_int_equal(disk.size_mib, 66);
		assert_int_equal(disk.prov, provs[i]);
		assert_int_equal(count_left(loop.fd, (uint64_t)bytes), 0);
		assert_true(is_owner(fixture, "36001", VM));
		/* Without its storage it goes as it is; with it, empty. */
		fill(loop.fd, (uint64_t)bytes);
		assert_int_equal(disk_release(fixture->store, VM, &disk, false, NULL, &err), 0);
		assert_int_equal(count_left(loop.fd, (uint64_t)bytes), bytes);
		assert_false(is_owner(fixture, "36001", VM));
		disk.prov = DISK_PROV_NONE;
		assert_int_equal(disk_provision(fixture->store, VM, &disk, NULL, &err), 0);
		assert_int_equal(disk.prov, DISK_PROV_THIN);
		assert_int_equal(count_left(loop.fd, (uint64_t)bytes), bytes);
		assert_int_equal(disk_rollback(fixture->store, VM, &disk, 0, &err), 0);
		assert_int_equal(disk_provision(fixture->store, VM, &disk, NULL, &err), 0);
		assert_int_equal(disk_check_release(fixture->store, &disk, &err), 0);
		assert_int_equal(disk_release(fixture->store, VM, &disk, true, NULL, &err), 0);
		assert_int_equal(count_left(loop.fd, (uint64_t)bytes), 0);
		/* Cut after the lease had gone: the repetition has nothing to do. */
		fill(loop.fd, MIB);
		assert_int_equal(disk_release(fixture->store, VM, &disk, true, NULL, &err), 0);
		assert_int_equal(count_left(loop.fd, MIB), MIB);
		cleanup_free char *all = list_all(fixture);
		assert_null(strstr(all, "/lock/"));
	}
}

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

/* Work that is stopped. */

struct heard {
	unsigned percent, times;
	int signal; /* for lease-run, once half is done */
	atomic_bool *cancel;
};

static pid_t only_child(void)
{
	struct error err = {0};
	cleanup_free char *path = xasprintf("/proc/self/task/%d/children", getpid());
	cleanup_free char *text = file_read(path, 100, NULL, &err);
	int64_t pid;

	text[strcspn(text, " ")] = '\0';
	assert_true(str_parse_int(text, 1, INT32_MAX, &pid));
	return (pid_t)pid;
}

static void hear_progress(void *context, unsigned percent)
{
	struct heard *heard = context;

	assert_true(percent > heard->percent);
	heard->percent = percent;
	heard->times++;
	if (heard->percent < 40)
		return;
	if (heard->signal)
		kill(only_child(), heard->signal);
	if (heard->cancel)
		atomic_store(heard->cancel, true);
}

static void test_stopped_half_way(void **state)
{
	struct fixture *fixture = *state;
	const uint64_t bytes = 6 * (uint64_t)PIECE;
	static const struct {
		int signal;
		bool cancel;
		enum error_code code;
	} rows[] = {{0, true, ERR_CANCELLED}, {SIGTERM, false, ERR_UNAVAILABLE},
		{SIGKILL, false, ERR_STORAGE}};
	cleanup_loop struct loop loop;
	cleanup_disk struct disk disk = make_lun("wwn-0x6001", DISK_PROV_THIN);

	set_up_loop(fixture, &loop, "lun", (off_t)bytes, false);
	make_name("wwn-0x6001", &loop);
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		bool release = i % 2;
		struct error err = {0};
		atomic_bool cancel = false;
		struct heard heard = {.signal = rows[i / 2].signal,
			.cancel = rows[i / 2].cancel ? &cancel : NULL};
		const struct disk_work work = {
			.on_progress = hear_progress, .context = &heard, .cancel = &cancel};

		fill(loop.fd, MIB);
		assert_int_equal(syscall(SYS_pwrite64, loop.fd, "x", 1, (off_t)bytes - 512), 1);
		assert_int_equal(fsync(loop.fd), 0);
		setenv(BEHAVIOUR, "slow", 1);
		if (release)
			assert_int_equal(lease_create(fixture->store, "36001", VM, &err), 0);
		int64_t start = clock_ms();
		int done = release ? disk_release(fixture->store, VM, &disk, true, &work, &err)
				   : disk_provision(fixture->store, VM, &disk, &work, &err);
		assert_int_equal(done, -1);
		assert_true(clock_ms() - start < 5000);
		assert_string_equal(error_code_word(err.code), error_code_word(rows[i / 2].code));
		assert_in_range(heard.percent, 40, 80);
		/* As far as it came; a cut create gives the lease back, a cut release keeps it. */
		assert_int_equal(count_left(loop.fd, MIB), 0);
		assert_int_equal(is_owner(fixture, "36001", VM), release);
		error_clear(&err);
		setenv(BEHAVIOUR, "", 1);
		assert_int_equal(disk_release(fixture->store, VM, &disk, true, NULL, &err), 0);
		assert_int_equal(count_left(loop.fd, bytes), release ? 0 : 1);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define OPEN(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, tear_down)
		OPEN(test_clears_whatever_the_device_does),
		OPEN(test_clears_small_ones),
		OPEN(test_says_what_it_could_not_clear),
		OPEN(test_is_cleared_and_given_back),
		OPEN(test_what_is_no_lun),
		OPEN(test_sizes),
		OPEN(test_mounted),
		OPEN(test_partitions),
		OPEN(test_used_by_other_things),
		OPEN(test_opened_by_another_program),
		OPEN(test_names_of_one_lun),
		OPEN(test_the_best_of_odd_names),
		OPEN(test_without_names),
		OPEN(test_stopped_half_way),
	};

	if (argc > 1 && str_equal(argv[1], "lease-run"))
		return lease_run_main(argc - 1, argv + 1);
	return cmocka_run_group_tests(tests, make_dev, NULL);
}
