/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/str.h, base/uuid.h and base/buf.h. */
#include "base/str.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/uuid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka needs those before it */
#include <cmocka.h>

static void test_parts(void **state)
{
	char small[4] = "xxx";

	(void)state;
	assert_true(str_starts_with("abc", "ab") && str_starts_with("abc", ""));
	assert_false(str_starts_with("ab", "abc"));
	assert_true(str_ends_with("abc", "bc") && str_ends_with("abc", ""));
	assert_false(str_ends_with("bc", "abc"));
	assert_true(str_is_empty(NULL) && str_is_empty("") && !str_is_empty(" "));
	assert_true(str_copy(small, sizeof(small), "abc"));
	assert_string_equal(small, "abc");
	assert_false(str_copy(small, sizeof(small), "abcd"));
	assert_string_equal(small, "");
}

static void test_utf8(void **state)
{
	static const char *const good[] = {"", "a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80",
		"\xef\xbf\xbf", "\xed\x9f\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf",
		"caf\xc3\xa9"};
	static const char *const bad[] = {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf",
		"\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "a\xc3",
		"\xe2\x82", "\xff"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(str_is_utf8(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(str_is_utf8(bad[i]));
	assert_true(str_has_control("a\n") && str_has_control("\x7f"));
	assert_false(str_has_control("caf\xc3\xa9 ~"));
}

static void test_numbers(void **state)
{
	static const char *const refused[] = {
		"", "-", "+1", " 1", "1 ", "0x1", "1.0", "99999999999999999999", "6", "-6"};
	int64_t value = 42;
	bool truth = true;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_false(str_parse_int(refused[i], -5, 5, &value));
	assert_true(str_parse_int("-5", -5, 5, &value) && value == -5);
	assert_true(str_parse_int("9223372036854775807", 0, INT64_MAX, &value));
	assert_true(value == INT64_MAX);
	assert_true(str_parse_bool("off", &truth) && !truth);
	assert_true(str_parse_bool("1", &truth) && truth);
	assert_false(str_parse_bool("Yes", &truth) || str_parse_bool("", &truth));
}

static void test_distance(void **state)
{
	char longer[80];

	(void)state;
	assert_int_equal(str_edit_distance("", ""), 0);
	assert_int_equal(str_edit_distance("list", "lst"), 1);
	assert_int_equal(str_edit_distance("kitten", "sitting"), 3);
	assert_int_equal(str_edit_distance("", "abc"), 3);
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(str_edit_distance(longer, "a"), 255);
	assert_int_equal(str_edit_distance("a", longer), 255);
}

static void test_nearest(void **state)
{
	static const char *const words[] = {"list", "get", "shutdown", "completion"};
	static const struct {
		const char *typed, *best;
	} cases[] = {{"lsit", "list"}, {"shutdwon", "shutdown"}, {"comp", "completion"},
		{"gte", NULL}, {"ge", "get"}, {"x", NULL}, {"", NULL}, {"unrelated", NULL}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct str_nearest nearest = {.word = cases[i].typed};

		for (size_t j = 0; j < sizeof(words) / sizeof(words[0]); j++)
			str_nearest_try(&nearest, words[j]);
		if (cases[i].best)
			assert_string_equal(nearest.best, cases[i].best);
		else
			assert_null(nearest.best);
	}
}

static void test_md5(void **state)
{
	char hex[33];

	(void)state;
	str_md5_hex("", 0, hex);
	assert_string_equal(hex, "d41d8cd98f00b204e9800998ecf8427e");
	str_md5_hex("message digest", 14, hex);
	assert_string_equal(hex, "f96b697d7cb7938d525a2f31aaf161d0");
}

static void test_uuids(void **state)
{
	char first[UUID_TEXT_SIZE], second[UUID_TEXT_SIZE];

	(void)state;
	uuid_make(first);
	uuid_make(second);
	assert_true(uuid_is_valid(first) && uuid_is_valid(second));
	assert_string_not_equal(first, second);
	assert_true(uuid_canonical("ABCDEF01-2345-6789-ABCD-EF0123456789", first));
	assert_string_equal(first, "abcdef01-2345-6789-abcd-ef0123456789");
	assert_false(uuid_canonical("abcdef01-2345-6789-abcd-ef012345678", first));
	assert_string_equal(first, "");
	assert_false(uuid_is_valid("abcdef01-2345-6789-abcd-ef01234567890"));
	assert_false(uuid_is_valid("abcdef01-2345-6789-abcd-ef012345678g"));
	assert_false(uuid_is_valid("abcdef0102345-6789-abcd-ef0123456789"));
	assert_false(uuid_is_valid(""));
}

static void test_buffers(void **state)
{
	struct printbuf *buf = buf_new();

	(void)state;
	assert_string_equal(buf->buf, "");
	buf_text(buf, "a");
	buf_format(buf, "%d%%", 5);
	buf_append(buf, "bcd", 2);
	for (int i = 0; i < 10000; i++)
		buf_text(buf, "0123456789");
	assert_int_equal(buf->bpos, 5 + 100000);
	cleanup_free char *text = buf_steal(buf);
	assert_int_equal(strlen(text), 100005);
	assert_memory_equal(text, "a5%bc0123", 9);
	buf_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_md5),
		cmocka_unit_test(test_uuids),
		cmocka_unit_test(test_buffers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
