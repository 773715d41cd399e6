/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/config.h: values, files and options over one set of rows. */
#include "base/config.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka needs those before it */
#include <cmocka.h>

struct sample {
	char *name;
	char **list;
	bool flag;
	int64_t number;
	int level;
};

static const char *const levels[] = {"low", "high", NULL};

static const struct config_row rows[] = {
	{.key = "name",
		.kind = CONFIG_STRING,
		.offset = offsetof(struct sample, name),
		.fallback = "n",
		.argument = "NAME",
		.help = "A name"},
	{.key = "some_list",
		.kind = CONFIG_LIST,
		.offset = offsetof(struct sample, list),
		.fallback = "a, b",
		.argument = "ITEM,...",
		.help = "A list"},
	{.key = "flag",
		.kind = CONFIG_BOOL,
		.offset = offsetof(struct sample, flag),
		.fallback = "no",
		.help = "A flag"},
	{.key = "number",
		.kind = CONFIG_INT,
		.offset = offsetof(struct sample, number),
		.fallback = "3",
		.min = -1,
		.max = 10,
		.argument = "NUMBER",
		.help = "A number"},
	{.key = "level",
		.kind = CONFIG_ENUM,
		.offset = offsetof(struct sample, level),
		.fallback = "low",
		.choices = levels,
		.argument = "LEVEL",
		.help = "A level"},
	{0},
};

/* All values on one line, so that a whole state compares at once. */
static void assert_state(const struct sample *sample, const char *expected)
{
	cleanup_buf struct printbuf *text = buf_new();

	for (const struct config_row *row = rows; row->key; row++) {
		cleanup_free char *value = config_get(row, sample);

		buf_format(text, "%s%s", row == rows ? "" : "|", value);
	}
	assert_string_equal(text->buf, expected);
}

static int read_text(struct sample *sample, const char *text, struct error *err)
{
	return config_read_text(rows, sample, "FILE", text, strlen(text), err);
}

static void test_defaults(void **state)
{
	struct sample sample;

	(void)state;
	config_init(rows, &sample);
	assert_state(&sample, "n|a,b|no|3|low");
	config_free(rows, &sample);
	assert_null(sample.name);
	assert_null(sample.list);
}

static void test_reads_text(void **state)
{
	struct sample sample;
	struct error err = {0};

	(void)state;
	config_init(rows, &sample);
	assert_int_equal(read_text(&sample,
				 "# a comment\n"
				 "\n"
				 "  name =  two words  # and a comment\r\n"
				 "some_list=x y,z,,\n"
				 "\tflag = on\n"
				 "number = -1\n"
				 "level = high",
				 &err),
		0);
	assert_state(&sample, "two words|x,y,z|yes|-1|high");
	assert_string_equal(sample.list[2], "z");
	assert_null(sample.list[3]);
	assert_int_equal(read_text(&sample, "name = a#b\nsome_list =\n", &err), 0);
	assert_state(&sample, "a#b||yes|-1|high");
	config_free(rows, &sample);
}

static void test_refuses_bad_text(void **state)
{
	static const struct {
		const char *text, *message, *hint;
	} cases[] = {
		{"nonsense", "FILE:1: not KEY = VALUE: nonsense", ""},
		{"\nnmae = x", "FILE:2: there is no key \"nmae\"", "did you mean name?"},
		{"zzzzzz = x", "FILE:1: there is no key \"zzzzzz\"", ""},
		{"= x", "FILE:1: there is no key \"\"", ""},
		{"name = a\nflag = no\nname = b", "FILE:3: name is given twice", ""},
		{"flag = maybe", "FILE:1: flag: \"maybe\" is neither yes nor no", ""},
		{"number = 11", "FILE:1: number: \"11\" is not a whole number from -1 to 10", ""},
		{"number = 1x", "FILE:1: number: \"1x\" is not a whole number from -1 to 10", ""},
		{"level = middle", "FILE:1: level: \"middle\" is not one of low, high", ""},
		{"name = a\tb", "FILE:1: name: the value has control characters or is not UTF-8",
			""},
		{"name = \xff", "FILE:1: the line is not UTF-8 text", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sample sample;
		struct error err = {0};

		config_init(rows, &sample);
		assert_int_equal(read_text(&sample, cases[i].text, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
		assert_string_equal(err.message, cases[i].message);
		assert_string_equal(err.hint, cases[i].hint);
		config_free(rows, &sample);
	}
}

static void test_refuses_nul(void **state)
{
	struct sample sample;
	struct error err = {0};

	(void)state;
	config_init(rows, &sample);
	assert_int_equal(config_read_text(rows, &sample, "FILE", "name = a\0b\n", 11, &err), -1);
	assert_string_equal(err.message, "FILE:1: the line is not UTF-8 text");
	config_free(rows, &sample);
}

static void test_reads_files(void **state)
{
	char path[] = P_tmpdir "/virtx-config-XXXXXX";
	int fd = mkstemp(path);
	struct sample sample;
	struct error err = {0};

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	config_init(rows, &sample);
	assert_int_equal(file_write_atomic(path, "number = 7\nflag = 3\n", 20, 0600, &err), 0);
	assert_int_equal(config_read_file(rows, &sample, path, &err), -1);
	cleanup_free char *expected = xasprintf("%s:2: flag: \"3\" is neither yes nor no", path);
	assert_string_equal(err.message, expected);
	error_clear(&err);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(config_read_file(rows, &sample, path, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	config_free(rows, &sample);
}

static int take_config(void *context, int argc, char **argv, struct error *err)
{
	const char **file = context;

	if (!str_equal(argv[0], "--config"))
		return 0;
	if (argc < 2)
		return error_set(err, ERR_USAGE, "--config needs a file");
	*file = argv[1];
	return 2;
}

static int read_options(struct sample *sample, const char **file, struct error *err, ...)
{
	char *argv[16] = {(char *)(uintptr_t) "program"};
	int argc = 1;
	va_list args;

	va_start(args, err);
	while (argc < 16 && (argv[argc] = va_arg(args, char *)))
		argc++;
	va_end(args);
	return config_read_options(rows, sample, argc, argv, take_config, file, err);
}

static void test_reads_options(void **state)
{
	struct sample sample;
	struct error err = {0};
	const char *file = NULL;

	(void)state;
	config_init(rows, &sample);
	assert_int_equal(read_options(&sample, &file, &err, "--some-list", "p,q", "--config", "x",
				 "--flag", "--name=m=n", "--number", "-1", NULL),
		0);
	assert_state(&sample, "m=n|p,q|yes|-1|low");
	assert_string_equal(file, "x");
	assert_int_equal(
		read_options(&sample, &file, &err, "--flag", "no", "--level=high", NULL), 0);
	assert_state(&sample, "m=n|p,q|no|-1|high");
	assert_int_equal(read_options(&sample, &file, &err, "--flag=yes", "--flag", NULL), 0);
	assert_state(&sample, "m=n|p,q|yes|-1|high");
	config_free(rows, &sample);
}

static void test_refuses_bad_options(void **state)
{
	struct sample sample;
	struct error err = {0};
	const char *file = NULL;

	(void)state;
	config_init(rows, &sample);
	assert_int_equal(read_options(&sample, &file, &err, "--nmae=1", NULL), -1);
	assert_int_equal(err.code, ERR_USAGE);
	assert_string_equal(err.message, "there is no option --nmae");
	assert_string_equal(err.hint, "did you mean --name?");
	error_clear(&err);
	assert_int_equal(read_options(&sample, &file, &err, "--some_list=1", NULL), -1);
	assert_string_equal(err.hint, "did you mean --some-list?");
	error_clear(&err);
	assert_int_equal(read_options(&sample, &file, &err, "--number", NULL), -1);
	assert_string_equal(err.message, "--number needs a value");
	error_clear(&err);
	assert_int_equal(read_options(&sample, &file, &err, "--number=x", NULL), -1);
	assert_int_equal(err.code, ERR_INVALID);
	error_clear(&err);
	assert_int_equal(read_options(&sample, &file, &err, "--config", NULL), -1);
	assert_string_equal(err.message, "--config needs a file");
	error_clear(&err);
	assert_int_equal(read_options(&sample, &file, &err, "word", NULL), -1);
	assert_string_equal(err.message, "unexpected \"word\"");
	assert_state(&sample, "n|a,b|no|3|low");
	config_free(rows, &sample);
}

static void test_copies(void **state)
{
	struct sample sample, copy;
	struct error err = {0};

	(void)state;
	config_init(rows, &sample);
	assert_int_equal(
		read_text(&sample, "some_list = 1 2\nflag = yes\nnumber = 9\nlevel = high", &err),
		0);
	config_copy(rows, &copy, &sample);
	config_free(rows, &sample);
	assert_state(&copy, "n|1,2|yes|9|high");
	config_free(rows, &copy);
}

static void test_help_names_everything(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	config_print_help(rows, out);
	fclose(out);
	assert_non_null(strstr(text, "  --some-list ITEM,...\n      A list. Default: a, b.\n"));
	assert_non_null(strstr(text, "  --flag\n      A flag. Default: no.\n"));
	assert_non_null(
		strstr(text, "  --level LEVEL\n      A level. One of low, high. Default: low.\n"));
	free(text);
}

/* Without its comment signs it is a file that sets what is set anyway. */
static void test_example_holds_defaults(void **state)
{
	struct sample sample;
	struct error err = {0};
	cleanup_free char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	config_print_example(rows, out);
	fclose(out);
	config_init(rows, &sample);
	assert_int_equal(read_text(&sample, text, &err), 0);
	for (const struct config_row *row = rows; row->key; row++) {
		cleanup_free char *line = xasprintf("\n#%s =", row->key);
		char *found = strstr(text, line);

		assert_non_null(found);
		found[1] = ' ';
	}
	assert_int_equal(read_text(&sample, text, &err), 0);
	assert_state(&sample, "n|a,b|no|3|low");
	config_free(rows, &sample);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_reads_text),
		cmocka_unit_test(test_refuses_bad_text),
		cmocka_unit_test(test_refuses_nul),
		cmocka_unit_test(test_reads_files),
		cmocka_unit_test(test_reads_options),
		cmocka_unit_test(test_refuses_bad_options),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_help_names_everything),
		cmocka_unit_test(test_example_holds_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
