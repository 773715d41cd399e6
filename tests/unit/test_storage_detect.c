/* SPDX-License-Identifier: GPL-2.0-or-later */
/* disk_detect: what images are, by the real qemu-img, and which are refused. */
#include "storage_fixture.h"

#include "storage/disk.h"

#include <signal.h>

static int detect(
	const struct fixture *fixture, const char *path, struct disk *disk, struct error *err)
{
	cleanup_free char *full =
		path[0] == '/' ? xstrdup(path) : xasprintf("%s/ds/%s", fixture->vms, path);

	error_clear(err);
	*disk = (struct disk){.path = full, .device = DISK_DEVICE_DISK};
	int found = disk_detect(fixture->store, disk, err);
	disk->path = NULL;
	return found;
}

static void check_found(
	const struct fixture *fixture, const char *path, int32_t size_mib, enum disk_prov prov)
{
	struct error err = {0};
	struct disk disk;

	if (detect(fixture, path, &disk, &err) < 0)
		fail_msg("%s: %s", path, err.message);
	assert_int_equal(disk.size_mib, size_mib);
	assert_int_equal(disk.prov, prov);
}

static void check_refused(const struct fixture *fixture, const char *path, const char *words)
{
	struct error err = {0};
	struct disk disk;

	if (detect(fixture, path, &disk, &err) == 0)
		fail_msg("%s was accepted", path);
	assert_int_equal(err.code, ERR_STORAGE);
	if (!strstr(err.message, words))
		fail_msg("%s: %s", path, err.message);
}

/* Runs qemu-img in the datastore. */
#define qemu_img(fixture, ...) \
	in_datastore(fixture, (const char *const[]){"qemu-img", __VA_ARGS__, NULL})

static void in_datastore(const struct fixture *fixture, const char *const *argv)
{
	cleanup_free char *ds = in_vms(fixture, "ds");

	assert_int_equal(chdir(ds), 0);
	fixture_run(argv);
}

static void test_raw(void **state)
{
	struct fixture *fixture = *state;

	qemu_img(fixture, "create", "-f", "raw", "thin.raw", "8M");
	check_found(fixture, "thin.raw", 8, DISK_PROV_THIN);
	qemu_img(fixture, "create", "-f", "raw", "-o", "preallocation=falloc", "thick.raw", "8M");
	check_found(fixture, "thick.raw", 8, DISK_PROV_THICK);
	/* Less than a MiB still is one; what is in it does not matter. */
	make_file(fixture, "ds/small.iso", "QFI\xfb and so on");
	check_found(fixture, "small.iso", 1, DISK_PROV_THICK);
	qemu_img(fixture, "create", "-f", "qcow2", "disguised.raw", "100M");
	assert_int_equal(truncate("disguised.raw", 3 << 20), 0);
	check_found(fixture, "disguised.raw", 3, DISK_PROV_THIN);
}

static void test_qcow2(void **state)
{
	struct fixture *fixture = *state;
	const char *const fill[] = {
		"qemu-io", "-f", "qcow2", "-c", "write -P 7 0 8M", "full.qcow2", NULL};

	qemu_img(fixture, "create", "-f", "qcow2", "thin.qcow2", "64M");
	check_found(fixture, "thin.qcow2", 64, DISK_PROV_THIN);
	qemu_img(fixture, "create", "-f", "qcow2", "-o", "compat=0.10", "old.qcow2", "64M");
	check_found(fixture, "old.qcow2", 64, DISK_PROV_THIN);
	qemu_img(fixture, "create", "-f", "qcow2", "full.qcow2", "8M");
	in_datastore(fixture, fill);
	check_found(fixture, "full.qcow2", 8, DISK_PROV_THICK);
	qemu_img(fixture, "convert", "-c", "-O", "qcow2", "full.qcow2", "small.qcow2");
	check_refused(fixture, "small.qcow2", "compressed");
}

static void test_qcow2_in_use(void **state)
{
	struct fixture *fixture = *state;
	int in[2], out[2];
	char piece[64];

	qemu_img(fixture, "create", "-f", "qcow2", "used.qcow2", "16M");
	assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		execlp("qemu-io", "qemu-io", "-f", "qcow2", "used.qcow2", NULL);
		_exit(127);
	}
	/* Its prompt shows that it has the image open, with QEMU's locks. */
	assert_true(read(out[0], piece, sizeof(piece)) > 0);
	check_found(fixture, "used.qcow2", 16, DISK_PROV_THIN);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	for (int i = 0; i < 2; i++) {
		close(in[i]);
		close(out[i]);
	}
}

static void test_backing_files(void **state)
{
	struct fixture *fixture = *state;
	cleanup_free char *absolute = in_vms(fixture, "ds/sub/base.qcow2");

	make_file(fixture, "ds/sub/note", "x");
	qemu_img(fixture, "create", "-f", "qcow2", "sub/base.qcow2", "32M");
	qemu_img(fixture, "create", "-f", "raw", "base.raw", "32M");
	qemu_img(
		fixture, "create", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", "sub/a.qcow2");
	check_found(fixture, "sub/a.qcow2", 32, DISK_PROV_THIN);
	qemu_img(fixture, "create", "-f", "qcow2", "-b", absolute, "-F", "qcow2", "b.qcow2");
	check_found(fixture, "b.qcow2", 32, DISK_PROV_THIN);
	qemu_img(fixture, "create", "-f", "qcow2", "-b", "../base.raw", "-F", "raw", "sub/c.qcow2");
	check_found(fixture, "sub/c.qcow2", 32, DISK_PROV_THIN);
	qemu_img(fixture, "create", "-f", "qcow2", "-b", "sub/c.qcow2", "-F", "qcow2", "d.qcow2");
	check_found(fixture, "d.qcow2", 32, DISK_PROV_THIN);
}

/* Writes the image's name for its backing file, whatever is there. */
static void set_backing(const struct fixture *fixture, const char *image, const char *backing)
{
	qemu_img(fixture, "create", "-f", "qcow2", image, "1M");
	qemu_img(fixture, "rebase", "-u", "-f", "qcow2", "-F", "qcow2", "-b", backing, image);
}

static void test_backing_files_that_lead_out(void **state)
{
	struct fixture *fixture = *state;
	cleanup_free char *secret = in_vms(fixture, "secret.qcow2");
	cleanup_free char *link = in_vms(fixture, "ds/link.qcow2");

	make_file(fixture, "secret.qcow2", "secret");
	assert_int_equal(symlink("../secret.qcow2", link), 0);
	set_backing(fixture, "absolute.qcow2", secret);
	check_refused(fixture, "absolute.qcow2", "outside the datastore");
	set_backing(fixture, "passwd.qcow2", "/etc/passwd");
	check_refused(fixture, "passwd.qcow2", "/etc/passwd");
	set_backing(fixture, "dots.qcow2", "../secret.qcow2");
	check_refused(fixture, "dots.qcow2", "leads out");
	set_backing(fixture, "link2.qcow2", "link.qcow2");
	check_refused(fixture, "link2.qcow2", "symbolic link");
	set_backing(fixture, "json.qcow2", "json:{\"driver\":\"null-co\"}");
	check_refused(fixture, "json.qcow2", "not a file");
	set_backing(fixture, "nbd.qcow2", "nbd:localhost:10809");
	check_refused(fixture, "nbd.qcow2", "not a file");
	set_backing(fixture, "none.qcow2", "no-such.qcow2");
	check_refused(fixture, "none.qcow2", "no-such.qcow2");
	/* Further down the chain it is the same. */
	set_backing(fixture, "deep.qcow2", "absolute.qcow2");
	check_refused(fixture, "deep.qcow2", "outside the datastore");
	set_backing(fixture, "loop.qcow2", "loop.qcow2");
	check_refused(fixture, "loop.qcow2", "more than 16");
}

static void test_backing_format_must_be_said(void **state)
{
	struct fixture *fixture = *state;
	cleanup_free char *path = in_vms(fixture, "ds/x.qcow2");
	uint8_t header[1024];

	qemu_img(fixture, "create", "-f", "qcow2", "base.qcow2", "1M");
	set_backing(fixture, "x.qcow2", "base.qcow2");
	check_found(fixture, "x.qcow2", 1, DISK_PROV_THIN);
	/* Its extension becomes one that nobody knows. */
	int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pread(fd, header, sizeof(header), 0), sizeof(header));
	uint8_t *found = memmem(header, sizeof(header), "\xe2\x79\x2a\xca", 4);
	assert_non_null(found);
	assert_int_equal(pwrite(fd, "none", 4, found - header), 4);
	close(fd);
	check_refused(fixture, "x.qcow2", "without the format");
}

static void test_external_data_files(void **state)
{
	struct fixture *fixture = *state;
	cleanup_free char *data = in_vms(fixture, "ds/data.raw");
	cleanup_free char *outside = in_vms(fixture, "outside.raw");

	qemu_img(fixture, "create", "-f", "qcow2", "-o", "data_file=data.raw", "x.qcow2", "4M");
	check_found(fixture, "x.qcow2", 4, DISK_PROV_THIN);
	assert_int_equal(rename(data, outside), 0);
	check_refused(fixture, "x.qcow2", "data file");
	assert_int_equal(symlink(outside, data), 0);
	check_refused(fixture, "x.qcow2", "symbolic link");
	qemu_img(fixture, "create", "-f", "qcow2", "-o", "data_file=../outside.raw", "y.qcow2",
		"4M");
	check_refused(fixture, "y.qcow2", "leads out");
}

static void test_what_is_no_image(void **state)
{
	struct fixture *fixture = *state;
	cleanup_free char *link = in_vms(fixture, "ds/link.raw");
	cleanup_free char *fifo = in_vms(fixture, "ds/fifo.raw");
	cleanup_free char *way = in_vms(fixture, "ds/way");

	make_file(fixture, "ds/x.qcow2", "not a qcow2 image");
	check_refused(fixture, "x.qcow2", "not a qcow2 image");
	make_file(fixture, "ds/empty.qcow2", "");
	check_refused(fixture, "empty.qcow2", "not a qcow2 image");
	check_refused(fixture, "none.raw", "No such file");
	check_refused(fixture, "no/such/dir.raw", "No such file");
	make_file(fixture, "ds/real.raw", "x");
	assert_int_equal(symlink("real.raw", link), 0);
	check_refused(fixture, "link.raw", "symbolic link");
	assert_int_equal(symlink(".", way), 0);
	check_refused(fixture, "way/real.raw", "symbolic link");
	assert_int_equal(mkfifo(fifo, 0600), 0);
	check_refused(fixture, "fifo.raw", "not a regular file");
	make_file(fixture, "ds/folder.raw/x", "x");
	check_refused(fixture, "folder.raw", "not a regular file");
	check_refused(fixture, "/dev/null", "not a block device");
	check_refused(fixture, "/dev/no-such-device", "No such file");
}

/* A header that promises more than the file has. */
static void test_truncated_image(void **state)
{
	struct fixture *fixture = *state;
	cleanup_free char *path = in_vms(fixture, "ds/x.qcow2");

	qemu_img(fixture, "create", "-f", "qcow2", "x.qcow2", "64M");
	assert_int_equal(truncate(path, 512), 0);
	struct error err = {0};
	struct disk disk;
	if (detect(fixture, "x.qcow2", &disk, &err) == 0)
		assert_int_equal(disk.size_mib, 64);
	else
		assert_int_equal(err.code, ERR_STORAGE);
	assert_int_equal(truncate(path, 100), 0);
	check_refused(fixture, "x.qcow2", "damaged");
}

static void test_what_a_check_would_refuse(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	struct disk disk = {.path = in_vms(fixture, "ds/none.raw"), .device = DISK_DEVICE_DISK};

	assert_int_equal(disk_check(fixture->store, VM, &disk, &err), -1);
	assert_int_equal(err.code, ERR_STORAGE);
	assert_string_equal(err.hint, "");
	error_clear(&err);
	disk.man = DISK_MANAGED;
	assert_int_equal(disk_check(fixture->store, VM, &disk, &err), -1);
	assert_non_null(strstr(err.hint, "thin or thick"));
	error_clear(&err);
	make_file(fixture, "ds/none.raw", "x");
	assert_int_equal(disk_check(fixture->store, VM, &disk, &err), 0);
	assert_int_equal(disk.size_mib, 0);
	disk.man = DISK_UNMANAGED;
	assert_int_equal(disk_provision(fixture->store, VM, &disk, NULL, &err), 0);
	assert_int_equal(disk.size_mib, 1);
	free(disk.path);
}

/* At use an image is looked at again: what it was at create does not count. */
static void test_what_a_guest_may_use(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	struct disk raw = {.path = in_vms(fixture, "ds/a.raw"), .device = DISK_DEVICE_DISK};
	struct disk qcow2 = {.path = in_vms(fixture, "ds/a.qcow2"), .device = DISK_DEVICE_DISK};
	struct disk device = {.path = (char[]){"/dev/null"}, .device = DISK_DEVICE_DISK};

	make_file(fixture, "ds/a.raw", "x");
	set_backing(fixture, "a.qcow2", "a.raw");
	qemu_img(fixture, "rebase", "-u", "-f", "qcow2", "-F", "raw", "-b", "a.raw", "a.qcow2");
	assert_int_equal(disk_check_use(fixture->store, &raw, &err), 0);
	assert_int_equal(disk_check_use(fixture->store, &qcow2, &err), 0);
	assert_int_equal(disk_check_use(fixture->store, &device, &err), 0);

	qemu_img(fixture, "rebase", "-u", "-f", "qcow2", "-F", "raw", "-b", "/etc/passwd",
		"a.qcow2");
	assert_int_equal(disk_check_use(fixture->store, &qcow2, &err), -1);
	assert_non_null(strstr(err.message, "outside the datastore"));
	error_clear(&err);
	assert_int_equal(unlink(raw.path), 0);
	assert_int_equal(disk_check_use(fixture->store, &raw, &err), -1);
	assert_int_equal(err.code, ERR_STORAGE);
	error_clear(&err);
	assert_int_equal(symlink("/etc/passwd", raw.path), 0);
	assert_int_equal(disk_check_use(fixture->store, &raw, &err), -1);
	assert_non_null(strstr(err.message, "symbolic link"));
	error_clear(&err);
	assert_int_equal(unlink(raw.path), 0);
	assert_int_equal(mkfifo(raw.path, 0600), 0);
	assert_int_equal(disk_check_use(fixture->store, &raw, &err), -1);
	assert_non_null(strstr(err.message, "not a regular file"));
	free(raw.path);
	free(qcow2.path);
}

static void test_encrypted(void **state)
{
	struct fixture *fixture = *state;
	cleanup_free char *path = in_vms(fixture, "ds/secret.qcow2");

	qemu_img(fixture, "create", "-f", "qcow2", "secret.qcow2", "1M");
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "\0\0\0\2", 4, 32), 4); /* crypt_method: LUKS */
	close(fd);
	check_refused(fixture, "secret.qcow2", "encrypted images are not supported");
}

static int leave(void **state)
{
	return chdir("/") == 0 ? fixture_tear_down(state) : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define OPEN(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, leave)
		OPEN(test_raw),
		OPEN(test_qcow2),
		OPEN(test_qcow2_in_use),
		OPEN(test_backing_files),
		OPEN(test_backing_files_that_lead_out),
		OPEN(test_backing_format_must_be_said),
		OPEN(test_external_data_files),
		OPEN(test_what_is_no_image),
		OPEN(test_truncated_image),
		OPEN(test_what_a_check_would_refuse),
		OPEN(test_what_a_guest_may_use),
		OPEN(test_encrypted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
