/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state directory: one daemon at a time, an identity that stays. */
#include "applets/virtxd/state.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "folder_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

#define LIBVIRT "aaaaaaaa-0000-0000-0000-00000000000A"
#define SETTING "bbbbbbbb-0000-0000-0000-000000000002"
#define NOTHING "00000000-0000-0000-0000-000000000000"

static char *folder, *state_dir, *uuid_file;

static int setup(void **state)
{
	(void)state;
	folder = folder_make();
	state_dir = xasprintf("%s/a/b", folder);
	uuid_file = xasprintf("%s/host_uuid", state_dir);
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = {
		"a/b/host_uuid", "a/b/lock", "a/b/address", "a/b", "a", ""};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		cleanup_free char *path = xasprintf("%s/%s", folder, names[i]);

		remove(path);
	}
	free(folder);
	free(state_dir);
	free(uuid_file);
	return 0;
}

static void test_lock(void **state)
{
	struct error err = {0};
	struct stat about;
	char pid[32];

	(void)state;
	int first = state_lock(state_dir, &err);
	assert_true(first >= 0);
	assert_int_equal(stat(state_dir, &about), 0);
	assert_int_equal(about.st_mode & 07777, 0750);
	assert_int_equal(state_lock(state_dir, &err), -1);
	assert_int_equal(err.code, ERR_BUSY);
	snprintf(pid, sizeof(pid), "process %d", (int)getpid());
	assert_non_null(strstr(err.message, pid));
	close(first);
	error_clear(&err);
	int again = state_lock(state_dir, &err);
	assert_true(again >= 0);
	close(again);
}

static void assert_uuid(
	const char *setting, const char *libvirt, bool embedded, const char *expected)
{
	char uuid[UUID_TEXT_SIZE];
	struct error err = {0};

	assert_int_equal(
		state_choose_host_uuid(state_dir, setting, libvirt, embedded, uuid, &err), 0);
	assert_string_equal(uuid, expected);
}

static void test_host_uuid(void **state)
{
	struct error err = {0};
	char made[UUID_TEXT_SIZE];

	(void)state;
	assert_int_equal(file_make_dirs(state_dir, 0750, &err), 0);
	assert_uuid("", LIBVIRT, false, "aaaaaaaa-0000-0000-0000-00000000000a");
	assert_uuid(SETTING, LIBVIRT, false, SETTING);
	/* libvirtd's counts, the embedded driver's does not once there is one. */
	assert_uuid("", LIBVIRT, false, "aaaaaaaa-0000-0000-0000-00000000000a");
	assert_uuid("", SETTING, true, "aaaaaaaa-0000-0000-0000-00000000000a");
	assert_uuid("", NOTHING, false, "aaaaaaaa-0000-0000-0000-00000000000a");
	assert_int_equal(file_remove(uuid_file, &err), 0);
	assert_int_equal(state_choose_host_uuid(state_dir, "", NOTHING, false, made, &err), 0);
	assert_true(uuid_is_valid(made));
	assert_string_not_equal(made, NOTHING);
	assert_uuid("", NOTHING, false, made);
	assert_uuid("", "nonsense", false, made);
}

static void test_damaged_host_uuid_stops_the_start(void **state)
{
	struct error err = {0};
	char uuid[UUID_TEXT_SIZE];

	(void)state;
	assert_int_equal(file_make_dirs(state_dir, 0750, &err), 0);
	assert_int_equal(file_write_atomic(uuid_file, "x", 1, 0640, &err), 0);
	assert_int_equal(state_choose_host_uuid(state_dir, "", LIBVIRT, false, uuid, &err), -1);
	assert_int_equal(err.code, ERR_STORED_DATA);
}

static void test_address(void **state)
{
	cleanup_free char *path = xasprintf("%s/address", state_dir);
	struct error err = {0};

	(void)state;
	assert_int_equal(file_make_dirs(state_dir, 0750, &err), 0);
	state_publish_address(state_dir, "127.0.0.1:1\n");
	cleanup_free char *text = file_read(path, 100, NULL, &err);
	assert_string_equal(text, "127.0.0.1:1\n");
	state_publish_address(state_dir, NULL);
	assert_false(file_exists(path));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lock, setup, teardown),
		cmocka_unit_test_setup_teardown(test_host_uuid, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_damaged_host_uuid_stops_the_start, setup, teardown),
		cmocka_unit_test_setup_teardown(test_address, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
