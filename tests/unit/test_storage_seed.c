/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cloud-init seeds: what is in the ISO, who may read it, what stays when it fails. */
#include "storage_fixture.h"

#include "applets/applets.h"
#include "storage/disk.h"

#include "base/process.h"

#define SEED "ds/ci/" VM "/seed.iso"

/* A file of the seed; NULL when it is not in there. The caller frees it. */
static char *read_piece(const struct fixture *fixture, const char *name)
{
	struct error err = {0};
	cleanup_free char *iso = in_vms(fixture, SEED);
	cleanup_free char *copy = xasprintf("%s/piece", fixture->folder);
	const char *const argv[] = {
		"xorriso", "-osirrox", "on", "-indev", iso, "-extract", name, copy, NULL};
	const struct process process = {.argv = argv};

	unlink(copy);
	if (process_run(&process, NULL, &err) < 0)
		return NULL;
	return file_read(copy, 100000, NULL, &err);
}

static void check_piece(const struct fixture *fixture, const char *name, const char *text)
{
	cleanup_free char *found = read_piece(fixture, name);

	if (!text)
		assert_null(found);
	else
		assert_string_equal(found, text);
}

static void create(
	const struct fixture *fixture, const char *user, const char *meta, const char *net)
{
	struct error err = {0};
	char *path = NULL;

	if (seed_create(fixture->store, VM, user, meta, net, &path, &err) < 0)
		fail_msg("%s", err.message);
	cleanup_free char *wanted = in_vms(fixture, SEED);
	assert_string_equal(path, wanted);
	free(path);
	path = seed_path(fixture->store, VM);
	assert_string_equal(path, wanted);
	free(path);
}

static void test_seed(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	cleanup_free char *before = list_all(fixture);

	create(fixture, "#cloud-config\npassword: x\n", NULL, NULL);
	assert_int_equal(mode_of(fixture, SEED), 0640);
	assert_int_equal(mode_of(fixture, "ds/ci/" VM), 0750);
	check_piece(fixture, "/user-data", "#cloud-config\npassword: x\n");
	check_piece(fixture, "/meta-data", "instance-id: " VM "\nlocal-hostname: " VM "\n");
	check_piece(fixture, "/network-config", NULL);
	/* The next boot brings another. */
	create(fixture, NULL, "instance-id: 2\n", "version: 2\n");
	check_piece(fixture, "/user-data", NULL);
	check_piece(fixture, "/meta-data", "instance-id: 2\n");
	check_piece(fixture, "/network-config", "version: 2\n");
	cleanup_free char *all = list_all(fixture);
	assert_null(strstr(all, ".tmp"));
	assert_int_equal(seed_remove(fixture->store, VM, &err), 0);
	assert_int_equal(seed_remove(fixture->store, VM, &err), 0);
	assert_false(is_there(fixture, "ds/ci/" VM));
	cleanup_free char *ci = in_vms(fixture, "ds/ci");
	assert_int_equal(rmdir(ci), 0);
	cleanup_free char *after = list_all(fixture);
	assert_string_equal(before, after);
}

/* Volume descriptors: ECMA-119 8.4 at sector 16, Joliet's supplementary one with its escape
 * sequence, and SUSP's mark. */
static void test_iso_format(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	cleanup_free char *iso = in_vms(fixture, SEED);
	size_t len;
	bool joliet = false;

	create(fixture, "x", NULL, NULL);
	cleanup_free char *data = file_read(iso, 10 << 20, &len, &err);
	assert_non_null(data);
	assert_memory_equal(data + 32769, "CD001", 5);
	assert_memory_equal(data + 32768 + 40, "cidata                          ", 32);
	for (size_t at = 32768; at + 2048 <= len && memcmp(data + at + 1, "CD001", 5) == 0;
		at += 2048)
		joliet |= data[at] == 2 && memcmp(data + at + 88, "%/", 2) == 0;
	assert_true(joliet);
	assert_non_null(memmem(data, len, "RRIP_1991A", 10));
}

static void test_removed_with_its_disk(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	struct disk disk = {
		.path = in_vms(fixture, SEED), .device = DISK_DEVICE_CDROM, .man = DISK_MANAGED};

	create(fixture, "x", NULL, NULL);
	assert_int_equal(disk_provision(fixture->store, VM, &disk, NULL, &err), 0);
	assert_int_equal(disk.size_mib, 1);
	assert_int_equal(disk_release(fixture->store, VM, &disk, true, NULL, &err), 0);
	assert_false(is_there(fixture, "ds/ci/" VM));
	cleanup_free char *all = list_all(fixture);
	assert_null(strstr(all, "/lock/"));
	free(disk.path);
}

static void check_fails(const struct fixture *fixture, const char *user, const char *words)
{
	struct error err = {0};
	char *path = (char[]){"x"};

	assert_int_equal(seed_create(fixture->store, VM, user, "m", NULL, &path, &err), -1);
	assert_int_equal(err.code, ERR_SEED);
	assert_null(path);
	if (!strstr(err.message, words))
		fail_msg("%s", err.message);
}

static void test_failures_leave_nothing(void **state)
{
	struct fixture *fixture = *state;
	cleanup_free char *old_path = xstrdup(getenv("PATH"));
	cleanup_free char *before = list_all(fixture);
	cleanup_free char *ci = in_vms(fixture, "ds/ci");

	check_fails(fixture, NULL, "neither");
	setenv("PATH", "/nowhere", 1);
	check_fails(fixture, "secret", "xorrisofs is not installed");
	setenv("PATH", old_path, 1);
	cleanup_free char *after = list_all(fixture);
	assert_string_equal(before, after);
	/* What is there stays as it is when the next one fails. */
	create(fixture, "first", NULL, NULL);
	setenv("PATH", "/nowhere", 1);
	check_fails(fixture, "second", "not installed");
	setenv("PATH", old_path, 1);
	check_piece(fixture, "/user-data", "first");
	fixture_remove_tree(ci);
	assert_int_equal(symlink("/tmp", ci), 0);
	check_fails(fixture, "secret", "symbolic link");
}

static void test_cuts_are_swept(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	char *path;

	make_file(fixture, "ds/ci/" VM "/.virtx-" VM "-abcdef.tmp/user-data", "secret");
	assert_int_equal(seed_create(fixture->store, VM, "x", NULL, NULL, &path, &err), 0);
	free(path);
	assert_false(is_there(fixture, "ds/ci/" VM "/.virtx-" VM "-abcdef.tmp"));
	make_file(fixture, "ds/ci/" VM "/.virtx-" VM "-ghijkl.tmp/user-data", "secret");
	assert_int_equal(seed_remove(fixture->store, VM, &err), 0);
	assert_false(is_there(fixture, "ds/ci/" VM));
	assert_int_equal(seed_create(fixture->store, "../x", "x", NULL, NULL, &path, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	error_clear(&err);
	assert_int_equal(seed_remove(fixture->store, "../x", &err), -1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define OPEN(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
		OPEN(test_seed),
		OPEN(test_iso_format),
		OPEN(test_removed_with_its_disk),
		OPEN(test_failures_leave_nothing),
		OPEN(test_cuts_are_swept),
	};

	if (argc > 1 && str_equal(argv[1], "lease-run"))
		return lease_run_main(argc - 1, argv + 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
