/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LUNs of a test's own: loop devices below a /dev of its own, in a mount namespace of its own. They
 * end with the test program, however it ends. It is also its own fallocate(), which can refuse, lie
 * or be slow.
 */
#ifndef TESTS_LUN_FIXTURE_H
#define TESTS_LUN_FIXTURE_H

#include "storage_disk_fixture.h"

#include <linux/loop.h>
#include <sched.h>
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

static inline bool behaves(const char *how)
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

static inline void fill(int fd, uint64_t bytes)
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
static inline uint64_t count_left(int fd, uint64_t bytes)
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

/* Loop devices. */

struct loop {
	int fd; /* keeps it; closed, it is free again */
	int number;
	char node[32];
};

static inline void make_node(const char *node, const char *sys)
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

static inline void set_up_loop(
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
static inline void free_loop(struct loop *loop)
{
	close(loop->fd);
}

static inline void make_name(const char *name, const struct loop *loop)
{
	cleanup_free char *path = xasprintf(BY_ID "%s", name);
	cleanup_free char *target = xasprintf("../..%s", loop->node + strlen("/dev"));

	unlink(path);
	assert_int_equal(symlink(target, path), 0);
}

static inline struct disk make_lun(const char *name, enum disk_prov prov)
{
	return (struct disk){
		.path = xasprintf(BY_ID "%s", name),
		.device = DISK_DEVICE_LUN,
		.bus = DISK_BUS_VIRTIO_SCSI,
		.man = DISK_MANAGED,
		.prov = prov,
	};
}

static inline bool is_owner(const struct fixture *fixture, const char *lease, const char *vm)
{
	char owner[UUID_TEXT_SIZE];
	struct error ignored = {0};

	return lease_owner(fixture->store, lease, owner, &ignored) == 0 && str_equal(owner, vm);
}

/* A /dev with nothing in it but what is made here. */
static inline int make_dev(void **state)
{
	static const struct {
		const char *name;
		unsigned major, minor;
	} nodes[] = {{"null", 1, 3}, {"zero", 1, 5}, {"random", 1, 8}, {"urandom", 1, 9},
		{"loop-control", 10, 237}};

	(void)state;
	umask(0);
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("none", "/dev", "tmpfs", 0, "size=1m,mode=0755") < 0)
		return -1;
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		cleanup_free char *path = xasprintf("/dev/%s", nodes[i].name);

		if (mknod(path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)) < 0)
			return -1;
	}
	return mkdir("/dev/disk", 0755) < 0 || mkdir(BY_ID, 0755) < 0 ? -1 : 0;
}

static inline int tear_down(void **state)
{
	setenv(BEHAVIOUR, "", 1);
	fixture_remove_tree(BY_ID);
	if (mkdir(BY_ID, 0755) < 0)
		return -1;
	return tear_down_disks(state);
}

#endif
