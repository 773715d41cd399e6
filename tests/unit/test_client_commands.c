/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of commands itself: every row is whole, and help and manual show all of it. */
#include "client_fixture.h"

#include "applets/virtx/manual.h"
#include "applets/virtxd/settings.h"

static bool has_option(const struct command *command, const char *name)
{
	for (const struct option_row *row = command->options; row && row->name; row++)
		if (str_equal(row->name, name))
			return true;
	return false;
}

static void test_rows_are_whole(void **state)
{
	(void)state;
	for (size_t i = 0; commands[i]; i++) {
		const struct command *command = commands[i];

		assert_true(*command->name && *command->summary && command->operands);
		assert_false(str_ends_with(command->summary, "."));
		assert_true(!command->details || str_ends_with(command->details, "."));
		assert_int_equal((command->run != NULL) + (command->each != NULL), 1);
		/* What works on each operand needs one, and its results need a table only with a
		 * view. */
		assert_true(!command->each || *command->operands);
		assert_true(strlen(command->name) < COMMAND_WORD_SIZE);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(command->name, commands[j]->name);
	}
}

static void test_operands_complete(void **state)
{
	(void)state;
	for (size_t i = 0; commands[i]; i++) {
		const struct command *command = commands[i];

		if (command->hidden)
			continue;
		assert_int_equal(
			*command->operands != '\0', command->completes[0] != COMPLETE_NOTHING);
		if (command_max_operands(command) > 1)
			assert_int_not_equal(command->completes[1], COMPLETE_NOTHING);
	}
}

/* Examples are command lines that parse: right command, known options, enough operands. */
static void assert_example_parses(const struct command *command, char *line)
{
	cleanup_options struct options options = {.tables = {command->options, global_options}};
	char *rest = strstr(line, "virtx "), *words[32];
	size_t name_words = 1;
	struct error err = {0};
	int count = 0;

	assert_non_null(rest);
	/* The last command of a pipe, without redirections and environment. */
	while (strstr(rest + 1, "| virtx "))
		rest = strstr(rest + 1, "| virtx ") + 2;
	rest[strcspn(rest, ">)")] = '\0';
	for (const char *c = command->name; *c; c++)
		name_words += *c == ' ';
	strsep(&rest, " ");
	while (count < 31 && (words[count] = strsep(&rest, " ")))
		count += *words[count] != '\0';
	for (int i = 0, used; i < count; i += used) {
		used = options_next(&options, count - i, words + i, &err);
		if (used < 0)
			fail_msg("%s: %s", command->name, err.message);
	}
	assert_true(options.n_operands >= name_words);
	assert_ptr_equal(command_find(options.operands, name_words), command);
	if (command_check_operands(command, options.n_operands - name_words, &err) < 0)
		fail_msg("%s: %s", command->name, err.message);
}

static void test_examples_parse(void **state)
{
	(void)state;
	for (size_t i = 0; commands[i]; i++) {
		cleanup_free char *example = xstrdup(commands[i]->example);
		char *rest = example, *line;

		assert_true(*example);
		while ((line = strsep(&rest, "\n")))
			assert_example_parses(commands[i], line);
	}
}

static void test_options_are_unique(void **state)
{
	(void)state;
	for (size_t i = 0; commands[i]; i++) {
		for (const struct option_row *row = commands[i]->options; row && row->name; row++) {
			for (const struct option_row *other = row + 1; other->name; other++) {
				assert_string_not_equal(row->name, other->name);
				assert_true(!row->letter || row->letter != other->letter);
			}
			/* A command may only take -h away from the global options. */
			for (const struct option_row *other = global_options; other->name;
				other++) {
				assert_string_not_equal(row->name, other->name);
				assert_true(!row->letter || row->letter == 'h' ||
					    row->letter != other->letter);
			}
			assert_true(row->argument || row->completes == COMPLETE_NOTHING);
			assert_true(!row->help || !str_ends_with(row->help, "."));
		}
	}
}

/* The grammar that scripts rely on (spec: cli.md). */
static void test_grammar_stands(void **state)
{
	static const struct {
		const char *command, *letters;
	} rows[] = {{"list host", "navsmH"}, {"list vm", "nhsvNV"}, {"get host", "CM"},
		{"get vm", "knKNCM"}, {"get runstate vm", ""}, {"get migrate vm", ""},
		{"create vm", "h"}, {"update vm", "s"}, {"delete vm", "s"}, {"boot vm", "umc"},
		{"shutdown vm", "f"}, {"pause vm", ""}, {"resume vm", ""}, {"migrate vm", "lh"},
		{"abort migrate vm", ""}, {"register vm", "h"}, {"completion", ""},
		{"reboot vm", "f"}, {"console vm", ""}, {"get xml vm", ""},
		{"get definition vm", ""}, {"edit vm", ""}, {"status", ""}, {"version", ""},
		{"list operation", ""}, {"get operation", ""}, {"cancel operation", ""}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cleanup_free char *name = xstrdup(rows[i].command);
		char *words[4], *rest = name;
		size_t count = 0;

		while ((words[count] = strsep(&rest, " ")))
			count++;
		const struct command *command = command_find(words, count);

		assert_non_null(command);
		for (const char *letter = rows[i].letters; *letter; letter++) {
			struct options options = {.tables = {command->options, NULL}};

			assert_non_null(option_find(&options, NULL, 0, *letter));
		}
	}
}

static void test_every_help(void **state)
{
	(void)state;
	assert_int_equal(run_client("help"), 0);
	cleanup_free char *overview = xstrdup(fixture.out);

	for (size_t i = 0; commands[i]; i++) {
		const struct command *command = commands[i];
		cleanup_free char *line = xasprintf("%s --help", command->name);

		assert_int_equal(command->hidden, strstr(overview, command->summary) == NULL);
		assert_int_equal(run_client(line), 0);
		assert_non_null(strstr(fixture.out, "Usage: virtx "));
		assert_non_null(strstr(fixture.out, command->summary));
		assert_non_null(strstr(fixture.out, "\nExamples:\n  "));
		for (const struct option_row *row = command->options; row && row->name; row++)
			if (row->help)
				assert_non_null(strstr(fixture.out, row->help));
		assert_string_equal(fixture.log, "");
		cleanup_free char *by_option = xstrdup(fixture.out);

		free(line);
		line = xasprintf("help %s", command->name);
		assert_int_equal(run_client(line), 0);
		assert_string_equal(fixture.out, by_option);
		free(line);
		/* -h is help wherever it is not --host. */
		line = xasprintf("%s -h", command->name);
		if (!has_option(command, "host")) {
			assert_int_equal(run_client(line), 0);
			assert_string_equal(fixture.out, by_option);
		}
	}
}

static void test_help_of_groups(void **state)
{
	static const char *const lines[] = {"help list", "list --help", "list -h", "-? list"};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(run_client(lines[i]), 0);
		assert_non_null(strstr(fixture.out, "list vm"));
		assert_non_null(strstr(fixture.out, "list operation"));
		assert_null(strstr(fixture.out, "create vm"));
	}
	assert_int_equal(run_client("--version"), 0);
	assert_true(str_starts_with(fixture.out, "virtx "));
}

static void test_wrong_usage(void **state)
{
	static const struct {
		const char *line, *log;
	} cases[] = {
		{"lst vm", "virtx: there is no command \"lst\"\nhint: did you mean \"list\"?\n"},
		{"list vmm", "virtx: there is no command \"list vmm\"\nhint: did you mean \"list "
			     "vm\"?\n"},
		{"get runstat vm", "virtx: there is no command \"get runstat\"\n"
				   "hint: did you mean \"get runstate\"?\n"},
		{"xyzzy", "virtx: there is no command \"xyzzy\"\n"
			  "hint: virtx help lists the commands\n"},
		{"help lst", "virtx: there is no command \"lst\"\nhint: did you mean \"list\"?\n"},
		{"list", "virtx: \"list\" is only the start of a command\n"
			 "hint: virtx help list shows how it goes on\n"},
		{"get vm", "virtx: get vm takes ID...\nhint: virtx get vm --help explains it\n"},
		{"update vm a", "virtx: update vm takes ID FILE\n"
				"hint: virtx update vm --help explains it\n"},
		{"create vm a b", "virtx: create vm takes FILE and no more\n"
				  "hint: virtx create vm --help explains it\n"},
		{"list vm x", "virtx: list vm takes no operands\n"
			      "hint: virtx list vm --help explains it\n"},
		{"list vm --nmae x",
			"virtx: there is no option --nmae\nhint: did you mean --name?\n"},
		{"list vm -n", "virtx: -n needs its TEXT\n"},
		{"list vm -o xml", "virtx: --output is table, json, yaml or name, not \"xml\"\n"},
		{"list host -s asleep",
			"virtx: \"asleep\" is not a host state\n"
			"hint: one of invalid, active, left, failed, or its number\n"},
		{"list vm -A a:port",
			"virtx: \"a:port\" is not a server: HOST, HOST:PORT or [IPV6]:PORT\n"},
		{"list vm -v 4095", "virtx: --vlanid is a number from 0 to 4094\n"},
		{"list vm -V x", "virtx: --custom-value needs --custom-name\n"},
		{"list host -m much",
			"virtx: --memory is a size like 512M, 16G or 1T, not \"much\"\n"},
		{"register vm a", "virtx: register needs --host HOST\n"},
		{"register vm -h a", "virtx: register needs an ID, or --from-host HOST\n"},
		{"register vm a -h a --from-host b",
			"virtx: --from-host takes all VMs of that host: no ID\n"},
		{"register vm a -h a --dry-run", "virtx: --dry-run works with --from-host\n"},
		{"completion tcsh", "virtx: there is no completion for \"tcsh\", only for bash, "
				    "zsh and fish\n"},
		{"get vm .", "virtx: \".\" is not the ID of a VM\n"},
		{"get vm \x1b[2J --nope", "virtx: there is no option --nope\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(run_client(cases[i].line), 2);
		assert_string_equal(fixture.log, cases[i].log);
		assert_string_equal(fixture.out, "");
	}
}

/* The manual, as the build makes it, names every command and option. */
static void test_manual_is_complete(void **state)
{
	FILE *page = fopen("man/virtx.1.in", "re");
	cleanup_free char *text = NULL;
	struct error err = {0};
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_non_null(page);
	assert_int_equal(manual_write(page, out, &err), 0);
	fclose(page);
	fclose(out);
	for (size_t i = 0; commands[i]; i++) {
		cleanup_free char *item = xasprintf("\n.It Cm %s", commands[i]->name);
		const char *start = strstr(text, item);

		assert_int_equal(start == NULL, commands[i]->hidden);
		for (const struct option_row *row = commands[i]->options; start && row && row->name;
			row++) {
			if (!row->help)
				continue;
			/* Dashes are escaped there. */
			cleanup_buf struct printbuf *option = buf_new();

			buf_text(option, "Fl \\-");
			for (const char *c = row->name; *c; c++)
				buf_format(option, "%s%c", *c == '-' ? "\\" : "", *c);
			assert_non_null(strstr(start, option->buf));
		}
	}
	assert_null(strstr(text, "\n@"));
}

/* What the manual says of virtxd.conf is true: each default is a value of its key. */
static void test_defaults_of_the_daemon(void **state)
{
	struct settings settings;

	(void)state;
	config_init(settings_rows, &settings);
	for (const struct config_row *row = settings_rows; row->key; row++) {
		struct error err = {0};

		if (config_set(row, &settings, row->fallback, &err) < 0)
			fail_msg("%s", err.message);
		assert_true(row->help && *row->help && !str_ends_with(row->help, "."));
		assert_true(row->kind == CONFIG_BOOL || row->argument);
	}
	config_free(settings_rows, &settings);
}

static void test_manual_refuses_unknown_tables(void **state)
{
	FILE *page = fmemopen((char[]){"text\n@NONSENSE@\n"}, 16, "r");
	FILE *out = fopen("/dev/null", "we");
	struct error err = {0};

	(void)state;
	assert_int_equal(manual_write(page, out, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	fclose(page);
	fclose(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_are_whole),
		cmocka_unit_test(test_operands_complete),
		cmocka_unit_test(test_examples_parse),
		cmocka_unit_test(test_options_are_unique),
		cmocka_unit_test(test_grammar_stands),
		cmocka_unit_test_setup(test_every_help, fixture_reset),
		cmocka_unit_test_setup(test_help_of_groups, fixture_reset),
		cmocka_unit_test_setup(test_wrong_usage, fixture_reset),
		cmocka_unit_test(test_manual_is_complete),
		cmocka_unit_test(test_defaults_of_the_daemon),
		cmocka_unit_test(test_manual_refuses_unknown_tables),
	};

	return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}
