/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/error.h and base/mem.h. */
#include "base/error.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka needs those before it */
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

static void test_first_cause_stays(void **state)
{
	struct error err = {0};

	(void)state;
	assert_false(error_is_set(&err));
	assert_int_equal(error_set(&err, ERR_BUSY, "held by %d", 7), -1);
	assert_int_equal(error_set(&err, ERR_INVALID, "later"), -1);
	assert_int_equal(err.code, ERR_BUSY);
	assert_string_equal(err.message, "held by 7");
	error_hint(&err, "wait %s", "a bit");
	error_hint(&err, "other");
	assert_string_equal(err.hint, "wait a bit");
	error_clear(&err);
	assert_false(error_is_set(&err));
	assert_string_equal(err.message, "");
	assert_string_equal(err.hint, "");
}

static void test_prefix(void **state)
{
	struct error err = {0};

	(void)state;
	assert_int_equal(error_prefix(&err, "nothing"), -1);
	assert_string_equal(err.message, "");
	error_set(&err, ERR_STORAGE, "no space");
	error_prefix(&err, "disk %d", 2);
	error_prefix(&err, "create");
	assert_string_equal(err.message, "create: disk 2: no space");
}

static void test_errno(void **state)
{
	struct error err = {0};

	(void)state;
	error_set_errno(&err, ERR_STORAGE, ENOENT, "open %s", "x");
	assert_string_equal(err.message, "open x: No such file or directory");
}

static void test_cuts_at_characters(void **state)
{
	struct error err = {0};
	char text[2048];

	(void)state;
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	/* A two-byte character over the border: cut off whole. */
	memcpy(text + sizeof(err.message) - 2, "\xc3\xa9", 2);
	error_set(&err, ERR_INVALID, "%s", text);
	assert_int_equal(strlen(err.message), sizeof(err.message) - 2);
	assert_true(str_is_utf8(err.message));
	error_prefix(&err, "\xc3\xa9");
	assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
	assert_true(str_is_utf8(err.message));
}

static void test_words(void **state)
{
	(void)state;
	for (int i = 0; i < ERR_CODE_COUNT; i++) {
		assert_int_equal(error_code_parse(error_code_word((enum error_code)i)), i);
		assert_true(*error_code_title((enum error_code)i));
	}
	assert_int_equal(error_code_parse("no such word"), ERR_INTERNAL);
	assert_string_equal(error_code_word(ERR_CODE_COUNT), "internal");
	assert_string_equal(error_code_word((enum error_code) - 1), "internal");
}

static void test_memory(void **state)
{
	cleanup_free char *text = xasprintf("%s-%d", "a", 1);
	cleanup_free char *part = xstrndup("abc", 2), *copy = xmemdup("xyz", 3);
	cleanup_free int *numbers = xcalloc(3, sizeof(*numbers));

	(void)state;
	assert_string_equal(text, "a-1");
	assert_string_equal(part, "ab");
	assert_memory_equal(copy, "xyz", 3);
	assert_int_equal(numbers[0] | numbers[1] | numbers[2], 0);
	assert_null(xstrdup_or_null(NULL));
	char *taken = steal(&text);
	assert_null(text);
	assert_string_equal(taken, "a-1");
	free(taken);
	free(xmalloc(0));
	free(xcalloc(0, 0));
}

static void test_descriptors_are_closed(void **state)
{
	int seen, stolen;

	(void)state;
	{
		cleanup_close int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		cleanup_close int none = -1;

		seen = fd;
		assert_true(fd >= 0 && none < 0);
	}
	assert_int_equal(fcntl(seen, F_GETFD), -1);
	{
		cleanup_close int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

		stolen = steal_fd(&fd);
		assert_int_equal(fd, -1);
	}
	assert_int_equal(close(stolen), 0);
}

/* Sanitizers too are to say NULL where the C library does. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void)
{
	return "allocator_may_return_null=1";
}

/* An impossible size ends the process with one line, it is not a null pointer. */
static void test_exhaustion_aborts(void **state)
{
	int status = 0, line[2];
	char text[64] = "";

	(void)state;
	assert_int_equal(pipe(line), 0);
	fflush(NULL);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(line[1], STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		free(xreallocarray(NULL, SIZE_MAX / 2, 4));
		_exit(0);
	}
	close(line[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(read(line[0], text, sizeof(text) - 1) > 0);
	close(line[0]);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_string_equal(text, "virtx: out of memory\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_cause_stays),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_errno),
		cmocka_unit_test(test_cuts_at_characters),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_descriptors_are_closed),
		cmocka_unit_test(test_exhaustion_aborts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
