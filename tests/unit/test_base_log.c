/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/log.h: one event is one line, whatever a peer sent. */
#include "base/log.h"

#include "base/mem.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka needs those before it */
#include <cmocka.h>
#include <fcntl.h>

static int saved, captured;

/* Standard error goes into a file until the test ends. */
static int set_up(void **state)
{
	char path[] = P_tmpdir "/virtx-log-XXXXXX";

	(void)state;
	captured = mkstemp(path);
	saved = dup(STDERR_FILENO);
	log_set_level(LOG_LEVEL_INFO);
	return captured < 0 || saved < 0 || unlink(path) < 0 || dup2(captured, STDERR_FILENO) < 0
		       ? -1
		       : 0;
}

static int tear_down(void **state)
{
	(void)state;
	log_clear_context();
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(captured);
	return 0;
}

/* What was logged since the last call. */
static const char *logged(void)
{
	static char text[8192];
	ssize_t len = pread(captured, text, sizeof(text) - 1, 0);

	assert_true(len >= 0);
	text[len] = '\0';
	assert_int_equal(ftruncate(captured, 0), 0);
	assert_int_equal(lseek(captured, 0, SEEK_SET), 0);
	return text;
}

static void test_levels(void **state)
{
	enum log_level level = LOG_LEVEL_INFO;

	(void)state;
	log_debug("unseen");
	assert_string_equal(logged(), "");
	log_set_level(LOG_LEVEL_ERROR);
	log_warning("unseen");
	assert_string_equal(logged(), "");
	log_error("seen");
	assert_non_null(strstr(logged(), "seen"));
	assert_int_equal(log_get_level(), LOG_LEVEL_ERROR);
	assert_true(log_level_parse("debug", &level) && level == LOG_LEVEL_DEBUG);
	assert_false(log_level_parse("loud", &level));
}

static void test_pairs(void **state)
{
	const char *text;

	(void)state;
	log_info(
		"ready", "port", LOG_NUM(8080), "absent", (char *)NULL, "name", "a b", "empty", "");
	text = logged();
	assert_non_null(strstr(text, "ready"));
	assert_non_null(strstr(text, " port=8080"));
	assert_null(strstr(text, "absent"));
	assert_non_null(strstr(text, " name=\"a b\""));
	assert_non_null(strstr(text, " empty=\"\""));
	assert_true(str_ends_with(text, "\n"));
}

static void test_hostile_values_stay_on_one_line(void **state)
{
	static const char *const values[] = {"a\nb", "\"quoted\"", "\x1b[31m", "%s%n", "\xff\xfe",
		"back\\slash", "caf\xc3\xa9\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		log_info("event", "value", values[i]);
		const char *text = logged();
		size_t len = strlen(text);

		assert_ptr_equal(strchr(text, '\n'), text + len - 1);
		assert_true(str_is_utf8(text));
		for (const char *c = text; c < text + len - 1; c++)
			assert_true((unsigned char)*c >= ' ' && *c != 0x7f);
	}
	log_info("event", "value", "%s%n");
	assert_non_null(strstr(logged(), "value=%s%n"));
}

static void test_long_values_are_cut(void **state)
{
	static char text[10000];
	const char *line;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	log_info("event", "value", text, "more", "y z");
	line = logged();
	assert_true(strlen(line) <= 4096);
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	memset(text, '\n', sizeof(text) - 1);
	log_info("event", "value", text);
	line = logged();
	assert_true(strlen(line) <= 4096);
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void test_context(void **state)
{
	const char *text;

	(void)state;
	log_set_context("r-1", "192.0.2.1");
	log_info("event");
	text = logged();
	assert_non_null(strstr(text, "r-1"));
	assert_non_null(strstr(text, "192.0.2.1"));
	log_clear_context();
	log_info("event");
	assert_null(strstr(logged(), "r-1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_levels, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pairs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_hostile_values_stay_on_one_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_long_values_are_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_context, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
