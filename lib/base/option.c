/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one parser of command lines. */
#include "base/option.h"

#include "base/str.h"

const struct option_row *option_find(
	const struct options *options, const char *name, size_t name_len, char letter)
{
	for (size_t i = 0; i < OPTION_TABLES; i++) {
		for (const struct option_row *row = options->tables[i]; row && row->name; row++) {
			if (name ? strlen(row->name) == name_len &&
						strncmp(row->name, name, name_len) == 0
				 : row->letter == letter)
				return row;
		}
	}
	return NULL;
}

static void add_given(struct options *options, const struct option_row *row, const char *value)
{
	options->given =
		xreallocarray(options->given, options->n_given + 1, sizeof(*options->given));
	options->given[options->n_given++] = (struct option_given){row, value};
}

static int unknown_name(
	const struct options *options, const char *name, size_t name_len, struct error *err)
{
	cleanup_free char *word = xstrndup(name, name_len);
	struct str_nearest nearest = {.word = word};

	for (size_t i = 0; i < OPTION_TABLES; i++)
		for (const struct option_row *row = options->tables[i]; row && row->name; row++)
			if (row->help)
				str_nearest_try(&nearest, row->name);
	error_set(err, ERR_USAGE, "there is no option --%s", word);
	if (nearest.best)
		error_hint(err, "did you mean --%s?", nearest.best);
	return -1;
}

static int read_long(struct options *options, int argc, char **argv, struct error *err)
{
	const char *name = argv[0] + 2;
	size_t name_len = strcspn(name, "=");
	const char *value = name[name_len] ? name + name_len + 1 : NULL;
	const struct option_row *row = option_find(options, name, name_len, 0);

	if (!row)
		return unknown_name(options, name, name_len, err);
	if (!row->argument && value)
		return error_set(err, ERR_USAGE, "--%s takes no value", row->name);
	if (!row->argument || value) {
		add_given(options, row, value);
		return 1;
	}
	if (argc < 2)
		return error_set(err, ERR_USAGE, "--%s needs its %s", row->name, row->argument);
	add_given(options, row, argv[1]);
	return 2;
}

static int read_letters(struct options *options, int argc, char **argv, struct error *err)
{
	for (const char *c = argv[0] + 1; *c; c++) {
		const struct option_row *row = option_find(options, NULL, 0, *c);

		if (!row)
			return error_set(err, ERR_USAGE, "there is no option -%c", *c);
		if (!row->argument) {
			add_given(options, row, NULL);
			continue;
		}
		if (c[1]) {
			add_given(options, row, c + 1);
			return 1;
		}
		if (argc < 2)
			return error_set(
				err, ERR_USAGE, "-%c needs its %s", row->letter, row->argument);
		add_given(options, row, argv[1]);
		return 2;
	}
	return 1;
}

int options_next(struct options *options, int argc, char **argv, struct error *err)
{
	if (!options->ended && str_equal(argv[0], "--")) {
		options->ended = true;
		return 1;
	}
	if (!options->ended && str_starts_with(argv[0], "--"))
		return read_long(options, argc, argv, err);
	if (!options->ended && argv[0][0] == '-' && argv[0][1])
		return read_letters(options, argc, argv, err);
	options->operands = xreallocarray(
		options->operands, options->n_operands + 1, sizeof(*options->operands));
	options->operands[options->n_operands++] = argv[0];
	return 1;
}

void options_free(struct options *options)
{
	free(options->given);
	free(options->operands);
	*options = (struct options){0};
}

const char *option_value(const struct options *options, const char *name)
{
	for (size_t i = options->n_given; i > 0; i--)
		if (str_equal(options->given[i - 1].row->name, name))
			return options->given[i - 1].value;
	return NULL;
}

unsigned option_count(const struct options *options, const char *name)
{
	unsigned count = 0;

	for (size_t i = 0; i < options->n_given; i++)
		count += str_equal(options->given[i].row->name, name);
	return count;
}

char *option_synopsis(const struct option_row *row)
{
	char letter[] = "-?, ";

	letter[1] = row->letter;
	return xasprintf("%s--%s%s%s", row->letter ? letter : "", row->name,
		row->argument ? " " : "", row->argument ? row->argument : "");
}

bool option_any_shown(const struct option_row *rows)
{
	for (const struct option_row *row = rows; row && row->name; row++)
		if (row->help)
			return true;
	return false;
}

void option_print_help(const struct option_row *rows, FILE *out)
{
	for (const struct option_row *row = rows; row && row->name; row++) {
		cleanup_free char *synopsis = option_synopsis(row);

		if (row->help)
			fprintf(out, "  %s%-*s  %s\n", row->letter ? "" : "    ",
				row->letter ? 30 : 26, synopsis, row->help);
	}
}
