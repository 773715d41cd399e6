/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/file.h: reading with limits, writing atomically, directories. */
#include "base/file.h"

#include "base/mem.h"
#include "base/str.h"
#include "folder_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka needs those before it */
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

static char *folder;

static int set_up(void **state)
{
	(void)state;
	folder = folder_make();
	return chdir(folder);
}

/* Names in the working directory, counted; each test leaves none. */
static unsigned count_names(void)
{
	DIR *dir = opendir(".");
	unsigned count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 2;
}

static int tear_down(void **state)
{
	(void)state;
	int result = chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1;
	free(folder);
	return result;
}

static void write_text(const char *path, const char *text)
{
	struct error err = {0};

	assert_int_equal(file_write_atomic(path, text, strlen(text), 0644, &err), 0);
}

static void test_reads_back_what_was_written(void **state)
{
	(void)state;
	struct error err = {0};
	size_t len = 99;
	struct stat info;

	write_text("a", "hello\n");
	char *text = file_read("a", 6, &len, &err);
	assert_string_equal(text, "hello\n");
	assert_int_equal(len, 6);
	free(text);
	assert_int_equal(file_write_atomic("a", "x\0y", 3, 0640, &err), 0);
	assert_int_equal(stat("a", &info), 0);
	assert_int_equal(info.st_mode & 07777, 0640);
	text = file_read("a", 100, &len, &err);
	assert_int_equal(len, 3);
	assert_memory_equal(text, "x\0y", 4);
	free(text);
	assert_int_equal(count_names(), 1);
	assert_int_equal(file_remove("a", &err), 0);
	assert_int_equal(file_remove("a", &err), 0);
	assert_false(file_exists("a"));
}

static void test_refuses_too_much(void **state)
{
	(void)state;
	struct error err = {0};

	write_text("a", "hello\n");
	assert_null(file_read("a", 5, NULL, &err));
	assert_int_equal(err.code, ERR_STORAGE);
	assert_non_null(strstr(err.message, "larger than 5"));
	error_clear(&err);
	/* Its size is said to be 0, and it is not. */
	assert_null(file_read("/proc/self/status", 10, NULL, &err));
	error_clear(&err);
	char *text = file_read("/proc/self/status", 100000, NULL, &err);
	assert_non_null(text);
	assert_true(str_starts_with(text, "Name:"));
	free(text);
	assert_int_equal(file_remove("a", &err), 0);
}

static void test_refuses_what_is_no_file(void **state)
{
	(void)state;
	struct error err = {0};

	assert_null(file_read("none", 10, NULL, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_non_null(strstr(err.message, "none"));
	error_clear(&err);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_null(file_read("fifo", 10, NULL, &err));
	assert_int_equal(err.code, ERR_STORAGE);
	error_clear(&err);
	assert_null(file_read(".", 10, NULL, &err));
	assert_int_equal(err.code, ERR_STORAGE);
	assert_int_equal(unlink("fifo"), 0);
}

static void test_failed_write_leaves_all_as_it_was(void **state)
{
	(void)state;
	struct error err = {0};

	/* A directory with a file in it cannot be replaced by a rename. */
	assert_int_equal(mkdir("target", 0755), 0);
	write_text("target/old", "old");
	assert_int_equal(file_write_atomic("target", "new", 3, 0644, &err), -1);
	assert_int_equal(err.code, ERR_STORAGE);
	assert_int_equal(count_names(), 1);
	error_clear(&err);
	char *text = file_read("target/old", 10, NULL, &err);
	assert_string_equal(text, "old");
	free(text);
	assert_int_equal(file_write_atomic("no/such/dir", "new", 3, 0644, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	error_clear(&err);
	assert_int_equal(file_remove("target", &err), -1);
	error_clear(&err);
	assert_int_equal(file_remove("target/old", &err), 0);
	assert_int_equal(rmdir("target"), 0);
}

static void test_temporary_files_carry_the_given_name(void **state)
{
	(void)state;
	struct error err = {0};
	cleanup_close int dir = open(".", O_RDONLY | O_DIRECTORY);

	assert_int_equal(file_write_atomic_at(dir, "a.xml", "a", "1", 1, 0640, &err), 0);
	assert_true(file_exists("a.xml"));
	/* The same name in a directory that cannot be replaced shows where it was. */
	assert_int_equal(file_write_atomic_at(dir, "none/a.xml", "a", "1", 1, 0640, &err), -1);
	assert_int_equal(count_names(), 1);
	error_clear(&err);
	assert_int_equal(file_remove("a.xml", &err), 0);
}

static void test_makes_directories(void **state)
{
	(void)state;
	struct error err = {0};
	struct stat info;
	cleanup_free char *path = xasprintf("%s/a/b/c", folder);

	assert_int_equal(file_make_dirs(path, 0751, &err), 0);
	assert_int_equal(file_make_dirs(path, 0700, &err), 0);
	assert_int_equal(stat("a/b/c", &info), 0);
	assert_int_equal(info.st_mode & 07777, 0751);
	assert_int_equal(file_make_dirs("a/b/d", 0700, &err), 0);
	assert_int_equal(rmdir("a/b/d"), 0);
	assert_int_equal(file_sync_dir("a/b", &err), 0);
	write_text("a/file", "");
	assert_int_equal(file_make_dirs("a/file", 0700, &err), -1);
	assert_non_null(strstr(err.message, "not a directory"));
	error_clear(&err);
	assert_int_equal(file_make_dirs("a/file/x", 0700, &err), -1);
	error_clear(&err);
	assert_int_equal(file_sync_dir("a/none", &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	error_clear(&err);
	assert_int_equal(file_remove("a/file", &err), 0);
	assert_int_equal(rmdir("a/b/c") | rmdir("a/b") | rmdir("a"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_back_what_was_written),
		cmocka_unit_test(test_refuses_too_much),
		cmocka_unit_test(test_refuses_what_is_no_file),
		cmocka_unit_test(test_failed_write_leaves_all_as_it_was),
		cmocka_unit_test(test_temporary_files_carry_the_given_name),
		cmocka_unit_test(test_makes_directories),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
