/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/option.h: every form of an option, and what is refused. */
#include "base/option.h"

#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka needs those before it */
#include <cmocka.h>

static const struct option_row own_rows[] = {
	{'h', "host", "HOST", "the host", 7},
	{'f', "force", NULL, "by force", 0},
	{0, "dry-run", NULL, "do nothing", 0},
	{'x', "hidden", NULL, NULL, 0},
	{0, NULL, NULL, NULL, 0},
};

static const struct option_row global_rows[] = {
	{'o', "output", "FORMAT", "how to print", 0},
	{'h', "help", NULL, NULL, 0},
	{0, NULL, NULL, NULL, 0},
};

/* Reads blank-separated words (cut in place) to the end. */
static int read_all(struct options *options, char *line, struct error *err)
{
	char *argv[16];
	int argc = 0;

	*options = (struct options){.tables = {own_rows, global_rows}};
	while (argc < 16 && (argv[argc] = strsep(&line, " ")))
		argc++;
	for (int i = 0, used; i < argc; i += used)
		if ((used = options_next(options, argc - i, argv + i, err)) < 0)
			return -1;
	return 0;
}

static void test_reads_every_form(void **state)
{
	static const struct {
		const char *line, *host, *output;
		unsigned force;
		size_t operands;
	} cases[] = {
		{"a -h one b", "one", NULL, 0, 2},
		{"-hone", "one", NULL, 0, 0},
		{"--host one --host=two", "two", NULL, 0, 0},
		{"--host= a", "", NULL, 0, 1},
		{"-ff --force", NULL, NULL, 3, 0},
		{"-fh one", "one", NULL, 1, 0},
		{"-fhone -o json", "one", "json", 1, 0},
		{"- -- -f --host", NULL, NULL, 0, 3},
		{"--host --force", "--force", NULL, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_free char *line = xstrdup(cases[i].line);
		cleanup_options struct options options = {0};
		struct error err = {0};

		assert_int_equal(read_all(&options, line, &err), 0);
		assert_int_equal(options.n_operands, cases[i].operands);
		assert_int_equal(option_count(&options, "force"), cases[i].force);
		if (cases[i].host)
			assert_string_equal(option_value(&options, "host"), cases[i].host);
		else
			assert_null(option_value(&options, "host"));
		if (cases[i].output)
			assert_string_equal(option_value(&options, "output"), cases[i].output);
	}
}

static void test_refuses(void **state)
{
	static const struct {
		const char *line, *message, *hint;
	} cases[] = {
		{"--hots x", "there is no option --hots", "did you mean --host?"},
		{"--hidde", "there is no option --hidde", ""},
		{"--f", "there is no option --f", ""},
		{"-fz", "there is no option -z", ""},
		{"--force=1", "--force takes no value", ""},
		{"--host", "--host needs its HOST", ""},
		{"-fh", "-h needs its HOST", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_free char *line = xstrdup(cases[i].line);
		cleanup_options struct options options = {0};
		struct error err = {0};

		assert_int_equal(read_all(&options, line, &err), -1);
		assert_int_equal(err.code, ERR_USAGE);
		assert_string_equal(err.message, cases[i].message);
		assert_string_equal(err.hint, cases[i].hint);
	}
}

static void test_first_table_wins(void **state)
{
	struct options options = {.tables = {own_rows, global_rows}};

	(void)state;
	assert_string_equal(option_find(&options, NULL, 0, 'h')->name, "host");
	assert_string_equal(option_find(&options, "help", 4, 0)->name, "help");
	assert_null(option_find(&options, "hel", 3, 0));
	assert_null(option_find(&options, NULL, 0, 'q'));
	options.tables[0] = NULL;
	assert_string_equal(option_find(&options, NULL, 0, 'h')->name, "help");
}

static void test_help(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	option_print_help(own_rows, out);
	fclose(out);
	assert_string_equal(text, "  -h, --host HOST                 the host\n"
				  "  -f, --force                     by force\n"
				  "      --dry-run                   do nothing\n");
	free(text);
	assert_true(option_any_shown(own_rows));
	assert_false(option_any_shown(own_rows + 3));
	assert_false(option_any_shown(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_every_form),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_first_table_wins),
		cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
