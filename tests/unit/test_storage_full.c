/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Storage that is full or read-only, in a mount namespace of one's own: what fails says why, leaves
 * nothing and loses nothing. And whose what is made becomes.
 */
#include "storage_disk_fixture.h"

#include "storage/register.h"

#include <sched.h>
#include <sys/mount.h>

#define OWNER 12345
#define GROUP 23456

/* A storage on a tmpfs of 2 MiB. */
static int set_up_small(void **state)
{
	struct error err = {0};
	char cluster[UUID_TEXT_SIZE];

	if (fixture_empty(state) < 0)
		return -1;
	struct fixture *fixture = *state;
	if (mkdir(fixture->vms, 0750) < 0 ||
		mount("none", fixture->vms, "tmpfs", 0, "size=2m,mode=0750") < 0 ||
		store_init(fixture->vms, cluster, &err) < 0)
		return -1;
	fixture->store = fixture_open(fixture, HOST, &err);
	return fixture->store ? 0 : -1;
}

static int tear_down_small(void **state)
{
	struct fixture *fixture = *state;
	store_close(fixture->store);
	fixture->store = NULL;
	/* With what is mounted on it. */
	umount2(fixture->vms, MNT_DETACH);
	return tear_down_disks(state);
}

/* Fills the rest with a file, which it returns open. */
static int fill(const struct fixture *fixture)
{
	static const char zeros[4096];
	cleanup_free char *path = in_vms(fixture, "ballast");
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	while (write(fd, zeros, sizeof(zeros)) > 0)
		;
	assert_int_equal(errno, ENOSPC);
	return fd;
}

/* Under an open storage, which keeps a file open for writing: by mounts of its folders. */
static void make_read_only(const struct fixture *fixture)
{
	static const char *const folders[] = {"ds", "lock", "xml"};

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		cleanup_free char *path = in_vms(fixture, folders[i]);

		assert_int_equal(mount(path, path, NULL, MS_BIND, NULL), 0);
		assert_int_equal(
			mount("none", path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
	}
}

/* Every change fails with these words and changes nothing. */
static void check_every_change(struct fixture *fixture, const char *words)
{
	static const struct {
		const char *path;
		enum disk_prov prov;
	} images[] = {{"a/thin.raw", DISK_PROV_THIN}, {"a/thick.raw", DISK_PROV_THICK},
		{"a/b/thin.qcow2", DISK_PROV_THIN}, {"thick.qcow2", DISK_PROV_THICK}};
	cleanup_free char *before = list_all(fixture);
	char *seed = NULL;

	for (size_t i = 0; i < sizeof(images) / sizeof(images[0]); i++) {
		struct error err = {0};
		cleanup_disk struct disk disk =
			make_disk(fixture, images[i].path, images[i].prov, 8);

		assert_int_equal(disk_provision(fixture->store, VM, &disk, NULL, &err), -1);
		if (!strstr(err.message, words) || err.code != ERR_STORAGE)
			fail_msg("%s: %s", images[i].path, err.message);
	}
	struct error err = {0};
	assert_int_equal(lease_create(fixture->store, "x", VM, &err), -1);
	assert_non_null(strstr(err.message, words));
	error_clear(&err);
	assert_int_equal(
		seed_create(fixture->store, VM, "#cloud-config\n", NULL, NULL, &seed, &err), -1);
	assert_int_equal(err.code, ERR_SEED);
	assert_non_null(strstr(err.message, words));
	error_clear(&err);
	assert_int_equal(register_save(fixture->store, HOST, VM, "<new/>", &err), -1);
	assert_int_equal(err.code, ERR_REGISTER);
	assert_non_null(strstr(err.message, words));
	error_clear(&err);
	assert_int_equal(intent_save(fixture->store, VM2, "{}", &err), -1);
	assert_non_null(strstr(err.message, words));
	cleanup_free char *after = list_all(fixture);
	assert_string_equal(before, after);
}

static void save_entry(const struct fixture *fixture)
{
	struct error err = {0};

	assert_int_equal(register_save(fixture->store, HOST, VM, "<old/>", &err), 0);
}

static void check_entry(const struct fixture *fixture)
{
	struct error err = {0};
	cleanup_free char *entry = register_load(fixture->store, HOST, VM, &err);

	assert_non_null(entry);
	assert_string_equal(entry, "<old/>");
}

static void test_full(void **state)
{
	struct fixture *fixture = *state;
	cleanup_close int ballast = -1;

	save_entry(fixture);
	ballast = fill(fixture);
	check_every_change(fixture, "No space left on device");
	check_entry(fixture);
}

/* There is room for the lease and for a part of the image. */
static void test_image_does_not_fit(void **state)
{
	struct fixture *fixture = *state;

	for (int i = 0; i < 2; i++) {
		struct error err = {0};
		cleanup_free char *before = list_all(fixture);
		cleanup_disk struct disk disk =
			make_disk(fixture, i ? "d/x.qcow2" : "d/x.raw", DISK_PROV_THICK, 64);

		assert_int_equal(disk_provision(fixture->store, VM, &disk, NULL, &err), -1);
		assert_int_equal(err.code, ERR_STORAGE);
		if (!strstr(err.message, "No space left on device"))
			fail_msg("%s", err.message);
		cleanup_free char *after = list_all(fixture);
		assert_string_equal(before, after);
	}
}

static void test_read_only(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};

	save_entry(fixture);
	make_read_only(fixture);
	check_every_change(fixture, "Read-only file system");
	check_entry(fixture);
	assert_null(fixture_open(fixture, HOST2, &err));
	assert_non_null(strstr(err.message, "Read-only file system"));
}

static struct stat owner_of(const struct fixture *fixture, const char *path)
{
	cleanup_free char *full = in_vms(fixture, path);
	struct stat info;

	assert_int_equal(lstat(full, &info), 0);
	return info;
}

/* QEMU is another user than root: what root makes is its folder's owner's. */
static void test_owner(void **state)
{
	static const char *const made[] = {
		"ds/a", "ds/a/b", "ds/a/b/x.raw", "ds/ci", "ds/ci/" VM, "ds/ci/" VM "/seed.iso"};
	struct fixture *fixture = *state;
	struct error err = {0};
	cleanup_free char *ds = in_vms(fixture, "ds");
	char *seed = NULL;

	cleanup_disk struct disk disk = make_disk(fixture, "a/b/x.raw", DISK_PROV_THIN, 1);
	if (chown(ds, OWNER, GROUP) < 0)
		assert_int_not_equal(geteuid(), 0);
	struct stat folder = owner_of(fixture, "ds");
	assert_int_equal(disk_provision(fixture->store, VM, &disk, NULL, &err), 0);
	if (seed_create(fixture->store, VM, "#cloud-config\n", NULL, NULL, &seed, &err) < 0)
		fail_msg("%s", err.message);
	free(seed);
	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
		struct stat info = owner_of(fixture, made[i]);

		if (info.st_uid != folder.st_uid || info.st_gid != folder.st_gid)
			fail_msg("%s is %u:%u", made[i], info.st_uid, info.st_gid);
		if (S_ISDIR(info.st_mode))
			assert_int_equal(info.st_mode & 07777, 0750);
	}
	assert_int_equal(mode_of(fixture, "ds/a/b/x.raw"), 0660);
	assert_int_equal(disk_release(fixture->store, VM, &disk, true, NULL, &err), 0);
	assert_false(is_there(fixture, "ds/a"));
}

static void write_proc(const char *path, const char *text)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		fprintf(stderr, "# %s: %s\n", path, strerror(errno));
}

/* Mounts need root, here or in a user namespace of one's own, where one stays who one is. */
static bool enter_namespace(void)
{
	uid_t uid = geteuid();
	cleanup_free char *users = xasprintf("%u %u 1", uid, uid);
	cleanup_free char *groups = xasprintf("%u %u 1", getegid(), getegid());

	if (unshare(CLONE_NEWNS | (uid == 0 ? 0 : CLONE_NEWUSER)) < 0)
		return false;
	if (uid != 0) {
		write_proc("/proc/self/setgroups", "deny");
		write_proc("/proc/self/uid_map", users);
		write_proc("/proc/self/gid_map", groups);
	}
	return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define SMALL(test) cmocka_unit_test_setup_teardown(test, set_up_small, tear_down_small)
		SMALL(test_full),
		SMALL(test_image_does_not_fit),
		SMALL(test_read_only),
		cmocka_unit_test_setup_teardown(test_owner, fixture_set_up, tear_down_disks),
	};

	if (argc > 1 && str_equal(argv[1], "lease-run"))
		return lease_run_main(argc - 1, argv + 1);
	if (!enter_namespace()) {
		printf("1..0 # SKIP no mount namespace can be had: %s\n", strerror(errno));
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
