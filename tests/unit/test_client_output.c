/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What values look like: escapes, widths, tables, YAML, sizes, ages, units. */
#include "applets/virtx/output.h"
#include "applets/virtx/units.h"
#include "model/enums.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka needs those before it */
#include <cmocka.h>
#include <locale.h>
#include <time.h>

static int set_locale(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

static void test_escapes(void **state)
{
	static const char *const cases[][2] = {
		{"plain text", "plain text"},
		{"caf\xc3\xa9 \xe4\xb8\xad", "caf\xc3\xa9 \xe4\xb8\xad"},
		{"a\nb\tc\r", "a\\nb\\tc\\r"},
		{"\x1b[31m", "\\x1b[31m"},
		{"\x7f", "\\x7f"},
		{"\xc2\x9b", "\\x9b"},
		{"bad \xff\xc3", "bad \\xff\\xc3"},
		{"\xe2\x80\xae"
		 "evil",
			"\\u202eevil"},
		{"\xe2\x80\x8b", "\\u200b"},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_free char *escaped = text_escape(cases[i][0]);

		assert_string_equal(escaped, cases[i][1]);
	}
}

static char *print_table(const struct table *table)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	table_print(table, out);
	fclose(out);
	return text;
}

static void test_tables(void **state)
{
	static const char *const cells[] = {"NAME", "STATE", "X", "\xe4\xb8\xad\xe6\x96\x87-1",
		"on", "y", "a-much-longer-name", "crashed", "z", "caf\xc3\xa9", "cafe\xcc\x81", "",
		"", "\xff\n\x1b", "\xc2\x9b"};
	cleanup_table struct table table = {.columns = 3};

	(void)state;
	for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++)
		table_add(&table, cells[i]);
	cleanup_free char *text = print_table(&table);

	assert_string_equal(text, "NAME                STATE       X\n"
				  "\xe4\xb8\xad\xe6\x96\x87-1              on          y\n"
				  "a-much-longer-name  crashed     z\n"
				  "caf\xc3\xa9                cafe\xcc\x81        \n"
				  "                    \\xff\\n\\x1b  \\x9b\n");
}

/* A name of a megabyte makes each of many lines as long, and is not held as often. */
static void test_wide_tables(void **state)
{
	enum { WIDTH = 1 << 20, ROWS = 200 };

	cleanup_table struct table table = {.columns = 2}, none = {.columns = 2};
	cleanup_buf struct printbuf *wide = buf_new();
	cleanup_fclose FILE *out = tmpfile();

	(void)state;
	while (wide->bpos < WIDTH)
		buf_text(wide, "\xc3\xa9");
	table_add(&table, wide->buf);
	table_add(&table, "x");
	for (int i = 1; i < ROWS; i++) {
		table_add(&table, "a");
		table_add(&table, "b");
	}
	table_print(&table, out);
	assert_int_equal(ftello(out), WIDTH + 4 + (ROWS - 1) * (WIDTH / 2 + 4));
	assert_true(table.text->bpos < 2 * WIDTH);
	cleanup_free char *text = print_table(&none);

	assert_string_equal(text, "");
}

static void assert_yaml(const char *json, const char *yaml)
{
	cleanup_json struct json_object *value = json_tokener_parse(json);
	cleanup_free char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	yaml_print(value, out);
	fclose(out);
	assert_string_equal(text, yaml);
}

static void test_yaml(void **state)
{
	(void)state;
	assert_yaml("{\"a\": 1, \"b\": true, \"c\": null, \"d\": 0.5, \"e\": -7}",
		"a: 1\nb: true\nc: null\nd: 0.5\ne: -7\n");
	assert_yaml("{\"a\": {\"b\": {\"c\": \"x\"}}, \"d\": {}, \"e\": []}",
		"a:\n  b:\n    c: x\nd: {}\ne: []\n");
	assert_yaml(
		"{\"items\": [{\"uuid\": \"u\", \"fields\": {\"size\": 1}}, {\"uuid\": \"v\"}]}",
		"items:\n  - uuid: u\n    fields:\n      size: 1\n  - uuid: v\n");
	assert_yaml("[[1, 2], [], {}]", "-\n  - 1\n  - 2\n- []\n- {}\n");
	/* What other readers could take for something else is quoted. */
	assert_yaml(
		"[\"yes\", \"No\", \"null\", \"1\", \"1.5\", \"\", \"- a\", \"a: b\", \"a #b\", "
		"\"~\", \"0x1f\", \" a\", \"2026-11-20\", \"[a\"]",
		"- \"yes\"\n- \"No\"\n- \"null\"\n- \"1\"\n- \"1.5\"\n- \"\"\n- \"- a\"\n"
		"- \"a: b\"\n- \"a #b\"\n- \"~\"\n- \"0x1f\"\n- \" a\"\n- \"2026-11-20\"\n- "
		"\"[a\"\n");
	assert_yaml("[\"a\\nb\", \"\\\"q\\\"\", \"back\\\\slash\", \"caf\xc3\xa9\", \"\\u009b\", "
		    "\"\\u2028\", \"\\u007f\"]",
		"- \"a\\u000ab\"\n- \"\\\"q\\\"\"\n- \"back\\\\slash\"\n- \"caf\xc3\xa9\"\n"
		"- \"\\u009b\"\n- \"\\u2028\"\n- \"\\u007f\"\n");
	assert_yaml("{\"strange key\": \"plain\", \"path\": \"vms/ds/x.raw\"}",
		"\"strange key\": plain\npath: vms/ds/x.raw\n");
}

/* One value in one column, without its header. */
static void assert_cell(const struct column *column, const char *json, const char *expected)
{
	struct client client = {0};
	cleanup_json struct json_object *value = json_tokener_parse(json);
	cleanup_buf struct printbuf *text = buf_new();
	const struct cell cell = {&client, column, value};

	column->write(&cell, text);
	assert_string_equal(text->buf, expected);
}

static void test_cells(void **state)
{
	static const struct {
		struct column column;
		const char *json, *expected;
	} cases[] = {
		{{"", "", cell_mib, NULL}, "0", "0M"},
		{{"", "", cell_mib, NULL}, "1023", "1023M"},
		{{"", "", cell_mib, NULL}, "1024", "1G"},
		{{"", "", cell_mib, NULL}, "15872", "15.5G"},
		{{"", "", cell_mib, NULL}, "1048576", "1T"},
		{{"", "", cell_mib, NULL}, "-5", "0M"},
		{{"", "", cell_mib, NULL}, "null", ""},
		{{"", "", cell_bytes, NULL}, "512", "512B"},
		{{"", "", cell_bytes, NULL}, "1610612736", "1.5G"},
		{{"", "", cell_kib_s, NULL}, "2048", "2M/s"},
		{{"", "", cell_mhz, NULL}, "2400", "2.4GHz"},
		{{"", "", cell_hz, NULL}, "2399998000", "2.4GHz"},
		{{"", "", cell_hz, NULL}, "0", ""},
		{{"", "", cell_percent, NULL}, "250", "250%"},
		{{"", "", cell_time, NULL}, "0", ""},
		{{"", "", cell_time, NULL}, "1700000000000", "2023-11-14 22:13:20"},
		{{"", "", cell_enum, &runstate_names}, "4", "running"},
		{{"", "", cell_enum, &runstate_names}, "77", "unknown"},
		{{"", "", cell_vlan, NULL}, "0", ""},
		{{"", "", cell_vlan, NULL}, "7", "7"},
		{{"", "", cell_custom, NULL}, "{\"name\": \"a\", \"value\": \"b\"}", "a=b"},
		{{"", "", cell_custom, NULL}, "[{\"name\": \"c\", \"value\": \"\"}]", "c="},
		{{"", "", cell_custom, NULL}, "[]", ""},
		{{"", "", cell_custom, NULL}, "{\"name\": \"\", \"value\": \"\"}", ""},
		{{"", "", cell_threads, NULL},
			"{\"nodes\": 2, \"sockets\": 1, \"cores\": 8, \"threads\": 2}", "32"},
		{{"", "", cell_text, NULL}, "5", ""},
		/* Whatever a server says. */
		{{"", "", cell_threads, NULL},
			"{\"nodes\": 9223372036854775807, \"sockets\": 9223372036854775807,"
			" \"cores\": 2, \"threads\": -2}",
			"0"},
		{{"", "", cell_threads, NULL}, "[]", "0"},
		{{"", "", cell_mib, NULL}, "9223372036854775807", "8589934592P"},
		{{"", "", cell_mib, NULL}, "\"text\"", "0M"},
		{{"", "", cell_mib, NULL}, "{}", "0M"},
		{{"", "", cell_hz, NULL}, "9223372036854775807", "9223372036.9GHz"},
		{{"", "", cell_time, NULL}, "-9223372036854775807", ""},
		{{"", "", cell_enum, &runstate_names}, "9223372036854775807", "unknown"},
		{{"", "", cell_enum, &runstate_names}, "-3", "unknown"},
		{{"", "", cell_custom, NULL}, "[7]", ""},
		{{"", "", cell_number, NULL}, "1e300", "9223372036854775807"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_cell(&cases[i].column, cases[i].json, cases[i].expected);
}

static void test_ages(void **state)
{
	static const struct {
		long ago;
		const char *expected;
	} cases[] = {{-20, "0s"}, {130, "2m"}, {7300, "2h"}, {200000, "2d"}};
	static const struct column column = {"", "", cell_age, NULL};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_free char *json =
			xasprintf("%lld", ((long long)time(NULL) - cases[i].ago) * 1000);

		assert_cell(&column, json, cases[i].expected);
	}
	assert_cell(&column, "0", "");
}

static void test_paths(void **state)
{
	cleanup_json struct json_object *json =
		json_tokener_parse("{\"a\": {\"b\": {\"c\": 5, \"d\": \"x\"}}, \"e\": null}");

	(void)state;
	assert_int_equal(json_int_at(json, "a.b.c"), 5);
	assert_string_equal(json_text_at(json, "a.b.d"), "x");
	assert_string_equal(json_text_at(json, "a.b.c"), "");
	assert_int_equal(json_int_at(json, "a.b.d"), 0);
	assert_null(json_at(json, "a.b.c.d"));
	assert_null(json_at(json, "e.f"));
	assert_null(json_at(NULL, "a"));
	assert_ptr_equal(json_at(json, ""), json);
}

static void test_units(void **state)
{
	int64_t value = 0;

	(void)state;
	assert_true(units_parse_mib("512", INT32_MAX, &value) && value == 512);
	assert_true(units_parse_mib("16G", INT32_MAX, &value) && value == 16384);
	assert_true(units_parse_mib("1T", INT32_MAX, &value) && value == 1048576);
	assert_false(units_parse_mib("9999999T", INT32_MAX, &value));
	assert_false(units_parse_mib("", INT32_MAX, &value));
	assert_false(units_parse_mib("G", INT32_MAX, &value));
	assert_false(units_parse_mib("1g", INT32_MAX, &value));
	assert_false(units_parse_mib("-1", INT32_MAX, &value));
	assert_true(units_parse_seconds("90", &value) && value == 90);
	assert_true(units_parse_seconds("5m", &value) && value == 300);
	assert_true(units_parse_seconds("24h", &value) && value == 86400);
	assert_false(units_parse_seconds("25h", &value));
	assert_false(units_parse_seconds("m", &value));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_wide_tables),
		cmocka_unit_test(test_yaml),
		cmocka_unit_test(test_cells),
		cmocka_unit_test(test_ages),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_units),
	};

	return cmocka_run_group_tests(tests, set_locale, NULL);
}
