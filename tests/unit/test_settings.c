/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtxd's settings: what the modes imply, what is refused, which options are no settings. */
#include "applets/virtxd/settings.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "folder_fixture.h"
#include "model/enums.h"
#include "storage/lease.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MAX_ARGS 16

/* Loads from arguments given as text with blanks; the file is an empty one unless arguments name
 * it. */
static int load(
	struct settings *settings, const char *file, const char *arguments, struct error *err)
{
	char *argv[MAX_ARGS] = {(char *)"virtxd"}, *words = xstrdup(arguments), *rest = words,
	     *word;
	int argc = 1;

	while ((word = strsep(&rest, " ")))
		if (*word && argc < MAX_ARGS)
			argv[argc++] = word;
	*err = (struct error){0};
	int status = settings_load(settings, file, argc, argv, err);
	free(words);
	return status;
}

static void test_defaults(void **state)
{
	struct settings settings;
	struct error err;

	(void)state;
	assert_int_equal(load(&settings, "/dev/null", "--state-dir /s", &err), -1); /* no file */
	assert_int_equal(load(&settings, NULL, "--state-dir /s", &err), 0);
	assert_string_equal(settings.listen[0], "127.0.0.1:8080");
	assert_string_equal(settings.libvirt_uri, "qemu:///system");
	assert_string_equal(settings.vms_dir, "/vms");
	assert_int_equal(settings.lock_manager, LOCK_MANAGER_SANLOCK);
	assert_int_equal(settings.virt_type, VIRT_TYPE_AUTO);
	assert_int_equal(settings.collect_interval, 15);
	assert_false(settings.insecure);
	settings_free(&settings);
}

static void test_standalone(void **state)
{
	struct settings settings;
	struct error err;

	(void)state;
	assert_int_equal(
		load(&settings, NULL, "--standalone --state-dir /s --lock-manager sanlock", &err),
		0);
	assert_string_equal(settings.libvirt_uri, "");
	assert_string_equal(settings.vms_dir, "/s/vms");
	assert_int_equal(settings.lock_manager, LOCK_MANAGER_LOCAL);
	settings_free(&settings);
	assert_int_equal(
		load(&settings, NULL,
			"--standalone --state-dir /s --vms-dir /d --libvirt-uri test:///x", &err),
		0);
	assert_string_equal(settings.vms_dir, "/d");
	assert_string_equal(settings.libvirt_uri, "test:///x");
	settings_free(&settings);
}

static void test_listen_needs_insecure(void **state)
{
	static const char *const reachable[] = {"0.0.0.0:8080", ":8080", "[::]:8080", "10.0.0.1:80",
		"127.0.0.1:1,10.0.0.1:1", "example.org:80"};
	static const char *const local[] = {"127.0.0.1:0", "[::1]:8080", "localhost:80"};
	struct settings settings;
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(reachable) / sizeof(reachable[0]); i++) {
		cleanup_free char *args = xasprintf("--state-dir /s --listen %s", reachable[i]);
		cleanup_free char *more = xasprintf("%s --insecure", args);

		assert_int_equal(load(&settings, NULL, args, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
		assert_non_null(strstr(err.hint, "insecure"));
		assert_int_equal(load(&settings, NULL, more, &err), 0);
		settings_free(&settings);
	}
	for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++) {
		cleanup_free char *args = xasprintf("--state-dir /s --listen %s", local[i]);

		assert_int_equal(load(&settings, NULL, args, &err), 0);
		settings_free(&settings);
	}
}

static void test_refused(void **state)
{
	static const char *const bad[] = {"--state-dir s", "--state-dir /s/", "--state-dir /s/../t",
		"--vms-dir x", "--host-uuid 1", "--lock-manager none", "--virt-type xen",
		"--threads 1", "--wait -2", "--nonsense", "--config"};
	struct settings settings;
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (load(&settings, NULL, bad[i], &err) == 0)
			fail_msg("%s was accepted", bad[i]);
		assert_true(err.code == ERR_INVALID || err.code == ERR_USAGE);
	}
}

static void test_file_and_options(void **state)
{
	cleanup_free char *dir = folder_make();
	static const char text[] = "state_dir = /s\nlog_level = debug\nwait = 3\n";
	struct settings settings;
	struct error err = {0};

	(void)state;
	cleanup_free char *file = xasprintf("%s/virtxd.conf", dir);
	assert_int_equal(file_write_atomic(file, text, sizeof(text) - 1, 0600, &err), 0);
	assert_int_equal(load(&settings, file, "--wait 0", &err), 0);
	assert_string_equal(settings.state_dir, "/s");
	assert_int_equal(settings.log_level, 3);
	assert_int_equal(settings.wait, 0);
	settings_free(&settings);
	assert_int_equal(file_remove(file, &err), 0);
	assert_int_equal(load(&settings, file, "", &err), -1);
	rmdir(dir);
}

static void test_command(void **state)
{
	char *argv[] = {(char *)"virtxd", (char *)"--standalone", (char *)"--config=/x",
		(char *)"--init-cluster"};
	struct settings_command command;
	struct error err = {0};

	(void)state;
	assert_int_equal(settings_parse_command(4, argv, &command, &err), 0);
	assert_string_equal(command.file, "/x");
	assert_true(command.init_cluster);
	assert_false(command.help);
	argv[3] = (char *)"--init";
	assert_int_equal(settings_parse_command(4, argv, &command, &err), -1);
}

/* Help, manual and file all come from the rows, so each must say something. */
static void test_rows_explain_themselves(void **state)
{
	(void)state;
	for (const struct config_row *row = settings_rows; row->key; row++) {
		assert_non_null(row->help);
		assert_false(str_ends_with(row->help, "."));
		if (row->kind != CONFIG_BOOL)
			assert_non_null(row->argument);
		for (const struct config_row *other = row + 1; other->key; other++)
			assert_string_not_equal(row->key, other->key);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_standalone),
		cmocka_unit_test(test_listen_needs_insecure),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_file_and_options),
		cmocka_unit_test(test_command),
		cmocka_unit_test(test_rows_explain_themselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
